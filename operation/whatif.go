package operation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"slipway/engine"
	"slipway/engine/inprocess"
	"slipway/rehearsal/whatif"
	"slipway/site"
)

// A trial is a WhatIf that fits the program.
type trial struct {
	plan *whatif.Plan // nil: all resources stay as they are
	root string       // a project with the replaced files; "": the user's own
}

// monitor stands between the program and the engine in each run of the program; nil: nothing does.
func (t *trial) monitor() func() inprocess.Monitor {
	if t == nil || t.plan == nil {
		return nil
	}
	return func() inprocess.Monitor { return t.plan.Run() }
}

// configure is the configuration of a stack, with the files that a trial replaces.
func (t *trial) configure(target Target) (*configuration, error) {
	c, err := configure(target)
	if err == nil && t != nil && t.root != "" {
		c.root = t.root
	}
	return c, err
}

func (t *trial) close() error {
	if t == nil || t.root == "" {
		return nil
	}
	return os.RemoveAll(t.root)
}

// try checks what a target asks to try: the program runs once as it is, in a model of its own that begins as the folder from; "": empty.
// The trial is nil if there is nothing to try. A mistake is a UsageError, and nothing else was done then.
func (t Target) try(ctx context.Context, from string) (_ *trial, err error) {
	if !t.WhatIf.Asked() {
		return nil, nil
	}
	if t.Live {
		return nil, UsageError{errors.New("--without, --with, --add and --file try a change on the model, not in an account")}
	}
	changes, err := whatif.Parse(whatif.Flags{Without: t.WhatIf.Without, With: t.WhatIf.With, Add: t.WhatIf.Add})
	if err != nil {
		return nil, UsageError{err}
	}
	tried := &trial{}
	defer func() {
		if err != nil {
			err = errors.Join(err, tried.close())
		}
	}()
	if tried.root, err = t.replaceFiles(); err != nil {
		return nil, err
	}
	if !t.WhatIf.changesResources() {
		return tried, nil
	}
	record, failed := t.recorded(ctx, from)
	if ctx.Err() != nil || failed != nil && len(record.Resources()) == 0 {
		return nil, failed
	}
	if tried.plan, err = changes.On(record); err != nil {
		if failed != nil {
			return nil, fmt.Errorf("%w\nNot everything is known: the site as it is does not come up: %w", err, failed)
		}
		return nil, UsageError{t.bootstrapped(err)}
	}
	return tried, nil
}

// bootstrapNames begin the names of what bootstrap makes in place of the program, for a stack that workflows deploy.
var bootstrapNames = regexp.MustCompile(`has no resource "(github|boundary)`)

// bootstrapped explains why the program has no such resource, if bootstrap makes it.
func (t Target) bootstrapped(err error) error {
	c, failed := configure(t)
	if failed != nil || c.stack.GitHub.Repository == "" || !bootstrapNames.MatchString(err.Error()) {
		return err
	}
	return fmt.Errorf("%w\nThe roles of stack %s and their policies come from slipway bootstrap, which a rehearsal runs first: a change "+
		"can only be tried on what the program makes", err, t.Stack)
}

// recorded runs the program as it is, once.
func (t Target) recorded(ctx context.Context, from string) (record *whatif.Record, err error) {
	record = whatif.NewRecord()
	t.WhatIf, t.Progress, t.Containers = WhatIf{}, silence{}, Containers{}
	err = t.aside(ctx, asideArgs{from: from, monitor: func() inprocess.Monitor { return record }}, func(s *session) error {
		_, err := s.up(ctx, nil)
		return err
	})
	return record, err
}

// asideArgs describe what happens aside.
type asideArgs struct {
	from    string  // the folder of the stack that it begins as; "": an empty model
	tried   *trial  // nil: the project is as it is
	pinned  *pinned // nil: the images are built
	monitor func() inprocess.Monitor
}

// aside does something with a stack in a folder of its own. Nothing is kept.
func (t Target) aside(ctx context.Context, args asideArgs, do func(*session) error) (err error) {
	dir, err := os.MkdirTemp("", "slipway-rehearsal-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := args.tried.configure(t)
	if err != nil {
		return err
	}
	t.Throwaway = true
	if args.from == "" {
		err = foundation(ctx, t, c, dir)
	} else {
		err = copyStack(dir, args.from, t.Stack)
	}
	if err != nil {
		return err
	}
	s, err := open(ctx, t, c, openArgs{operation: "rehearse", dir: dir, pinned: args.pinned, builds: true, monitor: args.monitor})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return do(s)
}

// copyStack copies a rehearsed stack, while no other run changes it. What runs as containers is not copied.
func copyStack(to, from, stack string) (err error) {
	lock, err := engine.Acquire(from, stack, "read")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() && below == "run" {
			return filepath.SkipDir
		}
		target := filepath.Join(to, below)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular(), slices.Contains([]string{"lock", "owner.json"}, below), strings.HasSuffix(below, ".lock"):
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}

// replaceFiles makes a copy of what the images are built from, with the files that are replaced. It returns "" if none is.
func (t Target) replaceFiles() (root string, err error) {
	if len(t.WhatIf.Files) == 0 {
		return "", nil
	}
	c, err := configure(t)
	if err != nil {
		return "", err
	}
	if root, err = os.MkdirTemp("", "slipway-app-"); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(root))
			root = ""
		}
	}()
	names, contexts, err := c.copySources(root)
	if err != nil {
		return root, err
	}
	for _, flag := range t.WhatIf.Files {
		if err := replaceFile(root, flag, names, contexts); err != nil {
			return root, UsageError{fmt.Errorf("--file %s: %w", flag, err)}
		}
	}
	return root, nil
}

// copySources copies what the images are built from, and returns the names of the files and of their folders, from the project.
func (c *configuration) copySources(root string) (names, contexts []string, err error) {
	builds, err := site.Builds(c.stack, c.root)
	if err != nil {
		return nil, nil, fmt.Errorf("images: %w; nothing was done", err)
	}
	for _, b := range builds {
		folder := path.Clean(filepath.ToSlash(b.Context))
		read, err := b.Read()
		if err != nil {
			return nil, nil, fmt.Errorf("images: %w; nothing was done", err)
		}
		if err := read.Copy(filepath.Join(root, folder)); err != nil {
			return nil, nil, err
		}
		for _, f := range read.Files {
			names = append(names, path.Join(folder, f.Name))
		}
		names, contexts = append(names, path.Join(folder, b.Dockerfile)), append(contexts, folder)
	}
	slices.Sort(names)
	return slices.Compact(names), contexts, nil
}

// replaceFile replaces a file of the app, whose path is from the project or from the folder of the app.
func replaceFile(root, flag string, names, contexts []string) error {
	old, with, ok := strings.Cut(flag, "=")
	if !ok || old == "" || with == "" {
		return errors.New("expected PATH=FILE")
	}
	data, err := os.ReadFile(with)
	if err != nil {
		return err
	}
	old = path.Clean(filepath.ToSlash(old))
	candidates := []string{old}
	for _, folder := range contexts {
		candidates = append(candidates, path.Join(folder, old))
	}
	at := slices.IndexFunc(candidates, func(name string) bool { return slices.Contains(names, name) })
	if at < 0 {
		return fmt.Errorf("no image is built from the file %s%s", old, nearest(old, names))
	}
	target := filepath.Join(root, filepath.FromSlash(candidates[at]))
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	return os.WriteFile(target, data, info.Mode())
}

// nearest suggests the name that is most like another one.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/2+1
	for _, k := range known {
		for _, text := range []string{k, path.Base(k)} {
			if d := levenshtein.ComputeDistance(name, text); d < distance {
				best, distance = k, d
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// silence discards progress.
type silence struct{}

func (silence) Event(engine.Event)  {}
func (silence) Logf(string, ...any) {}
