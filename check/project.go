package check

import (
	"fmt"
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
	Dockerfile string    `json:"dockerfile"` // from Path; "" if there is none
	Target     string    `json:"target"`     // the stage that would run
	Settings   string    `json:"settings"`   // the settings module of the web process
	Python     string    `json:"python"`     // the version that read it; "" if none did
	Refused    bool      `json:"refused"`
	Findings   []Finding `json:"findings"` // the refused ones first
	Unknown    []Unknown `json:"unknown"`
}

// Options say what to check.
type Options struct {
	Path       string // the folder
	Dockerfile string // from Path; "" finds it
	Context    string // from Path; "" finds it
	Args       map[string]string
	Stack      *Stack // where it would be deployed; nil if that is not known
	// Prepared demands what an image needs today: migrate_locked, healthcheck, the names DB_*. See prepared.go.
	Prepared bool
	Nginx    string // with Prepared: the Dockerfile of nginx, from Context

	// LookPath finds a program on this machine; nil looks on the PATH.
	LookPath func(name string) (string, error)
}

// A Stack is what a check needs to know about the place of a deployment.
type Stack struct {
	Name      string
	File      string // its configuration, for messages
	Text      string // what that says, for lines
	Protected bool
	Domain    string
	// Env are the variables of the app's containers. Nil: set to what is not known yet, or is secret.
	Env map[string]*string
}

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

// provided reports whether the stack or the image sets a variable.
func (p *project) provided(name string) bool {
	if p.Stack != nil {
		if _, set := p.Stack.Env[name]; set {
			return true
		}
	}
	return p.image != nil && p.image.env[name] != ""
}

// listed joins names for a message, and counts those that would make it too long.
func listed(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
