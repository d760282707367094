package check

import (
	"regexp"
	"slices"
)

// facts are what the Python code says.
type facts struct {
	Python     string       `json:"python"`
	Entries    []entry      `json:"entries"`
	Settings   *settings    `json:"settings"`
	Reads      []variable   `json:"reads"`
	Unreadable []unreadable `json:"unreadable"`
	Followed   []string     `json:"followed"`
	Assumed    []unreadable `json:"assumed"` // what was read in place of what depends on a variable
}

// An entry is manage.py, or a module that a server loads.
type entry struct {
	File     string   `json:"file"`
	Settings string   `json:"settings"`
	Line     int      `json:"line"`
	Names    []string `json:"names"`
}

// settings are the settings module and its values.
type settings struct {
	Module   string           `json:"module"`
	File     string           `json:"file"`
	Complete bool             `json:"complete"` // a name that is not in it is not set
	Names    map[string]value `json:"names"`
}

// A variable is one that the settings read.
type variable struct {
	Name        string `json:"name"`
	Required    bool   `json:"required"`
	Sure        bool   `json:"sure"` // it is a variable for certain
	Conditional bool   `json:"conditional"`
	File        string `json:"file"`
	Line        int    `json:"line"`
}

type unreadable struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Why  string `json:"why"`

	Syntax string `json:"syntax"` // the parser's message, if the file does not parse
	Loaded bool   `json:"loaded"` // the settings always import the file
}

// A value is that of a setting in the environment that was given, and what else it may be.
type value struct {
	Known bool             `json:"known"`
	Value any              `json:"value"`
	List  []value          `json:"list"`
	Dict  map[string]value `json:"dict"`
	File  string           `json:"file"`
	Line  int              `json:"line"`
	Path  string           `json:"path"`  // of a path of this machine: from the project's folder, or absolute
	Reads []string         `json:"reads"` // the variables that it depends on
	Flags []string         `json:"flags"`
	Alts  []value          `json:"alts"` // what it is in other environments
}

func (v value) at() place             { return place{v.File, v.Line} }
func (v value) is(flag string) bool   { return slices.Contains(v.Flags, flag) }
func (v value) text() string          { s, _ := v.Value.(string); return s }
func (v value) isText() bool          { _, is := v.Value.(string); return v.Known && is }
func (v value) fixed() bool           { return v.Known && len(v.Reads) == 0 && len(v.Alts) == 0 }
func (v value) all() []value          { return append([]value{v}, v.Alts...) }
func (v value) get(name string) value { return v.Dict[name] }

// on reports whether the value is true, as Python understands it.
func (v value) on() bool {
	switch x := v.Value.(type) {
	case bool:
		return v.Known && x
	case string:
		return v.Known && x != "" && x != "0"
	}
	return false
}

// A development says that the web process uses settings for development.
type development struct {
	at            place
	module, other string // and those that it should use, if they are known
}

// A hollow module is a settings module without settings, such as an empty __init__.py. The modules of its package may be meant.
type hollow struct {
	at     place
	module string
	others []string // the most likely one first
}

// texts are the texts in a list, and whether all of it is known.
func (v value) texts() (texts []string, all bool) {
	all = true
	for _, i := range v.List {
		if i.isText() {
			texts = append(texts, i.text())
		} else {
			all = false
		}
	}
	return texts, all
}

func keysOf(m map[string]value) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// search finds a text in a value, in the environment that was given.
func (v value) search(form *regexp.Regexp, depth int) (value, bool) {
	if depth > 6 {
		return value{}, false
	}
	if v.isText() && form.MatchString(v.text()) {
		return v, true
	}
	for _, i := range v.List {
		if found, ok := i.search(form, depth+1); ok {
			return found, true
		}
	}
	for _, k := range slices.Sorted(keysOf(v.Dict)) {
		if found, ok := v.Dict[k].search(form, depth+1); ok {
			return found, true
		}
	}
	return value{}, false
}
