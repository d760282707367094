package contracts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What nginx answers a health check itself, without a program behind it. Sources: ngx_http_core_module, "location" and "listen";
// ngx_http_rewrite_module, "if" and "return".

// A reply is a status that nginx's configuration returns.
type reply struct {
	code int
	by   string // the directives that return it
}

// answer is what a port's server returns for a health check, which comes over HTTP, without X-Forwarded-Proto, and with an address as
// Host: a load balancer's has no other headers (Elastic Load Balancing guide, "Health checks for Application Load Balancer target
// groups"). It is not ok if a program behind nginx answers, or if the configuration leaves that open.
func (c nginxConf) answer(port string, t *Target) (reply, bool) {
	if !c.known {
		return reply{}, false
	}
	s := c.serverOf(port)
	if s == nil {
		return reply{}, false
	}
	if r, sure := returned(s.all, t.Protocol, ""); !sure || r.code != 0 {
		return r, sure
	}
	target, _, _ := strings.Cut(t.Path, "?")
	l, sure := locationOf(s.all, target)
	if l == nil || !sure {
		return reply{}, false
	}
	r, sure := returned(l.all, t.Protocol, "location "+strings.Join(l.args, " ")+": ")
	return r, sure && r.code != 0
}

// passed are the headers with which nginx passes a health check on, by their names in lower case. ok is false if nginx answers it itself,
// or if that is not known. A block with a proxy_set_header of its own inherits none (ngx_http_proxy_module).
func (c nginxConf) passed(port, target string) (headers map[string]string, ok bool) {
	s := c.serverOf(port)
	if !c.known || s == nil {
		return nil, false
	}
	target, _, _ = strings.Cut(target, "?")
	l, sure := locationOf(s.all, target)
	if l == nil || !sure {
		return nil, false
	}
	has := func(all []directive, name string) bool {
		return slices.ContainsFunc(all, func(d directive) bool { return d.name == name })
	}
	if !has(l.all, "proxy_pass") || has(l.all, "include") || has(s.all, "include") {
		return nil, false
	}
	headers = map[string]string{}
	for _, all := range [][]directive{l.all, s.all, c.headers} {
		if !has(all, "proxy_set_header") {
			continue
		}
		for _, d := range all {
			if d.name == "proxy_set_header" && len(d.args) == 2 {
				headers[strings.ToLower(d.args[0])] = d.args[1]
			}
		}
		break
	}
	return headers, true
}

// serverOf is the server that answers requests for an unknown host on a port: the default server, or else the first.
func (c nginxConf) serverOf(port string) *directive {
	var first *directive
	for n, s := range c.servers {
		for _, d := range s.all {
			if d.name != "listen" || len(d.args) == 0 {
				continue
			}
			var l nginxConf
			if l.listen(d.args); len(l.listens) == 0 || l.listens[0].port != port {
				continue
			}
			if slices.Contains(d.args, "default_server") {
				return &c.servers[n]
			}
			if first == nil {
				first = &c.servers[n]
			}
		}
	}
	return first
}

// returned is what a block returns before anything else happens. It is not sure if a condition or a rewrite decides.
func returned(all []directive, protocol, by string) (r reply, sure bool) {
	for _, d := range all {
		switch d.name {
		case "return":
			if len(d.args) > 0 {
				// "return URL" is a redirect with 302.
				code, ok := number(d.args[0])
				if !ok {
					code = 302
				}
				return reply{code, by + "return " + d.args[0]}, true
			}
		case "rewrite", "try_files":
			return reply{}, false
		case "if":
			holds, known := holds(d.args, protocol)
			if !known {
				return reply{}, false
			}
			if !holds {
				continue
			}
			if r, sure := returned(d.all, protocol, by+"if "+strings.Join(d.args, " ")+": "); !sure || r.code != 0 {
				return r, sure
			}
		}
	}
	return reply{}, true
}

// holds decides the condition of an if for a health check.
func holds(args []string, protocol string) (result, known bool) {
	words := strings.Fields(strings.Trim(strings.TrimSpace(strings.Join(args, " ")), "()"))
	if len(words) == 0 {
		return false, false
	}
	var value string
	switch words[0] {
	case "$http_x_forwarded_proto":
	case "$scheme":
		value = strings.ToLower(protocol)
	case "$https":
		if protocol == "HTTPS" {
			value = "on"
		}
	case "$request_method":
		value = "GET"
	default:
		return false, false
	}
	switch {
	case len(words) == 1:
		return value != "" && value != "0", true
	case len(words) != 3:
		return false, false
	case words[1] == "=":
		return value == words[2], true
	case words[1] == "!=":
		return value != words[2], true
	}
	return false, false
}

// locationOf is the location for a path: an exact one, the longest prefix if it has ^~, the first regular expression, or the longest
// prefix. It is not sure if Go cannot read a regular expression that comes before.
func locationOf(all []directive, target string) (found *directive, sure bool) {
	var longest *directive
	length := -1
	for n, d := range all {
		if d.name != "location" || len(d.args) == 0 {
			continue
		}
		kind, pattern := "", d.args[len(d.args)-1]
		if len(d.args) == 2 {
			kind = d.args[0]
		}
		switch {
		case kind == "=" && pattern == target:
			return &all[n], true
		case (kind == "" || kind == "^~") && strings.HasPrefix(target, pattern) && len(pattern) > length:
			longest, length = &all[n], len(pattern)
		}
	}
	if longest != nil && longest.args[0] == "^~" {
		return longest, true
	}
	for n, d := range all {
		if d.name != "location" || len(d.args) != 2 || d.args[0] != "~" && d.args[0] != "~*" {
			continue
		}
		pattern := d.args[1]
		if d.args[0] == "~*" {
			pattern = "(?i)" + pattern
		}
		matches, err := regexp.Compile(pattern)
		if err != nil {
			return nil, false
		}
		if matches.MatchString(target) {
			return &all[n], true
		}
	}
	return longest, true
}

// healthy reports whether a matcher of a target group admits a code.
func healthy(matcher string, code int) bool {
	for _, part := range strings.Split(matcher, ",") {
		low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from <= code && code <= to {
			return true
		}
	}
	return false
}
