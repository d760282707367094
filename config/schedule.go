package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	callForm = regexp.MustCompile(`^(cron|rate|at)\((.*)\)$`)
	rateForm = regexp.MustCompile(`^([0-9]+) (minute|hour|day)(s?)$`)
)

// schedule returns what is wrong with an EventBridge Scheduler expression, or "".
func schedule(s string) string {
	call := callForm.FindStringSubmatch(s)
	if call == nil {
		if n := len(strings.Fields(s)); n == 5 || n == 6 {
			return "must be cron(...) with six fields: minute hour day-of-month month day-of-week year"
		}
		return "must be cron(0 3 * * ? *), rate(2 hours) or at(2030-01-31T03:00:00)"
	}
	switch inside := call[2]; call[1] {
	case "rate":
		return rate(inside)
	case "at":
		if _, err := time.Parse("2006-01-02T15:04:05", inside); err != nil {
			return "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)"
		}
		return ""
	default:
		return cron(strings.Split(inside, " "))
	}
}

func rate(s string) string {
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return "must be rate(value unit) with a unit of minutes, hours or days"
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 || m[1][0] == '0' {
		return "must have a rate of 1 or more"
	}
	if n == 1 && m[3] == "s" {
		return fmt.Sprintf("must be rate(1 %s): use the singular for 1", m[2])
	}
	if n > 1 && m[3] == "" {
		return fmt.Sprintf("must be rate(%d %ss): use the plural above 1", n, m[2])
	}
	return ""
}

// A part is one of the six fields of a cron expression.
type part struct {
	name     string
	low      int
	high     int
	names    []string // of the values; the first one is low
	specials string   // those of ? L W # that it accepts
}

var cronParts = []part{
	{name: "minute", low: 0, high: 59},
	{name: "hour", low: 0, high: 23},
	{name: "day-of-month", low: 1, high: 31, specials: "?LW"},
	{name: "month", low: 1, high: 12, names: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")},
	{name: "day-of-week", low: 1, high: 7, names: strings.Fields("SUN MON TUE WED THU FRI SAT"), specials: "?L#"},
	{name: "year", low: 1970, high: 2199},
}

func cron(fields []string) string {
	if len(fields) != len(cronParts) {
		return fmt.Sprintf("must have six fields: minute hour day-of-month month day-of-week year; it has %d", len(fields))
	}
	for i, p := range cronParts {
		if !p.takes(fields[i]) {
			return fmt.Sprintf("has an invalid %s, %q: AWS accepts %s", p.name, fields[i], p.rule())
		}
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return "must have ? for either day-of-month or day-of-week, not both"
	}
	return ""
}

func (p part) rule() string {
	rule := fmt.Sprintf("%d to %d", p.low, p.high)
	if p.names != nil {
		rule += fmt.Sprintf(" or %s to %s", p.names[0], p.names[len(p.names)-1])
	}
	rule += ", with * , - /"
	if p.specials != "" {
		rule += " " + strings.Join(strings.Split(p.specials, ""), " ")
	}
	return rule
}

func (p part) takes(s string) bool {
	if s == "*" || s == "?" && strings.Contains(p.specials, "?") {
		return true
	}
	for one := range strings.SplitSeq(s, ",") {
		if !p.takesOne(one) {
			return false
		}
	}
	return true
}

// takesOne checks one item of a list: 5, 5-7, */5, 5/5, 5-30/5, L, LW, 3W, 6L, 6#3.
func (p part) takesOne(s string) bool {
	switch p.name {
	case "day-of-month":
		if s == "L" || s == "LW" {
			return true
		}
		if day, ok := strings.CutSuffix(s, "W"); ok {
			_, ok := p.value(day)
			return ok
		}
	case "day-of-week":
		if s == "L" {
			return true
		}
		if day, ok := strings.CutSuffix(s, "L"); ok {
			_, ok := p.value(day)
			return ok
		}
		if day, nth, ok := strings.Cut(s, "#"); ok {
			_, known := p.value(day)
			return known && len(nth) == 1 && nth >= "1" && nth <= "5"
		}
	}
	base, step, stepped := strings.Cut(s, "/")
	if stepped {
		n, err := strconv.Atoi(step)
		if err != nil || n < 1 || n > p.high || strconv.Itoa(n) != step {
			return false
		}
		if base == "*" {
			return true
		}
	}
	low, high, ranged := strings.Cut(base, "-")
	from, ok := p.value(low)
	if !ok || !ranged {
		return ok
	}
	to, ok := p.value(high)
	return ok && from <= to
}

func (p part) value(s string) (int, bool) {
	if i := slices.Index(p.names, strings.ToUpper(s)); i >= 0 {
		return p.low + i, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= p.low && n <= p.high && strings.Trim(s, "0123456789") == ""
}
