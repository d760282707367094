package contracts

import (
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

// An nginxConf is what matters of a configuration.
type nginxConf struct {
	known     bool              // all of it was read
	writes    map[string]string // path -> the directive that names it
	listens   []listener
	upstreams []string // host:port
	maxBody   string   // client_max_body_size
	servers   []directive
	headers   []directive // proxy_set_header of the whole http block

	readTimeout float64 // seconds that nginx waits for an answer, if it says so for a whole server; else 0

	keepalive  float64  // seconds; nginx's default is 75, and -1 is a value that was not read
	foreground bool     // daemon off
	faults     []string // for which nginx does not start
}

// nginxSwitches take exactly one argument: a forgotten semicolon makes it more.
var nginxSwitches = strings.Fields("sendfile tcp_nopush tcp_nodelay gzip_vary absolute_redirect autoindex ignore_invalid_headers " +
	"proxy_buffering proxy_request_buffering client_max_body_size keepalive_requests server_tokens worker_processes pid root " +
	"client_header_timeout client_body_timeout send_timeout default_type proxy_pass proxy_http_version daemon")

// nginxTop are the directives that belong to the top of the configuration.
var nginxTop = strings.Fields("events http worker_processes pid user daemon stream")

// accepts judges one directive of a block: "" is the top.
func (c *nginxConf) accepts(d directive, inside string) {
	switch {
	case slices.Contains([]string{"map", "geo", "types", "split_clients"}, inside): // values, not directives
	case inside != "" && slices.Contains(nginxTop, d.name):
		c.faults = append(c.faults, "\""+d.name+"\" directive is not allowed here")
	case inside == "" && slices.Contains([]string{"server", "location", "upstream"}, d.name):
		c.faults = append(c.faults, "\""+d.name+"\" directive is not allowed here")
	case slices.Contains(nginxSwitches, d.name) && len(d.args) != 1:
		c.faults = append(c.faults, "invalid number of arguments in \""+d.name+"\" directive")
	}
}

// seconds reads a time such as 75, 75s or 2m; -1 if it has another form.
func seconds(text string) float64 {
	unit := 1.0
	if rest, ok := strings.CutSuffix(text, "m"); ok {
		text, unit = rest, 60
	}
	if n, ok := number(strings.TrimSuffix(text, "s")); ok {
		return float64(n) * unit
	}
	return -1
}

// unclosed reports whether a configuration ends inside a block.
func unclosed(text string) bool {
	depth := 0
	for _, t := range nginxTokens(text) {
		switch t {
		case "{":
			depth++
		case "}":
			depth--
		}
	}
	return depth > 0
}

// nginx reads the configuration of an nginx.
func (i *Image) nginx(p process) nginxConf {
	c := nginxConf{known: true, keepalive: 75, writes: map[string]string{}}
	var args []string
	if len(p.argv) > 0 {
		args = p.argv[1:]
	}
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
	if p.rendered != nil && file == renderedPath {
		f, ok = File{Text: p.rendered.text}, p.rendered.known && p.rendered.fault == ""
	}
	if !ok || f.Text == "" {
		return nginxConf{writes: map[string]string{}}
	}
	if unclosed(f.Text) {
		c.faults = append(c.faults, "unexpected end of file, expecting \"}\"")
	}
	c.block(i, parseNginx(f.Text), set, "", 0)
	c.foreground = set["daemon"] == "off"
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
func (c *nginxConf) block(i *Image, all []directive, set map[string]string, inside string, depth int) {
	names := map[string]bool{}
	for _, d := range all {
		if d.name == "upstream" && len(d.args) > 0 {
			names[d.args[0]] = true
		}
	}
	for _, d := range all {
		c.accepts(d, inside)
		switch d.name {
		case "pid", "daemon", "error_log", "client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path",
			"access_log", "proxy_cache_path":
			if len(d.args) > 0 {
				set[d.name] = d.args[0]
			}
		case "keepalive_timeout":
			if len(d.args) > 0 && inside != "upstream" {
				c.keepalive = seconds(d.args[0])
			}
		case "proxy_read_timeout":
			if len(d.args) > 0 && (inside == "http" || inside == "server") {
				c.readTimeout = max(c.readTimeout, seconds(d.args[0]))
			}
		case "proxy_set_header":
			if inside == "http" {
				c.headers = append(c.headers, d)
			}
		case "client_max_body_size":
			if len(d.args) > 0 {
				c.maxBody = d.args[0]
			}
		case "include":
			c.include(i, d.args, set, inside, depth)
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
		c.block(i, d.all, set, d.name, depth)
	}
	c.upstreams = slices.DeleteFunc(c.upstreams, func(u string) bool { return names[u] })
}

func (c *nginxConf) include(i *Image, args []string, set map[string]string, inside string, depth int) {
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
			c.block(i, parseNginx(f.Text), set, inside, depth+1)
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
	c.listens = append(c.listens, listener{port: port, tls: slices.Contains(args, "ssl"), loopback: loopback(host)})
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
