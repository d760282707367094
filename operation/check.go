package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"slipway/check"
	"slipway/config"
	"slipway/rehearsal/finding"
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
	o := check.Options{Path: path}
	var mistakes error
	if root != "" {
		t.Root = root
		c, err := configure(t)
		app := written(t)
		if err == nil {
			app = c.stack.App
		}
		if own := ownProject(t, app); path == "" || same(path, filepath.Join(root, app.Path)) {
			o, mistakes = own, err
		}
		if err == nil && (o.App.Own || t.Stack != DefaultStack) {
			o.Stack, o.App.Env, o.Project = stackOf(t, c), app.Env, c.stack.Project
		} else if t.Stack != DefaultStack {
			mistakes = err
		}
	}
	report, err := check.Run(ctx, o)
	switch {
	case err != nil:
		return nil, errors.Join(mistakes, err)
	case mistakes == nil && report.Refused:
		return report, fmt.Errorf("the project in %s would not run as it is", cmp.Or(path, report.Path))
	}
	return report, mistakes
}

// A Warning is a finding of a check that does not keep the project from running.
type Warning = finding.Finding

// An Unfit is a project that would not run. Nothing was created.
type Unfit struct {
	Folder   string
	Findings []finding.Finding // what is refused
	warnings string            // what a report says about the rest, "" if there is none
}

func (u *Unfit) Error() string {
	all := []string{"the project in " + u.Folder + " would not run as it is; nothing was created:"}
	for _, f := range u.Findings {
		all = append(all, "  "+strings.ReplaceAll(f.String(), "\n", "\n  "))
	}
	return strings.Join(all, "\n") + u.warnings
}

// fit checks the project that the stack builds, and refuses what would not run. The findings are the warnings. Nothing is checked if
// nothing is built.
func (c *configuration) fit(ctx context.Context, t Target) ([]finding.Finding, error) {
	folder, refused, warnings, err := c.examine(ctx, t)
	if err != nil {
		return nil, err
	}
	rest := ""
	if n := len(warnings); n > 0 {
		rest = fmt.Sprintf("%s in the project; see them with: slipway check", some(n, false, "warning"))
		if t.Stack != DefaultStack {
			rest += " --stack " + t.Stack
		}
	}
	switch {
	case len(refused) > 0 && rest != "":
		are := "are"
		if len(warnings) == 1 {
			are = "is"
		}
		return nil, &Unfit{folder, refused, "\nThere " + are + " also " + rest}
	case len(refused) > 0:
		return nil, &Unfit{folder, refused, ""}
	case rest != "":
		t.Progress.Logf("Check: %s", rest)
	}
	return warnings, nil
}

// fitOr is fit for a project that is built. A release has its images already, which may be of another commit than the folder. So it is
// only warned of what would be refused: the stack may lack a variable that the release needs as well.
func (c *configuration) fitOr(ctx context.Context, t Target, p *pinned) ([]finding.Finding, error) {
	if p == nil {
		return c.fit(ctx, t)
	}
	_, refused, _, err := c.examine(ctx, t)
	if err != nil || len(refused) == 0 {
		return nil, nil // a release can be deployed from a folder without the project
	}
	lines := []string{fmt.Sprintf("Warning: with the project in this folder, slipway check would refuse stack %s:", t.Stack)}
	for _, f := range refused {
		lines = append(lines, "  "+strings.ReplaceAll(f.String(), "\n", "\n  "))
	}
	t.Progress.Logf("%s\nRelease %s may be of another commit, so this does not stop it.", strings.Join(lines, "\n"), p.release.ID)
	return nil, nil
}

// examine checks the project that the stack builds.
func (c *configuration) examine(ctx context.Context, t Target) (folder string, refused, warnings []finding.Finding, err error) {
	if c.stack.Images.Django != "" {
		return "", nil, nil, nil
	}
	o := ownProject(t, c.stack.App)
	o.Project = c.stack.Project
	o.Stack = stackOf(t, c)
	if cache, err := os.UserCacheDir(); err == nil {
		o.Cache = filepath.Join(cache, "slipway", "settings")
	}
	report, err := check.Run(ctx, o)
	if err != nil {
		return "", nil, nil, err
	}
	if folder, err = filepath.Rel(t.Root, o.Path); err != nil {
		folder = o.Path
	}
	folder = filepath.ToSlash(folder)
	for _, f := range report.Findings {
		if one := judged(folder, f); f.Severity == check.Refused {
			refused = append(refused, one)
		} else {
			warnings = append(warnings, one)
		}
	}
	return folder, refused, warnings, nil
}

// judged is a finding of a check in the format of all findings.
func judged(folder string, f check.Finding) finding.Finding {
	at := f.File
	switch {
	case at == "":
		at = folder
	case !strings.HasPrefix(at, "Pulumi.") && !strings.HasPrefix(at, "app."):
		at = filepath.ToSlash(filepath.Join(folder, at))
	}
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, f.Line)
	}
	fix := strings.TrimSuffix(f.Fix, ".")
	if first, size := utf8.DecodeRuneInString(fix); size > 0 {
		fix = string(unicode.ToLower(first)) + fix[size:]
	}
	return finding.Finding{Resource: at, Code: f.Check, Message: f.Reason, Chain: []string{}, Fix: fix}
}

// ownProject is how the stack's own project is checked: the folder that has all of it, with the paths from there.
func ownProject(t Target, app config.App) check.Options {
	context := filepath.Join(t.Root, cmp.Or(app.Context, app.Path))
	project := filepath.Join(t.Root, app.Path)
	root := around(context, project)
	if app.Dockerfile != "" {
		root = around(root, filepath.Dir(filepath.Join(context, app.Dockerfile)))
	}
	from := func(at string) string {
		rel, err := filepath.Rel(root, at)
		if err != nil {
			return at
		}
		return filepath.ToSlash(rel)
	}
	own := check.App{
		Own: true, Path: from(project), Context: from(context), Target: app.Target, Args: app.Args, Settings: app.Settings, Manage: app.Manage,
		Overlay: app.Overlay, Env: app.Env, Entrypoint: app.Entrypoint, Command: app.Command, Port: app.Port, Writable: app.Writable,
		Packages: app.Packages,
		Static:   check.Static{Serve: app.Static.Serve, URL: app.Static.URL},
	}
	if app.Dockerfile != "" {
		own.Dockerfile = from(filepath.Join(context, app.Dockerfile))
	}
	return check.Options{Path: root, App: own}
}

// around is the nearest folder that contains two others.
func around(a, b string) string {
	for {
		if rel, err := filepath.Rel(a, b); err == nil && (rel == "." || filepath.IsLocal(rel)) || a == filepath.Dir(a) {
			return a
		}
		a = filepath.Dir(a)
	}
}

// stackOf is what a check needs to know about the stack.
func stackOf(t Target, c *configuration) *check.Stack {
	s := &check.Stack{
		Name: t.Stack, Protected: c.stack.Protect, Domain: c.stack.Domain, Region: c.stack.Region, Secrets: c.stack.SecretNames,
		Cache: c.stack.Cache.Node != "", Bootstrapped: c.stack.Backend.Bucket != "",
	}
	for _, w := range c.stack.Workers {
		s.Workers = append(s.Workers, check.Worker{Name: w.Name, Command: w.Command, Count: w.Count, Single: w.Single})
	}
	text, _ := os.ReadFile(c.file)
	s.Sources = []check.Source{{File: filepath.Base(c.file), Text: string(text)}, {File: "Pulumi.yaml", Text: string(c.project)}}
	return s
}

// written is the app as it is written, in a configuration that has mistakes.
func written(t Target) config.App {
	app := config.App{Path: "app"}
	var paths struct{ Path, Context, Dockerfile string }
	if source, err := config.FromProject(t.Root, t.Stack); err == nil {
		paths.Path, paths.Context, paths.Dockerfile = source.AppText("path"), source.AppText("context"), source.AppText("dockerfile")
	}
	for _, words := range t.Overrides {
		switch key, value, _ := strings.Cut(words, "="); key {
		case "app.path":
			paths.Path = value
		case "app.context":
			paths.Context = value
		case "app.dockerfile":
			paths.Dockerfile = value
		}
	}
	app.Path, app.Context, app.Dockerfile = cmp.Or(paths.Path, app.Path), paths.Context, paths.Dockerfile
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
