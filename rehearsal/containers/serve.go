package containers

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"slipway/rehearsal/cloud"
)

// Deployed releases the account, the registry's port and the containers, so that another command can deploy. From now on the run
// uses a copy of the account's objects.
func (r *Run) Deployed() error {
	objects := r.account.Objects()
	r.frozen.Store(&objects)
	r.account.Tasks, r.account.Carry = nil, nil
	err := os.Remove(untried(r.dir))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, r.store.Close(), r.lock.Unlock())
}

// Serves reports whether this process serves the site.
func (r *Run) Serves() bool { return r.server.Locked() }

// Serve serves the site until ctx is done or the stack is removed: it delivers logs and replaces stopped tasks while the balancer
// and the buckets answer. It returns at once if another process serves. reopen opens the account again after another command
// changed it; if it returns an error because the account is in use, Serve tries again later.
func (r *Run) Serve(ctx context.Context, reopen func() (*cloud.Account, error)) error {
	if !r.Serves() {
		return nil
	}
	seen := time.Now()
	next := time.Now()
	for {
		if err := pause(ctx, 2*time.Second); err != nil {
			return nil
		}
		if !Exists(r.dir) {
			return nil // destroyed
		}
		if err := r.shipAll(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
			r.options.Say("logs: " + err.Error())
		}
		if time.Now().Before(next) {
			continue
		}
		if ok, err := r.lock.TryLock(); err != nil || !ok {
			continue
		}
		if !Exists(r.dir) { // another command removed it meanwhile
			return r.lock.Unlock()
		}
		if info, err := os.Stat(r.model()); err == nil && info.ModTime().After(seen) {
			if account, err := reopen(); err == nil {
				objects := account.Objects()
				r.frozen.Store(&objects)
				seen = time.Now()
				account.Close()
			} else {
				next = time.Now()
				r.lock.Unlock()
				continue
			}
		}
		if err := r.converge(ctx); err != nil && ctx.Err() == nil {
			r.options.Say(err.Error())
			next = time.Now().Add(30 * time.Second)
		}
		if err := r.lock.Unlock(); err != nil {
			return err
		}
	}
}

func (r *Run) model() string { return filepath.Join(filepath.Dir(r.dir), "model.json") }

// Archived counts the log objects in the buckets, after delivering what is pending.
func (r *Run) Archived(ctx context.Context) (int, error) {
	if err := r.shipAll(ctx); err != nil {
		return 0, err
	}
	n := 0
	err := filepath.WalkDir(filepath.Join(r.dir, "s3", "buckets"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".gz" {
			n++
		}
		return err
	})
	return n, err
}
