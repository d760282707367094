package check

import (
	"slices"
	"strings"
	"testing"
)

// A public blog and the way it was deployed, with every defect that its author had to find one by one.
func TestEachDefectOfTheBlog(t *testing.T) {
	needPython(t)
	folder, a := t.TempDir(), read(t, "fixture-literal.txtar")
	write(t, folder, a)
	r := run(t, options(t, folder, "stack bare\n"+located(part(a, "app"))))
	for _, d := range []struct {
		severity        Severity
		check, at, says string
	}{
		{Refused, "database-engine", "blog/site_app/settings.py", "django.db.backends.mysql"},
		{Refused, "module-missing", "blog/entrypoint.sh", "blog_project.wsgi"},
		{Refused, "debug-on", "blog/site_app/settings.py", "DEBUG is True"},
		{Refused, "hosts-fixed", "blog/site_app/settings.py", "localhost"},
		{Refused, "secret-key-in-code", "blog/site_app/settings.py", "SECRET_KEY"},
		{Refused, "media-on-disk", "blog/posts/models.py", "disk of a task"},
		{Refused, "entrypoint-arguments", "blog/entrypoint.sh", "whatever command"},
		// The site runs with these.
		{Warning, "migrates-at-start", "blog/entrypoint.sh", "migrate runs"},
		{Warning, "superuser-no-password", "blog/entrypoint.sh", "DJANGO_SUPERUSER_PASSWORD"},
		{Warning, "infra-endpoint", "terraform/main.tf", "endpoint"},
		{Warning, "infra-default-password", "terraform/main.tf", "db_password"},
		{Warning, "infra-plan-file", "terraform/tfplan", ""},
		{Warning, "pipeline-repository", ".github/workflows/app.yml", "blogapp"},
		{Warning, "pipeline-after-failure", ".github/workflows/app.yml", ""},
		{Warning, "pipeline-unset-variable", ".github/workflows/app.yml", "AWS_ACCOUNT_ID"},
		{Warning, "pipeline-task-definition", ".github/workflows/app.yml", ""},
		{Warning, "pipeline-moving-tag", ".github/workflows/app.yml", "latest"},
		{Warning, "pipeline-static-keys", ".github/workflows/app.yml", ""},
		{Warning, "pipeline-not-serial", ".github/workflows/app.yml", ""},
		{Warning, "pipeline-differs", ".github/workflows/app.yml", "region"},
		{Warning, "pipeline-differs", ".github/workflows/destroy.yml", "terraform_version"},
	} {
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
			return f.Check == d.check && f.Severity == d.severity && f.File == d.at && strings.Contains(f.Reason, d.says)
		}) {
			t.Errorf("%s is not %s at %s", d.check, d.severity, d.at)
		}
	}
	// One refusal is left for each defect that is not mended.
	o := options(t, folder, part(a, "app"))
	for _, d := range []struct {
		change func(*App)
		breaks string
	}{
		{func(a *App) { a.Overlay = without(a.Overlay, "DATABASES") }, "database-engine"},
		{func(a *App) { a.Overlay = without(a.Overlay, "SECRET_KEY") }, "secret-key-in-code"},
		{func(a *App) { a.Overlay = without(a.Overlay, "DEBUG") }, "debug-on"},
		{func(a *App) { a.Overlay = without(a.Overlay, "ALLOWED_HOSTS") }, "hosts-fixed"},
		{func(a *App) { a.Overlay = without(a.Overlay, "MEDIA") }, "media-on-disk"},
		{func(a *App) { a.Command = []string{"gunicorn", "blog_project.wsgi:application"} }, "module-missing"},
		{func(a *App) { a.Entrypoint = nil }, "entrypoint-arguments"},
		{func(*App) {}, "driver-not-installed"},
		{func(*App) {}, "storage-not-installed"},
	} {
		app := o.App
		d.change(&app)
		r := run(t, Options{Path: folder, App: app, Stack: o.Stack})
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Check == d.breaks && f.Severity == Refused }) {
			t.Errorf("%s is not refused:\n%s", d.breaks, shown(r))
		}
	}
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}
