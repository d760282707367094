package contracts

import (
	"net/netip"
	"slices"
	"strings"
)

// The options of command lines, and the addresses in them.

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// option is the value of an option, given as two words, with an equals sign, or with a letter and no blank. The last one counts.
func option(args []string, otherwise string, names ...string) string {
	if all := allOf(args, nil, names...); len(all) > 0 {
		return all[len(all)-1]
	}
	return otherwise
}

// allOf are all values of an option that may be repeated.
func allOf(args, otherwise []string, names ...string) []string {
	var all []string
	for n := 0; n < len(args); n++ {
		name, value, inline := strings.Cut(args[n], "=")
		switch {
		case slices.Contains(names, name) && inline:
			all = append(all, value)
		case slices.Contains(names, name) && n+1 < len(args):
			n++
			all = append(all, args[n])
		case len(args[n]) > 2 && args[n][0] == '-' && args[n][1] != '-' && slices.Contains(names, args[n][:2]):
			all = append(all, strings.TrimPrefix(args[n][2:], "="))
		}
	}
	if all == nil {
		return otherwise
	}
	return all
}

// bound are the listeners of addresses such as 0.0.0.0:8000, :8000, [::]:8000, 8000 or unix:/run/x.
func bound(addresses ...string) (all []listener, ok bool) {
	for _, a := range addresses {
		for _, prefix := range []string{"tcp://", "http://"} {
			a = strings.TrimPrefix(a, prefix)
		}
		if unknownWord(a) || strings.HasPrefix(a, "fd://") {
			return nil, false
		}
		if strings.HasPrefix(a, "unix:") || strings.HasPrefix(a, "/") {
			continue
		}
		host, port := "", a
		if at := strings.LastIndexByte(a, ':'); at >= 0 && !strings.HasSuffix(a, "]") {
			host, port = a[:at], a[at+1:]
		} else if _, isPort := number(a); !isPort {
			host, port = a, "8000"
		}
		if _, isPort := number(port); !isPort {
			return nil, false
		}
		all = append(all, listener{port: port, loopback: loopback(host)})
	}
	return all, true
}

// A listener is a port that a program of the image listens on.
type listener struct {
	port     string
	tls      bool
	loopback bool // only from inside the task
	binary   bool // a protocol of uWSGI's, not HTTP
}

func loopback(host string) bool {
	host = strings.Trim(host, "[]")
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
