// Package logline reads the lines that containers write: the level, the message and the ID of the request, in JSON and in the usual plain
// formats; and the objects of the log archive, which hold such lines.
package logline

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// An Event is one line, and where it comes from.
type Event struct {
	Time    time.Time // zero: not known; see Arrived
	Arrived time.Time // for a line of the archive without a time: when its object was begun
	ID      string    // CloudWatch's; "": it has none
	Group   string    // log group; "": the line did not pass CloudWatch
	Stream  string    // log stream: prefix/container/task
	// Family is that of the task definition, where Stream is not known: a line that a log router sent.
	Family    string
	Container string
	Task      string // its ID
	Text      string
}

// When is the time of the event, or the closest that is known.
func (e Event) When() time.Time {
	if e.Time.IsZero() {
		return e.Arrived
	}
	return e.Time
}

// Place finds container and task in the name of the log stream, which the awslogs driver makes of a prefix, the container's name and the
// task's ID (ECS Developer Guide, "Send Amazon ECS logs to CloudWatch").
func (e *Event) Place() {
	parts := strings.Split(e.Stream, "/")
	if len(parts) != 3 {
		return
	}
	if e.Container == "" {
		e.Container = parts[1]
	}
	if e.Task == "" {
		e.Task = parts[2]
	}
}

// A Level is the severity of a line, by the names of Python's logging module. "" is not known.
type Level string

// The levels.
const (
	Debug    Level = "DEBUG"
	Info     Level = "INFO"
	Warning  Level = "WARNING"
	Error    Level = "ERROR"
	Critical Level = "CRITICAL"
)

// levels are the names that programs give to levels. LOG, NOTICE, FATAL and PANIC are Postgres's (its guide, "Message Severity Levels");
// emerg, alert and crit nginx's (ngx_core_module, error_log).
var levels = map[string]Level{
	"trace": Debug, "debug": Debug, "debug1": Debug, "debug2": Debug, "debug3": Debug, "debug4": Debug, "debug5": Debug,
	"info": Info, "information": Info, "informational": Info, "notice": Info, "log": Info, "hint": Info, "detail": Info, "statement": Info,
	"warn": Warning, "warning": Warning,
	"err": Error, "error": Error, "exception": Error,
	"critical": Critical, "crit": Critical, "fatal": Critical, "panic": Critical, "alert": Critical, "emerg": Critical, "emergency": Critical,
}

// LevelOf is the level with a name; "": no level has it.
func LevelOf(name string) Level { return levels[strings.ToLower(strings.TrimSpace(name))] }

// A Line is what a text says.
type Line struct {
	Level   Level
	Message string
	Request string // the ID of the request
	Details string // a traceback, on lines of its own
}

// Parse reads a text.
func Parse(text string) Line {
	text = strings.TrimRight(text, "\r\n")
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") {
		var fields map[string]any
		decoder := json.NewDecoder(strings.NewReader(trimmed))
		decoder.UseNumber()
		if decoder.Decode(&fields) == nil && !decoder.More() {
			return parseJSON(text, fields)
		}
	}
	return parsePlain(text)
}

// The fields of JSON logs: of Python's JSON formatters, structlog, the Elastic Common Schema and this project's sample app.
var (
	levelFields   = []string{"level", "levelname", "log.level", "severity", "lvl", "log_level"}
	messageFields = []string{"message", "msg", "event"}
	requestFields = []string{"request_id", "requestId", "request-id", "requestID", "x_request_id", "http.request.id", "correlation_id"}
	detailFields  = []string{"exception", "exc_info", "traceback", "exc_text", "error.stack_trace", "stack"}
)

func parseJSON(text string, fields map[string]any) Line {
	line := Line{Request: first(fields, requestFields), Details: strings.TrimRight(first(fields, detailFields), "\n")}
	line.Level = levelField(fields)
	line.Message = first(fields, messageFields)
	if status := number(fields["status"]); line.Message == "" && status != 0 {
		line.Message = access(fields, status)
		if line.Level == "" {
			line.Level = ofStatus(status)
		}
	}
	if line.Message == "" {
		line.Message, line.Details = text, ""
	}
	if line.Level == "" && line.Details != "" {
		line.Level = Error
	}
	return line
}

// levelField is the level of JSON fields. Some libraries write Python's numbers, or pino's.
func levelField(fields map[string]any) Level {
	for _, name := range levelFields {
		switch value := lookup(fields, name).(type) {
		case string:
			if level := LevelOf(value); level != "" {
				return level
			}
		case json.Number:
			n, err := value.Int64()
			switch {
			case err != nil || n < 10 || n > 60:
			case n >= 50:
				return Critical
			case n >= 40:
				return Error
			case n >= 30:
				return Warning
			case n >= 20:
				return Info
			default:
				return Debug
			}
		}
	}
	return ""
}

// access is the line of an access log: method, path, status and how long it took.
func access(fields map[string]any, status int) string {
	parts := []string{first(fields, []string{"method", "request_method"}), first(fields, []string{"path", "uri", "request"}),
		strconv.Itoa(status)}
	if seconds := first(fields, []string{"seconds", "request_time"}); seconds != "" {
		parts = append(parts, seconds+"s")
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

func ofStatus(status int) Level {
	switch {
	case status >= 500:
		return Error
	case status >= 400:
		return Warning
	}
	return Info
}

// lookup finds a field, also where the dots of its name are objects in objects.
func lookup(fields map[string]any, name string) any {
	if value, ok := fields[name]; ok {
		return value
	}
	if before, after, ok := strings.Cut(name, "."); ok {
		if below, ok := fields[before].(map[string]any); ok {
			return lookup(below, after)
		}
	}
	return nil
}

func first(fields map[string]any, names []string) string {
	for _, name := range names {
		switch value := lookup(fields, name).(type) {
		case string:
			if value != "" {
				return value
			}
		case json.Number:
			return value.String()
		case []any: // a traceback as a list of lines
			var lines []string
			for _, one := range value {
				lines = append(lines, fmt.Sprint(one))
			}
			return strings.Join(lines, "\n")
		}
	}
	return ""
}

func number(value any) int {
	switch value := value.(type) {
	case json.Number:
		n, _ := value.Int64()
		return int(n)
	case string:
		n, _ := strconv.Atoi(value)
		return n
	}
	return 0
}

// stamps are the ways in which a plain line begins with its time, its process or its thread, up to its level.
const (
	date  = `\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d| [A-Z]{3,4})?`
	names = `(?i:TRACE|DEBUG[1-5]?|INFO|NOTICE|LOG|HINT|DETAIL|STATEMENT|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|PANIC|ALERT|EMERG)`
)

// plain are the formats of plain lines. Each captures the level and the message.
var plain = []*regexp.Regexp{
	// gunicorn: [2026-02-03 04:05:06 +0000] [7] [INFO] Booting worker
	regexp.MustCompile(`^\[` + date + `\] \[\d+\] \[(` + names + `)\] (.*)$`),
	// Celery: [2026-02-03 04:05:06,789: WARNING/ForkPoolWorker-1] text
	regexp.MustCompile(`^\[` + date + `: (` + names + `)/[^\]]+\] (.*)$`),
	// nginx: 2026/02/03 04:05:06 [error] 7#7: *1 text
	regexp.MustCompile(`^` + date + ` \[(` + names + `)\] \d+#\d+: (.*)$`),
	// Postgres: 2026-02-03 04:05:06.789 UTC [7] LOG:  text; on RDS: 2026-02-03 04:05:06 UTC:10.0.0.1(123):site@site:[7]:ERROR:  text
	regexp.MustCompile(`^` + date + `(?: \[\d+\](?: \S+)?|:[^ ]*:\[\d+\]:)\s*(` + names + `):\s+(.*)$`),
	// Python's logging and Django's examples: 2026-02-03 04:05:06,789 WARNING shop.views text; also [WARNING], WARNING:, - WARNING -
	regexp.MustCompile(`^\[?` + date + `\]?[ :-]+(?:[\w.]+ - )?\[?(` + names + `)\b\]?(?: -)?[: ]\s*(.*)$`),
	// Python's basicConfig: WARNING:shop.views:text; uvicorn: INFO:     text; Django's verbose: WARNING 2026-02-03 ... text; [WARNING] text
	regexp.MustCompile(`^\[?(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)(?:\]:?|:| +` + date + `)\s*(.*)$`),
}

// requestLines are access logs: that of nginx and gunicorn ("combined"), and runserver's. Each captures the request and the status.
var requestLines = regexp.MustCompile(`"([A-Z]+ [^"]*)" (\d{3}) `)

func parsePlain(text string) Line {
	head, rest, _ := strings.Cut(text, "\n")
	for _, format := range plain {
		if match := format.FindStringSubmatch(head); match != nil {
			return Line{Level: LevelOf(match[1]), Message: match[2], Details: rest, Request: requestIn(head)}
		}
	}
	line := Line{Message: head, Details: rest, Request: requestIn(head)}
	if match := requestLines.FindStringSubmatch(head + " "); match != nil {
		status, _ := strconv.Atoi(match[2])
		line.Level = ofStatus(status)
	}
	if strings.HasPrefix(head, "Traceback (most recent call last):") {
		line.Level = Error
	}
	return line
}

// inText is a request's ID in a plain line: request_id=3f0c, request-id: 3f0c, [req:3f0c].
var inText = regexp.MustCompile(`(?i)\b(?:x[-_])?req(?:uest)?[-_ ]?id["']?\s*[=:]\s*["']?([0-9A-Za-z-]{8,64})\b`)

func requestIn(text string) string {
	if match := inText.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}
