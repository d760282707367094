// Package run carries out what a rehearsal deployed: images are really built and pushed, tasks really run as containers
// from the task definitions that the program declared, behind a balancer that really asks for their health.
//
// Four things stand in for AWS inside the process: a registry for ECR, an S3 endpoint, the balancer, and the way of the
// logs through Firehose into the bucket. A container of Postgres stands in for RDS, with the parameter group's settings
// and a certificate for the name that RDS would give it. Everything else is the engine's: see README.md of rehearsal for
// what that proves.
//
// Containers outlive the command. Whoever comes first serves (balancer, S3, logs, tasks that died) until it is
// interrupted; a further command deploys beside it. All that the engine holds carries the label slipway.stack=ID, by
// which it is found again after a kill, and removed.
package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"slipway/rehearsal/cloud"
)

// Options say how a stack is run.
type Options struct {
	Stack  string
	Domain string // of the site; the balancer then speaks TLS, with a certificate that no browser knows

	// Postgres is the image of the database; default the official one of the engine version that the program asks for.
	// It must have initdb and a user postgres who owns /var/lib/postgresql. What was said once holds for the stack.
	Postgres string

	// Haste divides the waits between checks of health and the drain of a target, which in an account are minutes of
	// somebody's life. Timeouts and grace periods stay as they are. Default 5.
	Haste int

	Say func(string) // hears of what is going on; default nobody
}

// A Run is the running side of a stack.
type Run struct {
	dir, id, network, gateway string

	options Options
	engine  *engine
	ctx     context.Context
	lock    *flock.Flock // held while containers are started and stopped
	server  *flock.Flock // held by whoever serves

	account *cloud.Account
	frozen  atomic.Pointer[[]*cloud.Object] // what the account was when it was let go of

	kept    kept
	shelf   *shelf
	store   *http.Server // of the shelf
	servers []*http.Server

	unlimited atomic.Bool // the engine refused limits

	building, targeting, shipping, databases sync.Mutex
}

// kept is what must be the same the next time: the engine's containers know these ports.
type kept struct {
	Registry, Bucket, Balancer int
	Postgres                   string
}

// Dir is where a stack that is run keeps what it needs, below the stack's own folder.
func Dir(stack string) string { return filepath.Join(stack, "run") }

// Exists reports whether a stack is one that is run.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kept.json"))
	return err == nil
}

// Open makes ready to run what account holds. What a killed run left half started is removed. ctx ends what is under
// way.
func Open(ctx context.Context, dir string, account *cloud.Account, options Options) (_ *Run, err error) {
	r, err := known(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	r.account = account
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.take(); err != nil {
		return nil, err
	}
	if err := r.connect(); err != nil {
		return nil, err
	}
	if err := r.shelve(); err != nil {
		return nil, err
	}
	if err := r.authority(); err != nil {
		return nil, err
	}
	if err := r.front(); err != nil {
		return nil, err
	}
	account.Tasks, account.Carry = r.Task, r.carry
	return r, r.sweep()
}

// known is a run by its folder, whether it exists yet or not.
func known(ctx context.Context, dir string, options Options) (*Run, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if options.Haste < 1 {
		options.Haste = 5
	}
	if options.Say == nil {
		options.Say = func(string) {}
	}
	sum := fnv.New32a()
	sum.Write([]byte(dir))
	r := &Run{dir: dir, id: fmt.Sprintf("%s-%08x", strings.ToLower(options.Stack), sum.Sum32()), options: options, ctx: ctx}
	r.network = "slipway-" + r.id
	if r.engine, err = newEngine(ctx, r.id); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "kept.json"))
	if err == nil {
		err = json.Unmarshal(text, &r.kept)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	r.kept.Postgres = cmp.Or(options.Postgres, r.kept.Postgres)
	r.lock = flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	r.server = flock.New(filepath.Join(dir, "server.lock"), flock.SetPermissions(0o600))
	return r, err
}

// take waits for a server that is just replacing a task.
func (r *Run) take() error {
	ctx, cancel := context.WithTimeout(r.ctx, 2*time.Minute)
	defer cancel()
	if ok, err := r.lock.TryLockContext(ctx, 100*time.Millisecond); err != nil || !ok {
		return fmt.Errorf("the containers of stack %s are being changed by another process: %w", r.options.Stack, err)
	}
	return nil
}

func (r *Run) keep() error {
	text, err := json.Marshal(r.kept)
	if err != nil {
		return err
	}
	return replace(filepath.Join(r.dir, "kept.json"), text)
}

// connect makes the network on which all tasks are, and finds this machine's address on it.
func (r *Run) connect() error {
	if _, err := r.engine.do(r.ctx, nil, "network", "inspect", r.network); err != nil {
		if _, err := r.engine.do(r.ctx, nil, "network", "create", "--label", r.engine.label, r.network); err != nil {
			return err
		}
	}
	out, err := r.engine.do(r.ctx, nil, "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}", r.network)
	if err != nil {
		return err
	}
	r.gateway, _, _ = strings.Cut(out, " ")
	return nil
}

// serve answers on l until Close.
func (r *Run) serve(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	r.servers = append(r.servers, s)
	go s.Serve(l)
	return s
}

// sweep removes the tasks that nobody waits for any more: of a migration or a job whose command was killed, and of
// services that are gone.
func (r *Run) sweep() error {
	boxes, err := r.engine.boxes(r.ctx, labelTask)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, b := range boxes {
		id, service := b.Config.Labels[labelTask], b.Config.Labels[labelService]
		if done[id] || service != "" && r.find("aws:ecs/service:Service", "name", service) != nil {
			continue
		}
		done[id] = true
		if err := r.remove(r.ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// sooner is a declared wait in seconds, in haste.
func (r *Run) sooner(seconds int) time.Duration {
	return max(time.Duration(seconds)*time.Second/time.Duration(r.options.Haste), 500*time.Millisecond)
}

// objects are what the account holds, or held when it was let go of.
func (r *Run) objects() []*cloud.Object {
	if frozen := r.frozen.Load(); frozen != nil {
		return slices.Clone(*frozen)
	}
	return r.account.Objects()
}

// find is the object of a type of which an output has a value; nil when there is none.
func (r *Run) find(kind, by, value string) *cloud.Object {
	all := r.all(kind)
	i := slices.IndexFunc(all, func(o *cloud.Object) bool { return cloud.Inputs(o.Outputs).String(by) == value })
	if i < 0 {
		return nil
	}
	return all[i]
}

func (r *Run) all(kind string) []*cloud.Object {
	return slices.DeleteFunc(r.objects(), func(o *cloud.Object) bool { return o.Type != kind })
}

// URL is where the site is on this machine.
func (r *Run) URL() string {
	scheme := "http"
	if r.options.Domain != "" {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, r.kept.Balancer)
}

// Close lets go of everything but the containers.
func (r *Run) Close() error {
	var wrong []error
	for _, s := range r.servers {
		wrong = append(wrong, s.Close())
	}
	r.servers = nil
	return errors.Join(append(wrong, r.lock.Unlock(), r.server.Unlock())...)
}

// Remove removes every container, network, volume and image of the run, and its folder. Without an engine there is
// nothing to be removed from, which is an error: what is there would be forgotten.
func Remove(ctx context.Context, dir string, options Options) error {
	r, err := known(ctx, dir, options)
	if err != nil {
		return err
	}
	if err := r.take(); err != nil {
		return err
	}
	defer r.lock.Unlock()
	prefix := ""
	if r.kept.Registry != 0 {
		prefix = r.registry()
	}
	stages, err := os.ReadFile(r.stagesFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.engine.clean(ctx, prefix, strings.Fields(string(stages))); err != nil {
		return err
	}
	return r.forget()
}

// forget removes the folder. Whoever serves may just be writing logs into it: it is waited for, and finds the folder gone
// as a whole, for what is put into a folder while that is emptied keeps it from being removed.
func (r *Run) forget() error {
	unlock, err := r.shipAlone()
	if err != nil {
		return err
	}
	defer unlock()
	gone := r.dir + ".gone"
	if err := os.RemoveAll(gone); err != nil { // of a Remove that was killed
		return err
	}
	if err := os.Rename(r.dir, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}
