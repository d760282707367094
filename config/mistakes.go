package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// A Mistake is one error in a configuration.
type Mistake struct {
	Key   string // such as network.zones or workers[1].name
	Value string // what was found, as shown to the user, with secrets masked; empty if there is nothing to show
	Rule  string // what is allowed, such as "must be 2 or 3"
	File  string // the file it was read from, if any
	Line  int    // the line in File, from 1; 0 if unknown
}

// String is the mistake on one line: network.zones: must be 2 or 3, got 5.
func (m Mistake) String() string {
	s := m.Rule
	if m.Key != "" {
		s = m.Key + ": " + s
	}
	if m.Value != "" {
		s += ", got " + m.Value
	}
	switch {
	case m.File != "" && m.Line > 0:
		return fmt.Sprintf("%s:%d: %s", m.File, m.Line, s)
	case m.File != "":
		return m.File + ": " + s
	}
	return s
}

// Mistakes are all the errors in one configuration, sorted by key. Error prints one per line.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (m Mistakes) sorted() Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.Rule, b.Rule)
	})
	return m
}

const masked = "[secret]"

// quoted formats a string for a mistake: on one line, shortened, and masked if it looks like a secret.
func quoted(s string) string {
	const most = 80
	if secretText(s) != "" {
		return masked
	}
	if len(s) > most {
		cut := most
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		return strconv.Quote(s[:cut]) + fmt.Sprintf("... (%d bytes)", len(s))
	}
	return strconv.Quote(s)
}

// nearest is the known name that is most similar to name, or "" if none is close.
func nearest(name string, known []string) string {
	if len(name) > 64 {
		return ""
	}
	best, distance := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// either joins alternatives: "2 or 3", "a, b or c".
func either(all []string) string {
	if len(all) == 1 {
		return all[0]
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}
