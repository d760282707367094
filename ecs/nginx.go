package ecs

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NginxPort is the port on which nginx takes the balancer's requests: Port, unless the app listens there. The containers of a task
// share one network interface.
func NginxPort(app int) int {
	if app == Port {
		return Port + 1
	}
	return Port
}

// A Proxy says how nginx serves the site in front of the app. Its image is the same for every project; what differs is in its
// environment.
type Proxy struct {
	Host         pulumi.StringInput // the site's, which health checks name
	Region       string
	HealthPath   string             // the app's path for health checks; "": none
	MaxBody      int                // of a request, in MB
	Timeout      int                // seconds that the app may take
	StaticURL    string             // "/static/"
	StaticBucket pulumi.StringInput // keeps static files of earlier releases; nil: the app serves them itself

	Headers                map[string]string // of every response
	LimitPaths, CachePaths []string          // exactly one path, or with a * at its end all that begin with it
}

// IdleSeconds is how long the balancer keeps a connection that is idle: not less than the app may take.
func (p Proxy) IdleSeconds() int { return max(idleSeconds, p.Timeout) }

// environment is that of nginx's container. ECS keeps no variable with an empty value for certain, so there is none.
func (p Proxy) environment(app int) map[string]pulumi.StringInput {
	env := map[string]pulumi.StringInput{"AWS_REGION": pulumi.String(p.Region), "SLIPWAY_HOST": p.Host}
	for name, value := range map[string]string{
		"SLIPWAY_PORT": strconv.Itoa(NginxPort(app)), "SLIPWAY_APP_PORT": strconv.Itoa(app),
		"SLIPWAY_HEALTH_PATH": cmp.Or(p.HealthPath, "/"),
		"SLIPWAY_MAX_BODY":    fmt.Sprintf("%dm", p.MaxBody), "SLIPWAY_TIMEOUT": fmt.Sprintf("%ds", p.Timeout),
		// Longer than the balancer's idle timeout, so that it is the balancer that closes connections; otherwise it sometimes
		// answers 502 (Application Load Balancer guide, "Troubleshoot", HTTP 502).
		"SLIPWAY_KEEPALIVE":  fmt.Sprintf("%ds", p.IdleSeconds()+15),
		"SLIPWAY_STATIC_URL": p.StaticURL,
		"SLIPWAY_HEADERS":    headers(p.Headers), "SLIPWAY_LIMITS": limits(p.LimitPaths), "SLIPWAY_CACHES": caches(p.CachePaths),
	} {
		if value != "" {
			env[name] = pulumi.String(value)
		}
	}
	if p.StaticBucket != nil {
		env["SLIPWAY_STATIC_BUCKET"] = p.StaticBucket
	}
	return env
}

// quote is a string of nginx's configuration. A $ cannot be quoted there; the configuration allows none.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func headers(all map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, "add_header "+name+" "+quote(all[name])+" always;")
	}
	return strings.Join(lines, "\n")
}

// limits are entries of a map from method and path to the address that is counted. Strings in a map match in any case, regular
// expressions do not.
func limits(paths []string) string {
	var lines []string
	for _, path := range paths {
		prefix, all := strings.CutSuffix(path, "*")
		form := "~^POST " + regexp.QuoteMeta(prefix)
		if !all {
			form += "$"
		}
		lines = append(lines, `"`+form+`" $binary_remote_addr;`)
	}
	return strings.Join(lines, "\n")
}

// caches are locations. A prefix with ^~ comes before locations with regular expressions.
func caches(paths []string) string {
	var lines []string
	for _, path := range paths {
		form := "= "
		prefix, all := strings.CutSuffix(path, "*")
		if all {
			form = "^~ "
		}
		lines = append(lines, "location "+form+quote(prefix)+" { include /etc/nginx/slipway.cached; }")
	}
	return strings.Join(lines, "\n")
}
