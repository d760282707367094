package operation

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/check"
	"slipway/config"
)

// Check reads a Django project and says what would keep it from running, without building or starting anything. Path is its folder; ""
// is the one that the stack's configuration names. Any other folder is checked for itself, unless a stack is named for it.
//
// There is a report even if the project is refused, or the stack's configuration has mistakes: that is the error.
func Check(ctx context.Context, t Target, path string) (*check.Report, error) {
	root, err := FindRoot()
	if err != nil && path == "" {
		return nil, err
	}
	o := check.Options{Path: path, Prepared: true}
	var mistakes error
	if root != "" {
		t.Root = root
		own, err := stackProject(t, o)
		if named := t.Stack != DefaultStack; path == "" || same(path, own.Path) {
			o, mistakes = own, err
		} else if named {
			o.Stack, mistakes = own.Stack, err
		}
	}
	report, err := check.Run(ctx, o)
	switch {
	case err != nil:
		return nil, err
	case mistakes == nil && report.Refused:
		return report, fmt.Errorf("the project in %s would not run as it is", cmp.Or(path, report.Path))
	}
	return report, mistakes
}

// stackProject is how the stack's own project is checked.
func stackProject(t Target, o check.Options) (check.Options, error) {
	own := o
	own.Context = "."
	c, err := configure(t)
	app := written(t)
	if err == nil {
		app = c.stack.App
	}
	own.Path, own.Dockerfile, own.Args = filepath.Join(t.Root, app.Path), app.Dockerfile, app.Args
	if err != nil {
		return own, err
	}
	text, _ := os.ReadFile(c.file)
	own.Stack = &check.Stack{
		Name: t.Stack, File: filepath.Base(c.file), Text: string(text), Protected: c.stack.Protect, Domain: c.stack.Domain,
		Env: map[string]*string{"AWS_REGION": &c.stack.Region},
	}
	for _, name := range c.stack.SecretNames {
		own.Stack.Env[name] = nil
	}
	for name, value := range c.stack.App.Env {
		own.Stack.Env[name] = &value
	}
	return own, nil
}

// written is the app as it is written, in a configuration that has mistakes.
func written(t Target) config.App {
	app := config.App{Path: "app"}
	for _, words := range t.Overrides {
		if key, value, _ := strings.Cut(words, "="); key == "app.path" {
			app.Path = value
		}
	}
	return app
}

// same reports whether two paths lead to one folder.
func same(a, b string) bool {
	one, err := os.Stat(strings.TrimSpace(a))
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
