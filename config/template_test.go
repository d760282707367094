package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestATemplateIsSplitAtItsNames(t *testing.T) {
	for _, c := range []struct {
		value string
		want  Template
	}{
		{"", nil},
		{"plain", Template{{Text: "plain"}}},
		{"{db.url}", Template{{Name: "db.url"}}},
		{"a{host}b{port}", Template{{Text: "a"}, {Name: "host"}, {Text: "b"}, {Name: "port"}}},
		{"{secret.API_KEY}", Template{{Name: "secret.API_KEY"}}},
		{"{{host}}", Template{{Text: "{host}"}}},
		{"{{{host}}}", Template{{Text: "{"}, {Name: "host"}, {Text: "}"}}},
		{"é{{}}{host}", Template{{Text: "é{}"}, {Name: "host"}}},
	} {
		got, err := ParseTemplate(c.value)
		if err != nil {
			t.Errorf("%q: %v", c.value, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.value, diff)
		}
	}
	for value, want := range map[string]string{
		"{":        "has a { without }: write {{ for a brace at character 1",
		"é}":       "has a } without {: write }} for a brace at character 2",
		"x{}":      "has braces without a name in them: write {{ and }} for braces at character 2",
		`{"a": 1}`: "has braces without a name in them: write {{ and }} for braces at character 1",
		"{a{b}":    "has braces without a name in them: write {{ and }} for braces at character 1",
		"{{host}":  "has a } without {: write }} for a brace at character 7",
	} {
		if _, err := ParseTemplate(value); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
}

func TestTemplates(t *testing.T) {
	const names = "bucket, connections, db.host, db.name, db.password, db.port, db.url, db.user, hosts, https, key, origins, " +
		"url and secret.NAME"
	secrets := "slipway:secrets: {API: {secure: AAABBB}}"
	for _, c := range []struct{ name, env, want string }{
		{"a name", `{DATABASE_URL: "{db.url}"}`, ""},
		{"a secret's name with a template", `{SECRET_KEY_BASE: x, DJANGO_SECRET_KEY: "{key}", PGPASSWORD: "{db.password}"}`, ""},
		{"a secret's name that is empty", `{AWS_S3_SECRET_ACCESS_KEY: ""}`, ""},
		{"access keys that are empty", `{AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: ""}`, ""},
		{"an access key", `{AWS_ACCESS_KEY_ID: x}`,
			"app.env.AWS_ACCESS_KEY_ID: is reserved by AWS: the SDK would use it instead of the task's role and region"},
		{"a secret's name with a literal", `{DJANGO_SECRET_KEY: "hunter2{{x}}"}`,
			"app.env.DJANGO_SECRET_KEY: has the name of a secret: slipway secret set DJANGO_SECRET_KEY --stack dev, got [secret]"},
		{"a URL of parts", `{DSN: "postgres://{db.user}:{db.password}@{db.host}/site"}`, ""},
		{"a URL with a literal user", `{DSN: "postgres://me:{secret.API}@{db.host}/site"}`, ""},
		{"a URL with a literal password", `{DSN: "postgres://{db.user}:hunter2@{db.host}/site"}`,
			"app.env.DSN: looks like a URL with a password: put it under slipway:secrets, got [secret]"},
		{"a misspelt name", `{DSN: "{db.uri}"}`, "app.env.DSN: has the unknown name {db.uri}; the names are " + names},
		{"a secret of the stack's", `{DSN: "{secret.API}"}`, ""},
		{"one that the stack has not", `{DSN: "{secret.OTHER}"}`,
			"app.env.DSN: has {secret.OTHER}, and OTHER is not in secrets: slipway secret set OTHER --stack dev"},
		{"JSON", `{SETTINGS: '{"a": 1}'}`,
			`app.env.SETTINGS: has braces without a name in them: write {{ and }} for braces at character 1, got "{\"a\": 1}"`},
		{"JSON with doubled braces", `{SETTINGS: '{{"host": "{hosts}"}}'}`, ""},
		{"connections", `{POOL: "{connections}"}`, ""},
		{"connections beside a secret", `{DSN: "{db.url}?pool={connections}"}`,
			"app.env.DSN: must not combine {connections} with a secret: use two variables"},
		{"two mistakes", `{A: "{x}", B: "{"}`, "app.env.A: has the unknown name {x}; the names are " + names +
			"\n" + `app.env.B: has a { without }: write {{ for a brace at character 1, got "{"`},
		{"a variable of Slipway's", `{SLIPWAY_HOST: x}`,
			"app.env.SLIPWAY_HOST: is reserved by Slipway: it sets variables that start with SLIPWAY_"},
		{"the settings module", `{DJANGO_SETTINGS_MODULE: x}`,
			"app.env.DJANGO_SETTINGS_MODULE: is set by Slipway: name the module in app.settings"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(written(t, "dev", in("slipway:app: {env: "+c.env+"}", secrets)), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseTemplate checks that what has no mistake is put together again from its parts.
func FuzzParseTemplate(f *testing.F) {
	for _, seed := range []string{"", "{db.url}", "{{", "}}", "{{{a}}}", "{", "}", "a{b}c", "é{x}", "\xff{x}"} {
		f.Add(seed)
	}
	brace := strings.NewReplacer("{", "{{", "}", "}}")
	f.Fuzz(func(t *testing.T, value string) {
		template, err := ParseTemplate(value)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, p := range template {
			if (p.Text == "") == (p.Name == "") {
				t.Fatalf("part %+v of %q", p, value)
			}
			if p.Name != "" {
				b.WriteString("{" + p.Name + "}")
			}
			b.WriteString(brace.Replace(p.Text))
		}
		if want := strings.ToValidUTF8(value, "\uFFFD"); strings.ToValidUTF8(b.String(), "\uFFFD") != want &&
			!strings.Contains(value, "\uFFFD") &&
			strings.ToValidUTF8(value, "") == value {
			t.Errorf("%q came back as %q", value, b.String())
		}
	})
}
