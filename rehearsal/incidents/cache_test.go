package incidents_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// cached are the settings of a site whose app uses a cache.
var cached = map[string]string{
	"slipway:cache": `{"node":"cache.t4g.micro","replicas":1}`,
	"slipway:app":   `{"env":{"REDIS_URL":"{redis.url}","CACHE_HOST":"{redis.host}"}}`,
}

const (
	cacheKind = "ReplicationGroup"
	auth      = "ElastiCache guide, Authenticating with the AUTH command"
)

// withoutRule removes a rule of the firewall.
func withoutRule(kind, name string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		_, err := a.Remove(o.Type, o.ID)
		must(t, err)
	}
}

// url changes the stored URL of the cache, as the site's tasks get it.
func url(old, new string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, "Parameter", "environment-site/REDIS_URL")
		value, _ := o.Outputs["value"].(string)
		if !strings.Contains(value, old) {
			t.Fatalf("the URL has no %q", old)
		}
		set("Parameter", "environment-site/REDIS_URL", "value", strings.Replace(value, old, new, 1))(t, a)
	}
}

// unfitCaches are mistakes of which AWS refuses none: tasks find them when they connect.
var unfitCaches = []struct {
	failure, source string
	plant           plant
	resource, code  string
	says            string
}{
	{"a cache without TLS", "ElastiCache guide, In-transit encryption", set(cacheKind, "cache", "transitEncryptionEnabled", false), "web",
		"SSLError", "does not speak TLS"},
	{"a URL without TLS", "ElastiCache guide, In-transit encryption", url("rediss://", "redis://"), "web", "ConnectionError",
		"takes TLS only"},
	{"a cache without a password", auth, set(cacheKind, "cache", "authToken", nil), "web", "AuthenticationError", "has no authToken"},
	{"another password", auth, set(cacheKind, "cache", "authToken", "another-password-of-the-cache"), "web", "AuthenticationError",
		"is not its authToken"},
	{"a URL of another port", "ElastiCache guide, Accessing your cluster", url(":6379", ":6380"), "web", "ConnectionError",
		"listens on port 6379"},
	{"certificates are not checked", "ElastiCache guide, In-transit encryption", url("ssl_cert_reqs=required", "ssl_cert_reqs=none"), "web",
		"ssl_cert_reqs", "is none"},
	{"a rotation that locks out the tasks that run", auth, set(cacheKind, "cache", "authTokenUpdateStrategy", "SET"), "web",
		"AuthenticationError", "only when they start"},
	{"the cache does not admit web tasks", "ElastiCache guide, Troubleshooting connections",
		withoutRule("SecurityGroupIngressRule", "network-web-to-cache-6379-in"), "web", "Timeout", "6379"},
	{"web tasks do not open connections to the cache", "ElastiCache guide, Troubleshooting connections",
		withoutRule("SecurityGroupEgressRule", "network-web-to-cache-6379-out"), "web", "Timeout", "6379"},
	{"the cache does not admit workers and jobs", "ElastiCache guide, Troubleshooting connections",
		withoutRule("SecurityGroupIngressRule", "network-work-to-cache-6379-in"), "job-clean-up", "Timeout", "6379"},
	{"an alarm on a node that does not exist", "CloudWatch guide, missing data",
		within("MetricAlarm", "alarm-cache-memory", "dimensions", change{"CacheClusterId": "other-001"}), "alarm-cache-memory",
		"INSUFFICIENT_DATA", "the account has no such"},
}

// Each mistake is found, and nothing is found in the site as the program declares it. No message quotes the password.
func TestUnfitCaches(t *testing.T) {
	folder := deployed(t, "prod", cached)
	whole := account(t, folder)
	if found := whole.Findings(); len(found) > 0 {
		t.Fatalf("a site with a cache: %s", list(found))
	}
	token, _ := named(t, whole, cacheKind, "cache").Outputs["authToken"].(string)
	if len(token) < 16 {
		t.Fatal("the cache has no token")
	}
	for _, c := range unfitCaches {
		t.Run(c.failure, func(t *testing.T) {
			a := account(t, folder)
			c.plant(t, a)
			var said []string
			for _, f := range a.Findings() {
				text := fmt.Sprint(f.Resource, f.Code, f.Message, f.Fix, f.Chain)
				if strings.Contains(text, token) {
					t.Error("a finding quotes the password")
				}
				if strings.HasSuffix(string(f.Resource), "::"+c.resource) && f.Code == c.code && strings.Contains(text, c.says) && f.Source != "" {
					return
				}
				said = append(said, text)
			}
			t.Errorf("no finding of %s on %s says %q (%s):\n%s", c.code, c.resource, c.says, c.source, strings.Join(said, "\n"))
		})
	}
}
