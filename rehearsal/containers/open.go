package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slipway/rehearsal/cloud"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Open prepares to run what account holds, and removes what a killed run left behind. Cancelling ctx stops operations in progress.
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
	if !Exists(r.dir) {
		if err := os.WriteFile(untried(r.dir), nil, 0o600); err != nil {
			return nil, err
		}
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

// named is the run in a folder, without an engine.
func named(ctx context.Context, dir string, options Options) (*Run, error) {
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
	r.meter = &meter{run: r, now: time.Now}
	return r, nil
}

// known is the run in a folder, which need not exist yet.
func known(ctx context.Context, dir string, options Options) (*Run, error) {
	r, err := named(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	dir = r.dir
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
	r.kept.Postgres, r.kept.Valkey = cmp.Or(options.Postgres, r.kept.Postgres), cmp.Or(options.Valkey, r.kept.Valkey)
	r.kept.AlarmPace = cmp.Or(options.AlarmPace, r.kept.AlarmPace)
	r.lock = flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	r.server = flock.New(filepath.Join(dir, "server.lock"), flock.SetPermissions(0o600))
	return r, err
}

// take locks the containers. It waits for a serving process that is replacing a task.
func (r *Run) take() error {
	ctx, cancel := context.WithTimeout(r.ctx, 2*time.Minute)
	defer cancel()
	if ok, err := r.lock.TryLockContext(ctx, 100*time.Millisecond); err != nil || !ok {
		return fmt.Errorf("the containers of stack %s are being changed by another process: %w", r.options.Stack, err)
	}
	return nil
}

// connect creates the tasks' network, and finds this machine's address on it.
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

// sweep removes abandoned tasks: those of a migration or a job whose command was killed, those of deleted services, and detached ones
// that have ended.
func (r *Run) sweep() error {
	boxes, err := r.engine.boxes(r.ctx, labelTask)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for _, b := range boxes {
		id, service := b.Config.Labels[labelTask], b.Config.Labels[labelService]
		if b.Config.Labels[labelDetached] == "true" && !b.ended() {
			done[id] = true
		}
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

// Close stops serving and releases the locks. The containers keep running.
func (r *Run) Close() error {
	for _, stop := range r.watches {
		stop()
	}
	r.watches = nil
	var wrong []error
	for _, s := range r.servers {
		wrong = append(wrong, s.Close())
	}
	r.servers = nil
	return errors.Join(append(wrong, r.lock.Unlock(), r.server.Unlock())...)
}

// Remove removes every container, network, volume and image of the run, and its folder. It fails if Docker is not available,
// rather than leave containers behind without a record.
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

// forget removes the folder. It waits for a process that is writing logs there, and renames the folder first: files that appear
// while a folder is being removed make that fail.
func (r *Run) forget() error {
	unlock, err := r.shipAlone()
	if err != nil {
		return err
	}
	defer unlock()
	gone := r.dir + ".gone"
	if err := os.RemoveAll(gone); err != nil { // left by a Remove that was killed
		return err
	}
	if err := os.Rename(r.dir, gone); err != nil {
		return err
	}
	// A process that serves may have been about to write the states of alarms there.
	if os.RemoveAll(gone) == nil {
		return nil
	}
	return os.RemoveAll(gone)
}
