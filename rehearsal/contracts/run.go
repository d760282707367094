package contracts

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// What RUN does, as far as its commands are known.

var archive = regexp.MustCompile(`\.(tar|tgz|tar\.(gz|xz|bz2|zst)|txz|tbz2?)$`)

// harmless are commands that neither bring programs nor change owners, links or users.
var harmless = words(`: true false set cd export unset echo printf test [ sleep cat ls find gzip sed grep sort head tail wc id env pwd which
	command sync date uname getent exit umask trap apt-mark apt-cache update-ca-certificates ldconfig locale-gen dpkg-reconfigure
	hash sha256sum gpg pycompile python python3 if`)

// packages are the programs that system packages bring, where the name differs from the package's.
var packages = map[string]string{
	"curl": "curl", "wget": "wget", "bash": "bash", "git": "git", "nginx": "nginx", "nginx-light": "nginx", "nginx-core": "nginx",
	"nginx-full": "nginx", "procps": "ps pgrep pidof", "netcat-openbsd": "nc", "netcat-traditional": "nc", "iputils-ping": "ping",
	"util-linux-misc": "script", "util-linux": "script", "bsdutils": "script", "jq": "jq", "gcc": "gcc", "build-essential": "gcc make",
	"python3": "python3", "socat": "socat", "iproute2": "ip", "build-base": "gcc make", "gettext": "envsubst", "gettext-base": "envsubst",
	"tini": "tini", "dumb-init": "dumb-init", "perl": "perl",
}

// quiet are packages that bring no program that a health check or an entrypoint would name.
var quiet = regexp.MustCompile(`^(lib|python3?-|py3-|fonts-|ca-certificates|tzdata|locales|postgresql-(client|dev|libs)|musl|` +
	`linux-headers|zlib|openssl|gnupg|.*-dev$|.*-libs$|libpq)`)

// run follows one RUN.
func (s *stage) run(c *instructions.RunCommand) {
	if !c.PrependShell {
		s.command(c.CmdLine)
		return
	}
	text := strings.Join(c.CmdLine, " ")
	for _, f := range c.Files {
		text += "\n" + f.Data // a here-document is the script
	}
	for _, args := range s.simple(text) {
		s.command(args)
	}
}

// simple lists the simple commands of a script, with variables replaced. A word that is computed stays as it is written.
func (s *stage) simple(text string) [][]string {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return [][]string{{"unreadable"}}
	}
	var all [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		var args []string
		for _, w := range call.Args {
			args = append(args, s.expand(plain(text, w)))
		}
		all = append(all, args)
		return true
	})
	return all
}

// command applies one simple command.
func (s *stage) command(args []string) {
	for len(args) > 0 && (args[0] == "sudo" || args[0] == "exec" || args[0] == "time") {
		args = args[1:]
	}
	if len(args) == 0 {
		return
	}
	if isHelper(args) {
		s.helper(args[1:])
		return
	}
	flags, rest := split(args[1:])
	switch name := path.Base(args[0]); name {
	case "apt-get", "apt", "apk", "dnf", "yum", "microdnf":
		s.packages(rest)
	case "mkdir":
		for _, p := range rest {
			s.directory(s.at(p), s.user)
		}
	case "chown":
		s.chown(rest, strings.Contains(flags, "R"))
	case "chmod":
		s.chmod(rest)
	case "install":
		s.install(args[1:])
	case "ln":
		if n := len(rest); n >= 2 && strings.Contains(flags, "s") {
			s.image.Files[s.at(rest[n-1])] = File{Link: rest[0]}
		}
	case "rm":
		for _, p := range rest {
			s.remove(s.at(p))
		}
	case "useradd", "adduser":
		s.addUser(args[1:])
	case "usermod", "groupmod", "deluser", "userdel":
		for _, name := range rest {
			s.image.Users[name] = -1
		}
	case "groupadd", "addgroup", "groupdel", "delgroup":
	case "touch", "cp", "mv", "tar", "unzip":
		if n := len(rest); n > 0 {
			s.hide(path.Dir(s.at(rest[n-1])))
			s.hide(s.at(rest[n-1]))
		}
	case "pip", "pip3", "uv", "poetry", "npm", "yarn", "pipenv":
		s.hide("/usr/local/lib") // an environment of Python or Node has no system programs
		s.hide("/opt")
		if here := s.at("."); here != "/" {
			s.hide(here)
		}
	default:
		if !slices.Contains(harmless, name) {
			s.hide("/")
		}
	}
}

// split separates the options, as one string of letters, from the other arguments.
func split(args []string) (flags string, rest []string) {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			flags += strings.TrimLeft(a, "-")
		} else {
			rest = append(rest, a)
		}
	}
	return flags, rest
}

// packages follows a package manager: apt-get install, apk add.
func (s *stage) packages(args []string) {
	if len(args) == 0 || args[0] != "install" && args[0] != "add" {
		return
	}
	for _, p := range args[1:] {
		p, _, _ = strings.Cut(p, "=")
		programs, known := packages[p]
		for _, program := range strings.Fields(programs) {
			s.image.Programs[program] = true
		}
		if p == "nginx" || strings.HasPrefix(p, "nginx-") {
			s.image.Files["/var/lib/nginx"] = File{Mode: 0o755}
		}
		if !known && !quiet.MatchString(p) && !strings.HasPrefix(p, ".") {
			s.hide("/usr/bin") // and with it what its name does not say
		}
	}
}

func (s *stage) chown(args []string, deep bool) {
	if len(args) < 2 {
		return
	}
	owner := -1
	if n, ok := s.image.uid(args[0]); ok {
		owner = n
	}
	for _, p := range args[1:] {
		p = s.image.Real(s.at(p))
		for name, f := range s.image.Files {
			if (name == p || deep && within(name, p)) && f.Link == "" {
				f.Owner = owner
				s.image.Files[name] = f
			}
		}
		if _, ok := s.image.Files[p]; !ok {
			s.image.Files[p] = File{Owner: owner}
		}
	}
}

func (s *stage) chmod(args []string) {
	if len(args) < 2 {
		return
	}
	mode, ok := octal(args[0])
	for _, p := range args[1:] {
		p = s.image.Real(s.at(p))
		f, there := s.image.Files[p]
		switch {
		case ok:
			f.Mode = mode
		case strings.Contains(args[0], "w"):
			f.Mode |= 0o002 // a+w, o+w; u+w is too much, which only makes the judge milder
		}
		if there || ok {
			s.image.Files[p] = f
		}
	}
}

func octal(text string) (int, bool) {
	n, err := strconv.ParseInt(text, 8, 32)
	return int(n), err == nil && text != ""
}

// install follows install -d -o USER DIR and install FILE DEST.
func (s *stage) install(args []string) {
	owner, dir := s.user, false
	var rest []string
	for n := 0; n < len(args); n++ {
		switch a := args[n]; {
		case a == "-d":
			dir = true
		case (a == "-o" || a == "-g" || a == "-m") && n+1 < len(args):
			if n++; a == "-o" {
				owner = -1
				if uid, ok := s.image.uid(args[n]); ok {
					owner = uid
				}
			}
		case !strings.HasPrefix(a, "-"):
			rest = append(rest, a)
		}
	}
	for n, p := range rest {
		if dir {
			s.image.Files[s.image.Real(s.at(p))] = File{Owner: owner, Mode: 0o755}
		} else if n == len(rest)-1 {
			s.hide(path.Dir(s.at(p)))
		}
	}
}

func (s *stage) remove(p string) {
	if strings.ContainsAny(p, "*?[") {
		return
	}
	if f, ok := s.image.Files[p]; ok && f.Link != "" {
		s.image.Files[p] = File{Gone: true}
		return
	}
	p = s.image.Real(p)
	for name := range s.image.Files {
		if within(name, p) {
			s.image.Files[name] = File{Gone: true}
		}
	}
	s.image.Files[p] = File{Gone: true}
	if base := path.Base(p); slices.Contains(systemDirs, path.Dir(p)) {
		s.image.Programs[base] = false
	}
}

// addUser follows useradd and adduser.
func (s *stage) addUser(args []string) {
	uid, name := -1, ""
	for n := 0; n < len(args); n++ {
		a, value, inline := strings.Cut(args[n], "=")
		switch {
		case a == "-u" || a == "--uid":
			if !inline && n+1 < len(args) {
				n++
				value = args[n]
			}
			if v, ok := number(value); ok {
				uid = v
			}
		case strings.HasPrefix(a, "-"):
			if !inline && slices.Contains(withValue, a) {
				n++
			}
		default:
			if name == "" || slices.Contains(args[:n], "-G") {
				name = a
			}
		}
	}
	if name != "" && uid < 0 {
		uid = s.image.nextUser()
	}
	if name != "" {
		s.image.Users[name] = uid
	}
}

// nextUser stands for the number of a user that useradd chooses. Numbers below -1 are not those of the image, but differ as they do.
func (i *Image) nextUser() int {
	next := -2
	for _, n := range i.Users {
		next = min(next, n-1)
	}
	return next
}

// withValue are the options of useradd and adduser that take a value.
var withValue = words(`-g --gid -G --groups -d --home --home-dir -h -s --shell -c --comment -k -K --ingroup --gecos -b -e -f -p`)
