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
		lines = append(lines, fmt.Sprintf("  no job starts by itself: %s off", Some(p.Schedules, "schedule")))
	}
	lines = append(lines, fmt.Sprintf("  database %s is stopped; its data stays", p.Database),
		fmt.Sprintf("AWS still bills about $%.0f a month (prices of us-east-1): %s", p.Dollars, strings.Join(p.Costs, ", ")))
	if len(p.Unpriced) > 0 {
		lines = append(lines, "and these, whose prices are not known here: "+strings.Join(p.Unpriced, ", "))
	}
	return lines
}

// Day is a moment that is days away.
func Day(at time.Time) string { return at.Local().Format("Monday, 2 January 2006, 15:04 MST") }
