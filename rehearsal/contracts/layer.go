package contracts

import (
	"fmt"
)

// What Slipway's program does while an image is built.

// helper follows a RUN of Slipway's program.
func (s *stage) helper(args []string) {
	if s.image.Has(helperPath) == No {
		s.err = fmt.Errorf("RUN %s: no such file or directory", helperPath)
		return
	}
	if len(args) == 0 {
		return
	}
	note := option(args[1:], "/opt/slipway/user/id", "--note")
	switch args[0] {
	case "whoami": // notes who runs it, for install
		owner := s.user
		if s.image.User == "" && !s.image.known() {
			owner = -1
		}
		s.put(note, File{Owner: owner, Mode: 0o644, Text: s.image.User + "\n"})
	case "install":
		uid := -1
		if given := option(args[1:], "", "--user"); given != "" {
			uid, _ = s.image.uid(given)
		} else if noted, ok := s.image.file(note); ok && noted.Text != "" {
			uid = noted.Owner
		} else {
			s.err = fmt.Errorf("RUN %s install: %s does not name the image's user", helperPath, note)
		}
		s.installHelper(uid, allOf(args[1:], nil, "--writable"))
	case "collect":
		if into := option(args[1:], "", "--into"); into != "" {
			s.directory(into, s.user)
			s.hide(into)
		}
		s.hide(s.at("."))
	}
}

// installHelper makes the user and the directories that it writes.
func (s *stage) installHelper(uid int, writable []string) {
	if s.user != 0 {
		s.err = fmt.Errorf("RUN %s install: it needs root, and USER is %s", helperPath, s.image.User)
		return
	}
	if uid == 0 {
		uid = rootsStandIn
	}
	s.image.Users[helperUser] = uid
	s.image.Files["/tmp"] = File{Owner: uid, Mode: 0o1777}
	for _, p := range execPaths {
		s.directory(p, 0)
	}
	for _, p := range writable {
		if link, target := s.image.Link(p); link != "" {
			s.err = fmt.Errorf("RUN %s install: %s is a symbolic link to %s", helperPath, link, target)
			return
		}
		s.directory(p, uid)
		for name, f := range s.image.Files {
			if within(name, p) && f.Link == "" && !f.Gone {
				f.Owner = uid
				s.image.Files[name] = f
			}
		}
	}
}
