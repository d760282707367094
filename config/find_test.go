package config

import (
	"strings"
	"testing"
)

func TestFindSaysHowAValueIsRead(t *testing.T) {
	for _, c := range []struct {
		key  string
		path []any
		want Kind
	}{
		{"slipway:domain", nil, Text},
		{"slipway:protect", nil, Plain},
		{"slipway:web", nil, Composite},
		{"slipway:web", []any{"max"}, Plain},
		{"slipway:web", []any{"healthPath"}, Text},
		{"slipway:app", []any{"env", "SITE_TITLE"}, Text},
		{"slipway:app", []any{"env"}, Composite},
		{"slipway:app", []any{"port"}, Plain},
		{"slipway:app", []any{"migrate", "commands", 0}, Composite},
		{"slipway:app", []any{"migrate", "commands", 0, 1}, Text},
		{"slipway:workers", []any{0, "command"}, Composite},
		{"slipway:workers", []any{0, "command", 1}, Text},
		{"slipway:workers", []any{0, "count"}, Plain},
		{"slipway:github", []any{"branches", 0}, Text},
		{"aws:region", nil, Text},
		{"aws:allowedAccountIds", nil, Composite},
		{"aws:allowedAccountIds", []any{0}, Text},
		{"aws:s3UsePathStyle", nil, Plain},
		{"pulumi:tags", []any{"team"}, Text},
	} {
		if got, err := Find("slipway", c.key, c.path); err != nil || got != c.want {
			t.Errorf("%s %v is %d, %v, want %d", c.key, c.path, got, err, c.want)
		}
	}
}

func TestFindNamesTheKeyThatWasMeant(t *testing.T) {
	for _, c := range []struct {
		key  string
		path []any
		want string
	}{
		{"slipway:web", []any{"mx"}, "did you mean web.max?"},
		{"slipway:web", []any{"Max"}, "did you mean web.max?"},
		{"slipway:wbe", []any{"max"}, "did you mean web?"},
		{"slipway:cidr", nil, "did you mean network.cidr?"},
		{"slipway:multiAZ", nil, "did you mean database.multiAz?"},
		{"slipway:database", []any{"multiZone"}, "is now database.multiAz"},
		{"slipway:env", []any{"A"}, "is now app.env"},
		{"slipway:images", []any{"app"}, "is now app.path"},
		{"slipway:images", []any{"nginxDockerfile"}, "unknown key: nginx is Slipway's own image now; app.nginx configures it"},
		{"slipway:database", []any{"password"}, "unknown key: Slipway generates the password; raise rotation to get a new one"},
		{"slipway:workers", []any{0, "cout"}, "did you mean workers[0].count?"},
		{"slipway:network", []any{"something"}, "unknown key; valid keys are cidr, zones, nat"},
		{"slipway:workers", []any{"name"}, "workers is a list: name an item, such as workers[0]"},
		{"slipway:web", []any{0}, "web is not a list"},
		{"slipway:web", []any{"max", "x"}, `web.max is not an object; a name with a dot is written as ["a.b"]`},
		{"slipway:tags", []any{"a", "b"}, `tags.a is not an object; a name with a dot is written as ["a.b"]`},
		{"aws:regoin", nil, "unknown key, did you mean aws:region?"},
		{"aws:assumeRoles", nil, "is not read by Slipway: name the role"},
		{"gcp:project", nil, "unknown namespace; Slipway reads slipway and aws"},
	} {
		if _, err := Find("slipway", c.key, c.path); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want %q", c.key, c.path, err, c.want)
		}
	}
}
