package cloud

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Name is how a resource is named in AWS.
type Name struct {
	Input  string // the input property that holds the name: "name", "bucket", "identifier"
	Prefix string // the input that holds a prefix instead, if the provider has one
	Lead   string // what a generated name begins with: "alias/"
	Manual bool   // the provider never generates the name; it stays empty, or AWS chooses one
	Max    int    // the longest name that AWS takes, in characters
	Lower  bool   // lower case only
	Form   string // regular expression of the whole name; "" for any
	Taken  string // AWS's error code when the name exists: "EntityAlreadyExists"
	Scope  string // "" unique in account and region per type; "global"; or the input within whose value it is unique ("cluster")
}

func (n Name) taken() string {
	if n.Taken != "" {
		return n.Taken
	}
	return "ResourceAlreadyExistsException"
}

// prefixed adds support for a name prefix: the provider appends the time and a counter, 26 characters in all.
func prefixed(k Kind) Kind {
	const added = 26
	name, check, compute := k.Name, k.Check, k.Compute
	k.Check = func(in Inputs, unknown Unknowns) []Problem {
		var p []Problem
		if check != nil {
			p = check(in, unknown)
		}
		prefix := in.String(name.Prefix)
		if n := len(prefix); name.Max > 0 && n > name.Max-added {
			p = append(p, problem(name.Prefix, "a name has at most %d characters, and the provider appends %d: expected at most %d, got %d",
				name.Max, added, name.Max-added, n))
		}
		if prefix != "" && in.String(name.Input) != "" {
			p = append(p, problem(name.Prefix, "only one of %s and %s may be given", name.Input, name.Prefix))
		}
		return p
	}
	k.Compute = func(a *Account, o *Object) error {
		if prefix := Inputs(o.Inputs).String(name.Prefix); o.Outputs[name.Input] == nil && prefix != "" {
			o.Outputs[name.Input] = kept(a, o, name.Input, func() any {
				return prefix + a.now().UTC().Format("20060102150405") + "0000" + draw(8, fresh(a, o)...)
			})
		}
		return compute(a, o)
	}
	return k
}

func (k *rule) checkName(in Inputs) []Problem {
	name := in.String(k.Name.Input)
	if k.Name.Input == "" || name == "" {
		return nil
	}
	n := utf8.RuneCountInString(name)
	switch {
	case k.Name.Max > 0 && n > k.Name.Max:
		return []Problem{{k.Name.Input, fmt.Sprintf("expected %s to have at most %d characters, got %d (%q)", k.Name.Input, k.Name.Max, n, name)}}
	case k.Name.Lower && name != strings.ToLower(name):
		return []Problem{{k.Name.Input, fmt.Sprintf("expected %s to be in lower case, got %q", k.Name.Input, name)}}
	case k.Name.Form != "":
		if ok, err := regexp.MatchString("^(?:"+k.Name.Form+")$", name); err != nil || !ok {
			return []Problem{{k.Name.Input, fmt.Sprintf("%q is not a name that AWS takes for a %s: expected the form %s", name,
				noun(k.Type), k.Name.Form)}}
		}
	}
	return nil
}

// autoname generates a name as the provider does: the logical name, "-" and 7 hexadecimal digits. It keeps the name that was
// generated before.
func (k *rule) autoname(e *entry, news map[string]any, r CheckRequest) *Problem {
	n := k.Name
	if n.Input == "" || n.Manual || slices.Contains(e.Required, n.Input) {
		return nil
	}
	if news[n.Input] != nil || n.Prefix != "" && news[n.Prefix] != nil {
		return nil
	}
	if old, ok := r.Olds[n.Input]; ok && wasDefault(r.Olds, n.Input) {
		news[n.Input], news[defaultsMark] = old, []any{n.Input}
		return nil
	}
	name := r.Name
	if name == "" {
		if r.Unnamed {
			return nil
		}
		name = r.URN[strings.LastIndex(r.URN, "::")+1:]
		name = strings.TrimPrefix(name, ":")
		if n.Max > 0 && len(n.Lead)+len(name)+8 > n.Max {
			return &Problem{n.Input, fmt.Sprintf("%q with 8 further characters is longer than the %d characters that the name of a %s "+
				"may have: set %s, or give the resource a shorter name", name, n.Max, noun(k.Type), n.Input)}
		}
		name += "-" + suffix(r.RandomSeed)
	}
	if n.Lower {
		name = strings.ToLower(name)
	}
	if in, _, _ := plainInputs(news); in.Bool("fifoQueue") || in.Bool("fifoTopic") {
		name += ".fifo"
	}
	name = n.Lead + name
	news[n.Input], news[defaultsMark] = name, []any{n.Input}
	return nil
}

func wasDefault(olds map[string]any, name string) bool {
	l, _ := olds[defaultsMark].([]any)
	return slices.Contains(l, any(name))
}

func suffix(seed []byte) string {
	if len(seed) == 0 {
		seed = make([]byte, 16)
		rand.Read(seed)
	}
	sum := sha256.Sum256(seed)
	return hex.EncodeToString(sum[:])[:7]
}

// name is the name of an object, "" if its type has none.
func (k *rule) name(o *Object) string {
	if k.Name.Input == "" {
		return ""
	}
	for _, m := range []Inputs{o.Outputs, o.Inputs} {
		if s := m.String(k.Name.Input); s != "" {
			return s
		}
	}
	return ""
}

// keepsName reports whether the program sets the name and does not change it: then old and new cannot exist at once.
func (k *rule) keepsName(d Difference, changes []PropertyChange) bool {
	name := k.Name.Input
	if name == "" || k.Name.Manual || d.News[name] == nil || wasDefault(d.News, name) {
		return false
	}
	return !slices.ContainsFunc(changes, func(c PropertyChange) bool { return c.Path == name })
}
