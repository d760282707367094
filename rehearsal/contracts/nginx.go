package contracts

import (
	"net/netip"
	"path"
	"slices"
	"strings"
)

// What nginx's configuration says about its files, its ports and the servers behind it.

// A directive is one instruction of nginx's configuration.
type directive struct {
	name string
	args []string
	all  []directive // of a block
}

// parseNginx reads a configuration. A file that ends early has what was read so far: whether nginx accepts it is not judged here.
func parseNginx(text string) []directive {
	tokens := nginxTokens(text)
	all, _ := nginxBlock(tokens, 0)
	return all
}

func nginxTokens(text string) []string {
	var all []string
	for n := 0; n < len(text); {
		switch c := text[n]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			n++
		case c == '#':
			for n < len(text) && text[n] != '\n' {
				n++
			}
		case strings.IndexByte("{};", c) >= 0:
			all = append(all, string(c))
			n++
		case c == '"' || c == '\'':
			end := n + 1
			for end < len(text) && text[end] != c {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			all = append(all, " "+text[n+1:min(end, len(text))]) // a space keeps a quoted brace from being one
			n = end + 1
		default:
			end := n
			for end < len(text) && strings.IndexByte(" \t\r\n;", text[end]) < 0 && (text[end] != '{' || end > n && text[end-1] == '$') {
				end++
			}
			all = append(all, text[n:end])
			n = end
		}
	}
	return all
}

func nginxBlock(tokens []string, from int) (all []directive, next int) {
	var words []string
	for n := from; n < len(tokens); n++ {
		switch tokens[n] {
		case ";", "{", "}":
			if len(words) > 0 {
				all = append(all, directive{name: words[0], args: words[1:]})
				words = nil
			}
			if tokens[n] == "}" {
				return all, n
			}
			if tokens[n] == "{" && len(all) > 0 {
				all[len(all)-1].all, n = nginxBlock(tokens, n+1)
			}
		default:
			words = append(words, strings.TrimPrefix(tokens[n], " "))
		}
	}
	return all, len(tokens)
}

// A listener is a port that a program of the image listens on.
type listener struct {
	port     string
	tls      bool
	loopback bool // only from inside the task
}

// An nginxConf is what matters of a configuration.
type nginxConf struct {
	known     bool              // all of it was read
	writes    map[string]string // path -> the directive that names it
	listens   []listener
	upstreams []string // host:port
	maxBody   string   // client_max_body_size
	servers   []directive
}

// nginx reads the configuration of an nginx that runs with the arguments.
func (i *Image) nginx(args []string) nginxConf {
	c := nginxConf{known: true, writes: map[string]string{}}
	file, set := "/etc/nginx/nginx.conf", map[string]string{}
	for n := 0; n+1 < len(args); n++ {
		switch args[n] {
		case "-c":
			file = args[n+1]
		case "-e":
			set["error_log"] = args[n+1]
		case "-g":
			for _, d := range parseNginx(args[n+1]) {
				if len(d.args) > 0 {
					set[d.name] = d.args[0]
				}
			}
		}
	}
	f, ok := i.file(file)
	if !ok || f.Text == "" {
		return nginxConf{writes: map[string]string{}}
	}
	c.block(i, parseNginx(f.Text), set, 0)
	defaults := i.nginxOf()
	if c.known = c.known && defaults != nil; defaults != nil {
		for name, p := range defaults.temp {
			orSet(set, name, p)
		}
		orSet(set, "pid", defaults.pid)
		orSet(set, "error_log", defaults.errorLog)
	}
	for name, p := range set {
		if writes := name == "pid" || strings.HasSuffix(name, "_temp_path") || strings.HasSuffix(name, "_log") ||
			name == "proxy_cache_path"; writes &&
			path.IsAbs(p) {
			c.writes[path.Clean(p)] = name
		}
	}
	return c
}

func orSet(m map[string]string, name, value string) {
	if m[name] == "" {
		m[name] = value
	}
}

// block collects a block's directives. Includes are read where the image's files are known.
func (c *nginxConf) block(i *Image, all []directive, set map[string]string, depth int) {
	names := map[string]bool{}
	for _, d := range all {
		if d.name == "upstream" && len(d.args) > 0 {
			names[d.args[0]] = true
		}
	}
	for _, d := range all {
		switch d.name {
		case "pid", "error_log", "client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path",
			"access_log", "proxy_cache_path":
			if len(d.args) > 0 {
				set[d.name] = d.args[0]
			}
		case "client_max_body_size":
			if len(d.args) > 0 {
				c.maxBody = d.args[0]
			}
		case "include":
			c.include(i, d.args, set, depth)
		case "listen":
			if len(d.args) > 0 {
				c.listen(d.args)
			}
		case "server":
			if len(d.all) == 0 && len(d.args) > 0 { // of an upstream
				c.upstreams = append(c.upstreams, d.args[0])
			} else if len(d.args) == 0 {
				c.servers = append(c.servers, d)
			}
		case "proxy_pass", "uwsgi_pass", "fastcgi_pass", "grpc_pass":
			if len(d.args) > 0 {
				c.pass(d.args[0])
			}
		}
		c.block(i, d.all, set, depth)
	}
	c.upstreams = slices.DeleteFunc(c.upstreams, func(u string) bool { return names[u] })
}

func (c *nginxConf) include(i *Image, args []string, set map[string]string, depth int) {
	if len(args) == 0 || strings.HasSuffix(args[0], "mime.types") || depth > 8 {
		return
	}
	pattern := args[0]
	if !path.IsAbs(pattern) {
		pattern = path.Join("/etc/nginx", pattern)
	}
	found := false
	for name, f := range i.Files {
		if ok, _ := path.Match(pattern, name); ok && !f.Gone {
			found = true
			if f.Text == "" {
				c.known = false
			}
			c.block(i, parseNginx(f.Text), set, depth+1)
		}
	}
	if !found && !i.Complete && (i.opaque(path.Dir(pattern)) || baseOf(i.Base) == nil) {
		c.known = false
	}
}

// listen follows "listen 8080 default_server", "listen [::]:443 ssl".
func (c *nginxConf) listen(args []string) {
	host, port := "", args[0]
	if strings.HasPrefix(port, "unix:") {
		return
	}
	if at := strings.LastIndexByte(port, ':'); at >= 0 && !strings.HasSuffix(port, "]") {
		host, port = port[:at], port[at+1:]
	} else if _, ok := number(port); !ok {
		host, port = port, "80"
	}
	c.listens = append(c.listens, listener{port, slices.Contains(args, "ssl"), loopback(host)})
}

func loopback(host string) bool {
	host = strings.Trim(host, "[]")
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (c *nginxConf) pass(to string) {
	if _, rest, ok := strings.Cut(to, "://"); ok {
		to = rest
	}
	to, _, _ = strings.Cut(to, "/")
	if to != "" && !strings.Contains(to, "$") {
		c.upstreams = append(c.upstreams, to)
	}
}
