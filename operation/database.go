package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"slipway/operation/account"
	"slipway/operation/account/process"
)

// A DatabaseAddress is where this machine reaches the stack's database.
type DatabaseAddress struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	User     string `json:"user"`
	Through  string `json:"through"` // "task 0123", "bastion i-0123", "its container"
}

// TunnelArgs say what a tunnel is for.
type TunnelArgs struct {
	Port  int                     // on this machine; 0: a free one
	Owner bool                    // say the owner of the database, and not the site's own role
	Open  func(a DatabaseAddress) // is called when the database answers
}

// openTime is how long a tunnel may take until the database answers, and openEach how often it is asked.
var (
	openTime = 45 * time.Second
	openEach = 200 * time.Millisecond
)

// Tunnel opens a tunnel to the database, and keeps it until ctx is done.
func Tunnel(ctx context.Context, t Target, args TunnelArgs) (err error) {
	e, err := enter(ctx, t, "db tunnel", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	tunnel, err := e.tunnel(ctx, args.Port, args.Owner)
	if err != nil {
		return err
	}
	defer tunnel.close()
	if err := e.close(); err != nil {
		return err
	}
	args.Open(tunnel.address)
	select {
	case <-ctx.Done():
		return nil // this is how it ends
	case err := <-tunnel.over:
		return fmt.Errorf("the tunnel is closed: %w", err)
	}
}

// A tunnel is one that is open.
type tunnel struct {
	address DatabaseAddress
	login   login
	over    chan error
	close   func()
}

// A login is how the application gets into its database.
type login struct {
	host, port, database, user string
	password                   string // the parameter that has it
}

// login reads the login of the site's own role, or of the owner, from the task definition that has it.
func (e *entrance) login(owner bool) (l login, err error) {
	part := "web"
	if owner {
		part = "migration"
	}
	if p := e.layout.part(part); p != nil {
		c := p.container(appContainer)
		l = login{c.Environment["SLIPWAY_DB_HOST"], c.Environment["SLIPWAY_DB_PORT"], c.Environment["SLIPWAY_DB_NAME"],
			c.Environment["SLIPWAY_DB_USER"], c.Secrets["SLIPWAY_DB_PASSWORD"]}
	}
	if l.host == "" || l.password == "" {
		return l, fmt.Errorf("the task definition %s of stack %s does not say how to get into the database; the next up writes it: slipway up%s",
			part, e.target.Stack, e.target.Flags())
	}
	return l, nil
}

// tunnel opens a tunnel, and returns when the database answers in it.
func (e *entrance) tunnel(ctx context.Context, port int, owner bool) (*tunnel, error) {
	login, err := e.login(owner)
	if err != nil {
		return nil, err
	}
	there, err := strconv.Atoi(login.port)
	if err != nil {
		return nil, fmt.Errorf("the port of the database: %w", err)
	}
	if err := e.sessions.Ready(ctx); err != nil {
		return nil, err
	}
	f, through, err := e.way(ctx)
	if err != nil {
		return nil, err
	}
	if f.Here, err = freePort(port); err != nil {
		return nil, err
	}
	f.Host, f.Port = login.host, there
	session, err := e.sessions.Forward(ctx, f)
	if err != nil {
		return nil, err
	}
	// It ends with the function that close calls: an interrupt during psql cancels a query, not the tunnel.
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &tunnel{login: login, over: make(chan error, 1), address: DatabaseAddress{
		Host: "127.0.0.1", Port: f.Here, Database: login.database, User: login.user, Through: through}}
	go func() {
		_, err := session.Run(within, process.Streams{})
		t.over <- cmp.Or(err, errors.New("its session ended"))
		close(t.over)
	}()
	t.close = func() {
		cancel()
		for range t.over { // until its process has ended
		}
	}
	if err := t.open(ctx); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// way is what a tunnel goes through: a running task of the site, or the bastion.
func (e *entrance) way(ctx context.Context) (f account.Forward, through string, err error) {
	f.Cluster, f.Container = e.layout.cluster, appContainer
	if !e.target.Live {
		return f, "its container", nil
	}
	services, _ := e.layout.choose("", "any")
	tasks, err := e.tasks(ctx, services)
	if err != nil {
		return f, "", err
	}
	for _, task := range tasks {
		if _, err := containerIn(task, appContainer); err == nil && task.Exec {
			f.Task = &task
			return f, "task " + task.ID, nil
		}
	}
	if e.layout.instance != "" {
		f.Instance = e.layout.instance
		return f, "bastion " + f.Instance, nil
	}
	return f, "", fmt.Errorf("no task of the site runs that a tunnel could go through, and stack %s has no bastion (bastion.enabled); "+
		"what has happened: slipway status%s", e.target.Stack, e.target.Flags())
}

// freePort is a free port of the loopback interface, or the one that is asked for.
func freePort(port int) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("port %d of this machine: %w; omit --port, and a free one is taken", port, err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// open waits until the database answers.
func (t *tunnel) open(ctx context.Context) error {
	deadline := time.Now().Add(openTime)
	address := net.JoinHostPort(t.address.Host, strconv.Itoa(t.address.Port))
	for {
		wrong := answers(address)
		if wrong == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-t.over:
			return fmt.Errorf("the tunnel through %s did not open: %w", t.address.Through, err)
		case <-time.After(openEach):
		}
		switch late := time.Now().After(deadline); {
		case late && errors.Is(wrong, syscall.ECONNREFUSED): // the plugin listens once it is connected, and says nothing if it never is
			return fmt.Errorf("the tunnel through %s did not open within %s; does this machine reach Session Manager? A proxy or a firewall "+
				"may refuse websockets to ssmmessages of the region", t.address.Through, openTime)
		case late:
			return fmt.Errorf("the tunnel through %s is open, but the database does not answer in it: %w\n"+
				"whether the network is in the way: slipway why SOURCE database:%s", t.address.Through, wrong, t.login.port)
		}
	}
}

// answers asks a Postgres server whether it speaks TLS, as every client does first (PostgreSQL documentation, "Message Formats",
// SSLRequest). A tunnel accepts connections also if there is nothing at its other end.
func answers(address string) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := conn.Read(answer); err != nil {
		return err
	}
	if answer[0] != 'S' && answer[0] != 'N' {
		return fmt.Errorf("this is no Postgres: it answers %q", answer)
	}
	return nil
}

// PsqlArgs say how psql runs.
type PsqlArgs struct {
	Owner   bool     // as the owner of the database, and not the site's own role
	Args    []string // of psql
	Streams process.Streams
	Note    func(text string) // is called with what may take a while, or is not as it should be
	// Began is called before psql begins, and the function that it returns after its end; see ExecArgs.
	Began func(a DatabaseAddress, client string) (over func())
}

// Psql runs psql on the database of the stack.
func Psql(ctx context.Context, t Target, args PsqlArgs) (err error) {
	e, err := enter(ctx, t, "db psql", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	client, err := e.findClient(ctx, args.Note)
	if err != nil {
		return fmt.Errorf("%w\nOr open a tunnel for a client of your own: slipway db%s tunnel", err, t.Flags())
	}
	login, err := e.login(args.Owner)
	if err != nil {
		return err
	}
	password, err := e.sessions.Secret(ctx, login.password)
	if err != nil {
		return err
	}
	tunnel, err := e.tunnel(ctx, 0, args.Owner)
	if err != nil {
		return err
	}
	defer tunnel.close()
	if err := e.close(); err != nil {
		return err
	}
	over := args.Began(tunnel.address, client.what)
	exit, err := process.Run(ctx, client.command(tunnel, password, args), args.Streams)
	over()
	if err != nil {
		return err
	}
	return ended("psql", exit, "")
}

// command is psql on a tunnel. The password is in the environment of psql alone, never among its arguments.
func (c client) command(t *tunnel, password string, args PsqlArgs) process.Command {
	host := t.address.Host
	run := []string{"run", "--rm", "-i", "--network", "host"}
	if c.image != "" && runtime.GOOS != "linux" { // Docker Desktop has a virtual machine between its containers and this one
		run, host = []string{"run", "--rm", "-i"}, "host.docker.internal"
	}
	values := [][2]string{
		{"PGHOST", host}, {"PGPORT", strconv.Itoa(t.address.Port)}, {"PGDATABASE", t.address.Database}, {"PGUSER", t.address.User},
		{"PGPASSWORD", password}, {"PGAPPNAME", "slipway db psql"},
		// TLS is compulsory. The certificate names the host at the end of the tunnel, not this one.
		{"PGSSLMODE", cmp.Or(os.Getenv("PGSSLMODE"), "require")},
	}
	// Users may have set these for another database.
	command := process.Command{Path: c.path, Args: args.Args, Without: []string{"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE"}}
	for _, v := range values {
		if c.image != "" {
			run = append(run, "-e", v[0])
		}
		command.Env = append(command.Env, v[0]+"="+v[1])
	}
	if c.image != "" {
		if args.Streams.Terminal {
			run = append(run, "-t")
		}
		command.Args = append(append(run, c.image, "psql"), args.Args...)
	}
	return command
}
