package containers

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"slipway/rehearsal/cloud"
)

// Exec is the docker command that runs a program in a container of a task, as the container's user and with its environment. With a
// terminal it talks to the one that this process has.
func (r *Run) Exec(taskID, container string, command []string, terminal bool) []string {
	args := []string{"docker", "exec"}
	if terminal {
		args = append(args, "-it")
	}
	return append(append(args, (&task{id: taskID}).box(r, container)), command...)
}

// DatabaseAt is where this machine reaches the database with an address.
func (r *Run) DatabaseAt(ctx context.Context, address string, port int) (string, error) {
	o := r.find("aws:rds/instance:Instance", "address", address)
	if o == nil {
		return "", fmt.Errorf("the account has no database at %s", address)
	}
	boxes, err := r.engine.inspect(ctx, r.databaseName(cloud.Inputs(o.Outputs).String("identifier")))
	if err != nil {
		return "", err
	}
	if len(boxes) == 0 || !boxes[0].State.Running {
		return "", fmt.Errorf("the container of database %s does not run", address)
	}
	return net.JoinHostPort(boxes[0].NetworkSettings.Networks[r.network].IPAddress, fmt.Sprint(port)), nil
}

// PostgresImage is the image of the databases.
func (r *Run) PostgresImage(major string) string { return cmp.Or(r.kept.Postgres, "postgres:"+major) }

// Local is the name in Docker of an image of the account's registry.
func (r *Run) Local(image string) string { return r.local(image) }

// stream calls line for each line that a container writes, without the values of secrets, until the function that it returns is called:
// that waits for the last ones.
func (r *Run) stream(ctx context.Context, name string, line func(string)) (finish func()) {
	read, write, err := os.Pipe()
	if err != nil {
		line("(its log could not be read: " + err.Error() + ")")
		return func() {}
	}
	cmd := exec.CommandContext(ctx, "docker", "logs", "--follow", name)
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		line("(its log could not be read: " + err.Error() + ")")
	}
	write.Close()
	var done sync.WaitGroup
	done.Go(func() {
		lines := bufio.NewReader(read)
		for {
			text, err := lines.ReadString('\n')
			if text != "" {
				line(r.hide(strings.TrimRight(text, "\r\n")))
			}
			if err != nil {
				return
			}
		}
	})
	return func() {
		if cmd.Process != nil {
			_ = cmd.Wait() // docker logs ends with the container
		}
		done.Wait()
		read.Close()
	}
}

// Pass passes connections of l on to an address until l is closed.
func Pass(l net.Listener, address string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			to, err := net.DialTimeout("tcp", address, 10*time.Second)
			if err != nil {
				return
			}
			defer to.Close()
			go func() { _, _ = io.Copy(to, conn); to.(*net.TCPConn).CloseWrite() }()
			_, _ = io.Copy(conn, to)
		}()
	}
}
