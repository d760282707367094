package screen

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// A LogLine is a line of a log.
type LogLine struct {
	Time      time.Time // zero: not known
	Archived  time.Time // about when, then
	Container string
	Level     string
	Message   string
	Details   string // further lines
	Request   string
}

// Widths of the columns of a log. What is longer shifts the rest.
const (
	containerColumn = 7
	levelColumn     = 8
)

// WriteLog writes a line: time, container, level, message. A container writes what visitors send, so nothing in it reaches the terminal as a
// command.
func (t Terminal) WriteLog(l LogLine) error {
	at := l.Time.UTC().Format("2006-01-02T15:04:05.000Z")
	if l.Time.IsZero() {
		at = "~" + l.Archived.UTC().Format("2006-01-02T15:04:05Z") + "   "
	}
	level := fmt.Sprintf("%-*s", levelColumn, l.Level)
	switch l.Level {
	case "ERROR", "CRITICAL":
		level = t.Bad(level)
	case "DEBUG":
		level = t.faint.Render(level)
	}
	message := Harmless(l.Message)
	if l.Request != "" && !strings.Contains(message, l.Request) {
		message += t.faint.Render(" request=" + Harmless(l.Request))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-*s %s %s\n", t.faint.Render(at), containerColumn, Harmless(l.Container), level, message)
	for line := range strings.Lines(l.Details) {
		b.WriteString("    " + Harmless(strings.TrimRight(line, "\r\n")) + "\n")
	}
	_, err := t.Out.Write([]byte(b.String()))
	return err
}

// Harmless is a text without anything that a terminal obeys.
func Harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069':
			return '·'
		}
		return r
	}, ansi.Strip(text))
}
