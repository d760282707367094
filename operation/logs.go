package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/redact"
	"slipway/logline"
	"slipway/operation/account/modelaccount"
)

// LogsArgs say which lines are wanted.
type LogsArgs struct {
	Since, Until string // moments, see Moment; "": a default
	Follow       bool   // also what is written from now on, until ctx ends
	Service      string // a part of the stack: web, a worker, a job, migration; "": all
	Container    string
	Filter       string // a text that the lines contain, in any case
	Request      string // the ID of a request, which the lines contain
	Release      string // whose tasks wrote the lines
}

// A LogLine is a line that a container wrote.
type LogLine struct {
	Time      *time.Time    `json:"time,omitempty"`     // nil: the archive does not have it
	Archived  *time.Time    `json:"archived,omitempty"` // about when a line without a time was written
	Service   string        `json:"service,omitempty"`
	Container string        `json:"container,omitempty"`
	Task      string        `json:"task,omitempty"`
	Level     logline.Level `json:"level,omitempty"`
	Message   string        `json:"message"`
	Details   string        `json:"details,omitempty"` // a traceback
	Request   string        `json:"request,omitempty"`
	Group     string        `json:"group,omitempty"`
	Stream    string        `json:"stream,omitempty"`
	Text      string        `json:"text"` // as it was written
}

// Logs calls emit with the lines by time: recent ones from CloudWatch Logs, older ones from the archive.
func Logs(ctx context.Context, t Target, args LogsArgs, emit func(LogLine) error) error {
	from, until, err := span(args, time.Now())
	if err != nil {
		return err
	}
	o, err := observe(ctx, t)
	if err != nil {
		return err
	}
	if !t.Live && !modelaccount.Running(t.dir()) {
		return fmt.Errorf("stack %s is rehearsed without containers, so nothing writes lines; begin with: slipway up%s --run", t.Stack, t.Flags())
	}
	for _, note := range o.notes {
		t.Progress.Logf("Only what was collected before can be shown: %s", note)
	}
	s, err := o.selection(ctx, args, from, until)
	if err != nil {
		return err
	}
	s.emit = emit
	if args.Follow {
		s.shown, s.objects = map[string]time.Time{}, map[string]time.Time{}
	}
	err = s.read(ctx)
	if err != nil && (ctx.Err() != nil || !isIncomplete(err)) || !args.Follow {
		return err
	}
	if err != nil {
		t.Progress.Logf("%v", err)
	}
	return s.follow(ctx)
}

// An incompleteError says that some sources could not be read.
type incompleteError struct{ errs []error }

func (e *incompleteError) Error() string {
	return "the log is incomplete: " + errors.Join(e.errs...).Error()
}

func (e *incompleteError) Unwrap() []error { return e.errs }

func isIncomplete(err error) bool {
	var e *incompleteError
	return errors.As(err, &e)
}

// How far back lines are shown unless Since says otherwise.
const (
	recently   = time.Hour
	justBefore = 10 * time.Minute // with Follow
)

// span is the range of time that is wanted. until zero is now.
func span(args LogsArgs, now time.Time) (from, until time.Time, err error) {
	if args.Follow && args.Until != "" {
		return from, until, UsageError{errors.New("give --until or --follow: --until ends the log, --follow waits for new lines")}
	}
	from = now.Add(-recently)
	switch {
	case args.Since != "":
		if from, err = Moment(args.Since, now); err != nil {
			return from, until, UsageError{fmt.Errorf("--since: %w", err)}
		}
	case args.Follow:
		from = now.Add(-justBefore)
	}
	if args.Until != "" {
		if until, err = Moment(args.Until, now); err != nil {
			return from, until, UsageError{fmt.Errorf("--until: %w", err)}
		}
		if args.Since == "" && !from.Before(until) {
			from = until.Add(-recently)
		}
		if !from.Before(until) {
			return from, until, UsageError{fmt.Errorf("--until %s is not after --since %s", args.Until, args.Since)}
		}
	}
	if from.After(now) {
		return from, until, UsageError{fmt.Errorf("--since %s is in the future", args.Since)}
	}
	return from, until, nil
}

// Moment reads a time: RFC 3339, or how long ago it was (30s, 90m, 2h, 3d, 1w).
func Moment(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	ago, err := ago(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time: give how long ago, such as 30m, 2h or 3d, or a time such as 2026-02-03T04:05:00Z", text)
	}
	return now.Add(-ago).UTC(), nil
}

// ago is a duration, which may be in days or weeks.
func ago(text string) (time.Duration, error) {
	for unit, hours := range map[string]int{"d": 24, "w": 7 * 24} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			text = number + "h"
			d, err := time.ParseDuration(text)
			if most := 100 * 365 * 24 * time.Hour / time.Duration(hours); err == nil && (d < 0 || d > most) {
				err = errors.New("out of range")
			}
			return d * time.Duration(hours), err
		}
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("out of range")
	}
	return d, err
}

// A selection is which lines are wanted, and where they are.
type selection struct {
	*observed
	args        LogsArgs
	from, until time.Time // until zero: now
	groups      []string  // log groups of the containers that are wanted
	routed      bool      // a container that is wanted writes to the archive alone
	containers  []string  // their names
	parts       []string  // their parts; nil: all, also those that are gone
	born        *births   // nil: of all releases
	emit        func(LogLine) error

	// With Follow, what was shown: events by what identifies them, and objects of the archive; with the time of each.
	shown   map[string]time.Time
	objects map[string]time.Time
	stopped error // of emit
}

// selection finds out where the wanted lines are, and refuses what the stack does not have.
func (o *observed) selection(ctx context.Context, args LogsArgs, from, until time.Time) (*selection, error) {
	s := &selection{observed: o, args: args, from: from, until: until}
	if err := s.choose(); err != nil {
		return nil, err
	}
	if args.Release == "" {
		return s, nil
	}
	spans, err := o.spansOf(ctx, args.Release)
	if err != nil {
		return nil, err
	}
	if args.Since == "" && args.Until == "" && !args.Follow { // all that its tasks wrote
		s.from = spans[0].begin
	}
	s.born = &births{spans: spans, seen: map[string]time.Time{}}
	return s, s.born.learn(ctx, s)
}

// choose finds the log groups of the service and the container that are wanted.
func (s *selection) choose() error {
	l, args := s.layout, s.args
	parts := l.parts
	s.groups, s.containers, s.parts, s.routed = nil, nil, nil, false
	if args.Service != "" {
		p := l.named(args.Service)
		if p == nil {
			return UsageError{notThere("service", args.Service, s.target.Stack, l.names())}
		}
		parts, s.parts = []part{*p}, []string{p.Name}
	}
	var all []string
	for _, p := range parts {
		for _, c := range p.Containers {
			if all = append(all, c.Name); args.Container != "" && c.Name != args.Container {
				continue
			}
			s.containers = append(s.containers, c.Name)
			if c.Group == "" {
				s.routed = true
			} else if !slices.Contains(s.groups, c.Group) {
				s.groups = append(s.groups, c.Group)
			}
		}
	}
	if len(s.containers) == 0 {
		slices.Sort(all)
		return UsageError{notThere("container", args.Container, s.target.Stack, slices.Compact(all))}
	}
	return nil
}

func notThere(what, name, stack string, there []string) error {
	words := fmt.Sprintf("stack %s has no %s %q", stack, what, name)
	if near := Near(name, there); near != "" {
		return fmt.Errorf("%s: did you mean %s?", words, near)
	}
	return fmt.Errorf("%s; it has %s", words, strings.Join(there, ", "))
}

// delivery is how long Firehose collects before it writes an object (package logging, BufferingInterval).
const delivery = 5 * time.Minute

// wants says whether an event is among the wanted ones.
func (s *selection) wants(e logline.Event) bool {
	at, from := e.When(), s.from
	if e.Time.IsZero() { // it was written up to five minutes after its object was begun
		from = from.Add(-delivery)
	}
	switch {
	case at.Before(from), !s.until.IsZero() && !at.Before(s.until):
		return false
	case e.Group != "" && !strings.HasPrefix(e.Group, s.layout.path), e.Family != "" && !strings.HasPrefix(e.Family, s.layout.prefix):
		return false
	case s.args.Container != "" && e.Container != s.args.Container:
		return false
	case len(s.parts) > 0 && !slices.Contains(s.parts, s.partOf(e)):
		return false
	case s.args.Request != "" && !strings.Contains(e.Text, s.args.Request):
		return false
	case s.args.Filter != "" && !strings.Contains(strings.ToLower(e.Text), strings.ToLower(s.args.Filter)):
		return false
	}
	return s.born == nil || s.born.has(e)
}

// partOf is the part that wrote an event. The prefix of a stream decides only between parts that share a log group.
func (s *selection) partOf(e logline.Event) string {
	prefix, _, _ := strings.Cut(e.Stream, "/")
	found := ""
	for _, p := range s.layout.parts {
		if e.Family != "" && p.Family == e.Family {
			return p.Name
		}
		for _, c := range p.Containers {
			if e.Group != "" && c.Group == e.Group && (found == "" || c.Prefix == prefix) {
				found = p.Name
			}
		}
	}
	if found == "" {
		found = strings.TrimPrefix(e.Family, s.layout.prefix)
	}
	return cmp.Or(found, strings.TrimPrefix(e.Group, s.layout.path))
}

// line is an event as it is shown. What may be a credential is removed from it.
func (s *selection) line(e logline.Event) LogLine {
	text := redact.Text(e.Text)
	parsed := logline.Parse(text)
	line := LogLine{Container: e.Container, Task: e.Task, Level: parsed.Level, Message: parsed.Message, Details: parsed.Details,
		Request: parsed.Request, Group: e.Group, Stream: e.Stream, Text: text, Service: s.partOf(e)}
	if e.Time.IsZero() {
		line.Archived = &e.Arrived
	} else {
		line.Time = &e.Time
	}
	return line
}
