package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that the same time zones are valid on every machine
)

// The schedule grammar that EventBridge, EventBridge Scheduler, Application Auto Scaling and AWS Backup share:
// at(yyyy-mm-ddThh:mm:ss), rate(value unit), cron(minutes hours day-of-month month day-of-week year).

var (
	scheduleForm = regexp.MustCompile(`^(at|rate|cron)\((.*)\)$`)
	rateForm     = regexp.MustCompile(`^([0-9]+) (minute|minutes|hour|hours|day|days)$`)
)

// scheduleFault describes what is wrong with a schedule expression, "" when nothing is. forms are those that the service
// accepts: "at", "rate", "cron".
func scheduleFault(expression string, forms ...string) string {
	m := scheduleForm.FindStringSubmatch(expression)
	if m == nil || !slices.Contains(forms, m[1]) {
		for i := range forms {
			forms[i] += "(...)"
		}
		return fmt.Sprintf("expected %s, got %q", alternatives(forms), expression)
	}
	switch m[1] {
	case "at":
		if _, err := time.Parse("2006-01-02T15:04:05", m[2]); err != nil {
			return fmt.Sprintf("expected at(yyyy-mm-ddThh:mm:ss), got %q", expression)
		}
	case "rate":
		r := rateForm.FindStringSubmatch(m[2])
		if r == nil {
			return fmt.Sprintf("expected rate(value minutes|hours|days), got %q", expression)
		}
		n, _ := strconv.Atoi(r[1])
		switch plural := strings.HasSuffix(r[2], "s"); {
		case n == 0:
			return fmt.Sprintf("a rate must be more than 0, got %q", expression)
		case n == 1 && plural:
			return fmt.Sprintf("a rate of 1 takes the singular: rate(1 %s), got %q", strings.TrimSuffix(r[2], "s"), expression)
		case n > 1 && !plural:
			return fmt.Sprintf("a rate of %d takes the plural: rate(%d %ss), got %q", n, n, r[2], expression)
		}
	case "cron":
		return cronFault(m[2])
	}
	return ""
}

// A cronField is one of the six fields of AWS's cron: its range, its names, and the special characters that it accepts.
type cronField struct {
	name      string
	low, high int
	names     []string
	signs     string
}

var cronFields = []cronField{
	{"minutes", 0, 59, nil, ""},
	{"hours", 0, 23, nil, ""},
	{"day of month", 1, 31, nil, "?LW"},
	{"month", 1, 12, words("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"), ""},
	{"day of week", 1, 7, words("SUN MON TUE WED THU FRI SAT"), "?L#"},
	{"year", 1970, 2199, nil, ""},
}

func cronFault(body string) string {
	fields := strings.Fields(body)
	if len(fields) != len(cronFields) {
		return fmt.Sprintf("AWS's cron has 6 fields (minutes hours day-of-month month day-of-week year), got %d in cron(%s)", len(fields), body)
	}
	for i, f := range cronFields {
		for _, part := range strings.Split(fields[i], ",") {
			if !f.takes(part) {
				return fmt.Sprintf("%q is not valid for %s in an AWS cron expression", fields[i], f.name)
			}
		}
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return fmt.Sprintf("exactly one of day of month and day of week must be ?, got cron(%s)", body)
	}
	return ""
}

func (f cronField) takes(part string) bool {
	if part == "?" {
		return strings.Contains(f.signs, "?")
	}
	if strings.Contains(f.signs, "L") && (part == "L" || strings.HasSuffix(part, "L") && f.value(strings.TrimSuffix(part, "L"))) {
		return true
	}
	if strings.Contains(f.signs, "W") && strings.HasSuffix(part, "W") {
		day := strings.TrimSuffix(part, "W")
		return day == "L" || f.value(day)
	}
	if day, nth, ok := strings.Cut(part, "#"); ok {
		n, err := strconv.Atoi(nth)
		return strings.Contains(f.signs, "#") && f.value(day) && err == nil && n >= 1 && n <= 5
	}
	span, step, stepped := strings.Cut(part, "/")
	if stepped {
		if n, err := strconv.Atoi(step); err != nil || n < 1 {
			return false
		}
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	return f.value(from) && (!ranged || f.value(to))
}

func (f cronField) value(s string) bool {
	if slices.Contains(f.names, strings.ToUpper(s)) {
		return true
	}
	n, err := strconv.Atoi(s)
	return err == nil && n >= f.low && n <= f.high
}

// zoneFault describes what is wrong with the name of a time zone, "" when nothing is.
func zoneFault(name string) string {
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		return fmt.Sprintf("%q is not an IANA time zone, such as Europe/Berlin or UTC", name)
	}
	return ""
}

// scheduleProblems checks the schedule expression at path.
func scheduleProblems(in Inputs, path, code string, forms ...string) []Problem {
	if in.Get(path) == nil {
		return nil
	}
	if f := scheduleFault(in.String(path), forms...); f != "" {
		return []Problem{awsProblem(path, code, "%s", f)}
	}
	return nil
}
