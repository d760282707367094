package screen

import (
	"fmt"
	"strings"
	"time"
)

// A Pause is what pausing a stack means, as a terminal shows it.
type Pause struct {
	Stack, Where string
	Services     []string
	Schedules    int
	Database     string
	Costs        []string // what still costs money, the dearest first
	Dollars      float64  // a month
	Unpriced     []string
}

// Lines say what happens, and what still costs money.
func (p Pause) Lines() []string {
	lines := []string{
		fmt.Sprintf("Pausing stack %s in %s means:", p.Stack, p.Where),
		"  the site is down: visitors get 503, and alarms of the load balancer may fire",
		fmt.Sprintf("  no task runs of %s", strings.Join(p.Services, ", ")),
	}
	if p.Schedules > 0 {
		lines = append(lines, fmt.Sprintf("  %s disabled", Count(p.Schedules, "schedule")))
	}
	lines = append(lines, fmt.Sprintf("  database %s is stopped; its data stays", p.Database),
		fmt.Sprintf("What still costs money, about $%.0f a month: %s", p.Dollars, strings.Join(p.Costs, ", ")))
	if len(p.Unpriced) > 0 {
		lines = append(lines, "and, not counted: "+strings.Join(p.Unpriced, ", "))
	}
	return lines
}

// Count is a number of things: "1 schedule is", "2 schedules are".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}

// Day is a moment that is days away.
func Day(at time.Time) string { return at.Local().Format("Monday, 2 January 2006, 15:04 MST") }
