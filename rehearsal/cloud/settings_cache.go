package cloud

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What the environment of tasks says about a cache must be true: whether it speaks TLS, on which port, and with which password.

const (
	cacheTLSPage  = "ElastiCache User Guide, \"In-transit encryption (TLS)\""
	cacheAuthPage = "ElastiCache User Guide, \"Authenticating with the Valkey and Redis OSS AUTH command\""
)

// cacheVariables judges each URL of a cache in a container's variables and secrets. It never quotes the URL, which has the password.
func (a *Account) cacheVariables(d deployed, c containerSpec) []Finding {
	values := a.valuesOf(c)
	var found []Finding
	for _, e := range values {
		address, err := url.Parse(e.Value)
		if err != nil || address.Scheme != "redis" && address.Scheme != "rediss" {
			continue
		}
		for _, o := range a.list(cacheType) {
			out := Inputs(o.Outputs)
			host := address.Hostname()
			if host == "" || !slices.Contains([]string{out.String("primaryEndpointAddress"), out.String("readerEndpointAddress"),
				out.String("configurationEndpointAddress")}, host) {
				continue
			}
			if f := cacheMistake(out, address); f != nil {
				found = append(found, d.finding(f.code, f.message, f.fix, f.source,
					fmt.Sprintf("container %s connects to %s with its variable %s", c.Name, o.describe(), e.Name), f.why))
			}
		}
	}
	return append(found, a.lockedOut(d, c, values)...)
}

// valuesOf are the variables of a container with their values, secret ones included.
func (a *Account) valuesOf(c containerSpec) []namedValue {
	values := slices.Clone(c.Environment)
	for _, s := range c.Secrets {
		if p := find(a, "arn", s.ValueFrom, parameterType); p != nil {
			values = append(values, namedValue{Name: s.Name, Value: Inputs(p.Outputs).String("value")})
		}
	}
	return values
}

// secureCaches are the variables of a container with the URL of a Redis that speaks TLS, and what it says in ssl_cert_reqs.
func (a *Account) secureCaches(c containerSpec) map[string]string {
	all := map[string]string{}
	for _, e := range a.valuesOf(c) {
		if address, err := url.Parse(e.Value); err == nil && address.Scheme == "rediss" {
			all[e.Name] = address.Query().Get("ssl_cert_reqs")
		}
	}
	return all
}

type cacheFault struct{ code, message, fix, source, why string }

// cacheMistake is the first reason why a client cannot use the cache at an address; nil if it can. The messages are those of redis-py
// and Valkey.
func cacheMistake(cache Inputs, address *url.URL) *cacheFault {
	tls := cache.Bool("transitEncryptionEnabled") && cache.String("transitEncryptionMode") != "preferred"
	password, has := address.User.Password()
	token := cache.String("authToken")
	switch port := strconv.Itoa(cache.Int("port")); {
	case orElse(address.Port(), "6379") != port:
		return &cacheFault{"ConnectionError", "Connection refused", "use port " + port, cacheReach, "the cache listens on port " + port}
	case tls && address.Scheme == "redis":
		return &cacheFault{"ConnectionError", "Connection closed by server", "begin the URL with rediss://", cacheTLSPage,
			"transitEncryptionEnabled is true: it takes TLS only"}
	case !cache.Bool("transitEncryptionEnabled") && address.Scheme == "rediss":
		return &cacheFault{"SSLError", "[SSL: WRONG_VERSION_NUMBER] wrong version number", "set transitEncryptionEnabled to true", cacheTLSPage,
			"the cache does not speak TLS"}
	case token != "" && !has:
		return &cacheFault{"AuthenticationError", "NOAUTH Authentication required.", "put the cache's token into the URL", cacheAuthPage,
			"the cache has an authToken"}
	case token == "" && has && password != "":
		return &cacheFault{"AuthenticationError", "ERR AUTH <password> called without any password configured for the default user",
			"set authToken, or take the password out of the URL", cacheAuthPage, "the cache has no authToken: anyone who reaches it may read it"}
	case token != "" && password != token:
		return &cacheFault{"AuthenticationError", "WRONGPASS invalid username-password pair or user is disabled.",
			"use the token that the cache has", cacheAuthPage, "the password in the URL is not its authToken"}
	case strings.EqualFold(address.Query().Get("ssl_cert_reqs"), "none") && address.Scheme == "rediss":
		return &cacheFault{"ssl_cert_reqs", "the client takes any certificate: who can redirect its traffic reads the password",
			"set ssl_cert_reqs=required", cacheTLSPage, "ssl_cert_reqs is none"}
	}
	return nil
}

const cacheReach = "ElastiCache User Guide, \"Accessing your cluster or replication group\""

// lockedOut: with the strategy SET a new token is the only one at once, and tasks that run have the one from their start.
func (a *Account) lockedOut(d deployed, c containerSpec, values []namedValue) []Finding {
	if d.service == nil {
		return nil
	}
	var found []Finding
	for _, o := range a.list(cacheType) {
		out := Inputs(o.Outputs)
		token := out.String("authToken")
		if strategy := out.String("authTokenUpdateStrategy"); token == "" || strategy != "SET" && strategy != "DELETE" ||
			!slices.ContainsFunc(values, func(e namedValue) bool { return strings.Contains(e.Value, token) }) {
			continue
		}
		found = append(found, d.finding("AuthenticationError", "the next rotation locks out the tasks that run: WRONGPASS",
			"set authTokenUpdateStrategy to ROTATE, which keeps the previous token", cacheAuthPage+", rotating the token",
			fmt.Sprintf("container %s uses %s, whose authTokenUpdateStrategy is %s; tasks read secrets only when they start", c.Name, o.describe(),
				out.String("authTokenUpdateStrategy"))))
	}
	return found
}
