package check

import (
	"fmt"
	"slices"
	"strings"
)

// A Severity says what a finding means for a deployment.
type Severity string

// The severities of findings.
const (
	Refused Severity = "refused" // the site would not run, would lose data, or would be open to everyone
	Warning Severity = "warning"
)

// A Finding is something in the project that should change.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"` // its code, one of Checks
	File     string   `json:"file"`  // from the folder that was checked
	Line     int      `json:"line"`  // 0: the whole file
	Reason   string   `json:"reason"`
	Fix      string   `json:"fix"`

	writable string // the path that app.writable would have to name
	variable string // that has no value
}

// An Unknown is something that could not be checked.
type Unknown struct {
	File string `json:"file"`
	Line int    `json:"line"`
	What string `json:"what"` // what is not known
	Why  string `json:"why"`
}

// A Report is all that is wrong with a project.
type Report struct {
	Path       string    `json:"path"`
	Dockerfile string    `json:"dockerfile"`          // from Path; "" if there is none
	Generated  string    `json:"generated,omitempty"` // the list of packages from which a Dockerfile is generated
	Target     string    `json:"target"`              // the stage that would run
	Settings   string    `json:"settings"`            // the settings module of the web process
	Python     string    `json:"python"`              // the version that read it; "" if none did
	Refused    bool      `json:"refused"`
	Findings   []Finding `json:"findings"` // the refused ones first
	Unknown    []Unknown `json:"unknown"`
}

// Options say what to check.
type Options struct {
	Path string // the folder
	App  App
	// Project is the name of the stack's project, for commands in messages; "" if it is not known.
	Project string
	Stack   *Stack // where it would be deployed; nil if that is not known

	// Cache is a folder for what Python read, so that it is not asked again while nothing has changed; "" keeps nothing.
	Cache string
	// LookPath finds a program on this machine; nil looks on the PATH.
	LookPath func(name string) (string, error)
}

// A Stack is what a check needs to know about the place of a deployment.
type Stack struct {
	Name      string
	Sources   []Source // its configuration, for messages: the file of the stack first
	Protected bool
	Domain    string
	Region    string
	Secrets   []string // names that the app gets from the stack's secrets
	Workers   []Worker
	Cache     bool // it has cache.node

	Bootstrapped bool // its secrets can be encrypted for its account
}

// A Worker is a process that the stack runs beside the web service.
type Worker struct {
	Name    string
	Command []string
	Count   int
	Single  bool // never two tasks at once
}

// A Source is a file of the configuration.
type Source struct{ File, Text string }

// A project is what is known about the folder.
type project struct {
	Options
	tree   *tree
	image  *dockerImage
	start  *start
	facts  *facts
	needs  *dependencies
	report *Report

	developing *development
	hollow     *hollow
	// ungenerated says why no Dockerfile can be generated for a project that has none.
	ungenerated string
	lacking     []string // the packages that are missing for that
	lackingFrom string   // the file that does not list them
}

// refuse adds a finding with the severity of its check, which fix may replace.
func (p *project) find(code string, at place, format string, args ...any) *Finding {
	c := checkOf(code)
	p.report.Findings = append(p.report.Findings, Finding{
		Severity: c.Severity, Check: code, File: at.file, Line: at.line, Reason: fmt.Sprintf(format, args...), Fix: c.Fix,
	})
	return &p.report.Findings[len(p.report.Findings)-1]
}

func (p *project) unknown(file string, line int, what, why string) {
	p.report.Unknown = append(p.report.Unknown, Unknown{file, line, what, why})
}

// severe refuses what a protected stack must not have, and warns elsewhere.
func (p *project) severe() Severity {
	if p.Stack != nil && p.Stack.Protected {
		return Refused
	}
	return Warning
}

// provided reports whether the stack, the image or Slipway sets a variable.
func (p *project) provided(name string) bool {
	value, set := p.environment()[name]
	return set && (value == nil || *value != "" || p.stackSets(name))
}

// stackSets reports whether app.env or a secret of the stack sets a variable.
func (p *project) stackSets(name string) bool {
	if p.Stack == nil {
		return false
	}
	_, set := p.App.Env[name]
	return set || slices.Contains(p.Stack.Secrets, name)
}

// unconfigured is the severity of what a key of app.* has to say: of a project that is not the stack's own, it only warns.
func (p *project) unconfigured() Severity {
	if p.App.Own {
		return Refused
	}
	return Warning
}

// listed joins names for a message, and counts those that would make it too long.
func listed(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
