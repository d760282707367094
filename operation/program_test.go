package operation

import "testing"

func TestIsProgram(t *testing.T) {
	engine := map[string]string{"PULUMI_MONITOR": "127.0.0.1:40000", "PULUMI_ENGINE": "127.0.0.1:40001"}
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want bool
	}{
		"the Pulumi CLI starts it":         {nil, engine, true},
		"a command in the CLI's shell":     {[]string{"up"}, engine, false},
		"a shell":                          {nil, nil, false},
		"a shell with settings for Pulumi": {nil, map[string]string{"PULUMI_BACKEND_URL": "file://x", "PULUMI_MONITOR": "x"}, false},
	} {
		if got := IsProgram(c.args, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
