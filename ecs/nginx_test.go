package ecs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func TestWhatNginxIsToldOfAProject(t *testing.T) {
	g := record(t, sample())
	want := map[string]string{
		"AWS_REGION": "us-east-1", "SLIPWAY_HOST": "www.example.com", "SLIPWAY_PORT": "8080", "SLIPWAY_APP_PORT": "8000",
		"SLIPWAY_HEALTH_PATH": "/healthz", "SLIPWAY_MAX_BODY": "25m", "SLIPWAY_TIMEOUT": "60s", "SLIPWAY_KEEPALIVE": "75s",
		"SLIPWAY_STATIC_URL": "/static/", "SLIPWAY_STATIC_BUCKET": "media",
		"SLIPWAY_HEADERS": `add_header Content-Security-Policy "default-src 'self'" always;` + "\n" + `add_header X-Quoted "a\"b\\c" always;`,
		"SLIPWAY_LIMITS":  `"~^POST /log-in/$" $binary_remote_addr;` + "\n" + `"~^POST /account\.v2/" $binary_remote_addr;`,
		"SLIPWAY_CACHES": `location ^~ "/media/" { include /etc/nginx/slipway.cached; }` + "\n" +
			`location = "/logo.png" { include /etc/nginx/slipway.cached; }`,
	}
	if diff := cmp.Diff(want, env(containers(t, g, "web-task")["nginx"])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w := sample()
	w.web.Proxy = Proxy{Host: pulumi.String("www.example.com"), Region: "us-east-1", MaxBody: 1, Timeout: 300, StaticURL: "/static/"}
	got := env(containers(t, record(t, w), "web-task")["nginx"])
	for _, absent := range []string{"SLIPWAY_STATIC_BUCKET", "SLIPWAY_HEADERS", "SLIPWAY_LIMITS", "SLIPWAY_CACHES"} {
		if value, there := got[absent]; there {
			t.Errorf("%s is %q, although there is nothing to say", absent, value)
		}
	}
	if got["SLIPWAY_KEEPALIVE"] != "315s" || got["SLIPWAY_HEALTH_PATH"] != "/" {
		t.Errorf("with a timeout of 300 s and no path for health checks: %v", got)
	}
}

func TestHealthChecksAskTheHelper(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*WebArgs)
		app    string
		nginx  string
		port   float64
	}{
		"a path":            {func(*WebArgs) {}, "--port=8000 --path=/healthz --below=400", "8080", 8080},
		"no path":           {func(w *WebArgs) { w.Proxy.HealthPath = "" }, "--port=8000 --path=/ --below=500", "8080", 8080},
		"a connection":      {func(w *WebArgs) { w.TCP = true }, "--port=8000 --tcp", "8080", 8080},
		"the port of nginx": {func(w *WebArgs) { w.Port = 8080 }, "--port=8080 --path=/healthz --below=400", "8081", 8081},
	} {
		t.Run(name, func(t *testing.T) {
			w := sample()
			c.change(&w.web)
			g := record(t, w)
			all := containers(t, g, "web-task")
			command := func(container string) string {
				var words []string
				for _, word := range all[container]["healthCheck"].(map[string]any)["command"].([]any) {
					words = append(words, word.(string))
				}
				return strings.Join(words, " ")
			}
			if got, want := command("django"), "CMD /opt/slipway/helper health "+c.app; got != want {
				t.Errorf("django is asked by %q, want %q", got, want)
			}
			if got, want := command("nginx"), "CMD /opt/slipway/helper health --port="+c.nginx+" --path=/.slipway/nginx --below=400"; got != want {
				t.Errorf("nginx is asked by %q, want %q", got, want)
			}
			expect(t, g, serviceToken, "web", map[string]any{"loadBalancers": []any{map[string]any{
				"containerName": "nginx", "containerPort": c.port,
				"targetGroupArn": "arn:aws:lb:us-east-1:123456789012:targetGroup/balancer-targets",
			}}})
		})
	}
}

// nginx waits until the app is healthy. The agent must not give up before ECS would call the app unhealthy.
func TestASlowStartIsWaitedFor(t *testing.T) {
	w := sample()
	w.web.Start = 300
	all := containers(t, record(t, w), "web-task")
	if got := all["django"]["startTimeout"].(float64); got <= 300+30 {
		t.Errorf("nginx waits %v s for an app that may take 300", got)
	}
	if got := all["django"]["healthCheck"].(map[string]any)["startPeriod"]; got != 300.0 {
		t.Errorf("start period is %v", got)
	}
}

func TestTheBalancerTakesWhatTheAppIsAskedFor(t *testing.T) {
	w := sample()
	w.balancer.Strict, w.balancer.Port, w.balancer.IdleSeconds = true, 8081, 300
	g := record(t, w)
	expect(t, g, "aws:lb/targetGroup:TargetGroup", "balancer-targets", map[string]any{"port": 8081.0, "healthCheck.matcher": "200-399"})
	expect(t, g, "aws:lb/loadBalancer:LoadBalancer", "balancer", map[string]any{"idleTimeout": 300.0})
	if idle := record(t, sample()).Named("aws:lb/loadBalancer:LoadBalancer", "balancer").Input("idleTimeout"); idle != nil {
		t.Errorf("the default of the balancer is set: %v", idle)
	}
}

func TestTheMigrationRunsTheHelper(t *testing.T) {
	w := sample()
	w.migration.Program.Entrypoint = []string{"/entrypoint"}
	c := containers(t, record(t, w), "migration-task")["django"]
	if diff := cmp.Diff([]any{[]any{"/opt/slipway/helper"}, []any{"migrate"}}, []any{c["entryPoint"], c["command"]}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
