package finding

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Answer says whether a call is allowed, or a connection possible, and why.
type Answer struct {
	Stack     string `json:"stack,omitempty"`
	Allowed   bool   `json:"allowed"`
	Decision  string `json:"decision"`            // Allowed, ImplicitlyDenied, ExplicitlyDenied; of a connection: Open, Blocked
	Caller    string `json:"caller"`              // ARN or service; where a connection comes from
	Action    string `json:"action,omitempty"`    // of a call
	Resource  string `json:"resource"`            // ARN; where a connection goes to
	Message   string `json:"message,omitempty"`   // AWS's words, of a call that is denied
	Code      string `json:"code,omitempty"`      // AWS's error code
	Source    string `json:"source,omitempty"`    // AWS's page about the call, if the site makes it
	Rehearsed bool   `json:"rehearsed,omitempty"` // the stack is not deployed: a rehearsal answers

	// Context are the condition keys that were sent, in lower case.
	Context map[string][]string `json:"context,omitempty"`

	Chain   []string `json:"chain"`             // as of a Finding; or the hops of a connection
	Nearest []string `json:"nearest,omitempty"` // the statements that come closest to allowing the call, and what does not fit
	Fix     string   `json:"fix,omitempty"`     // what would have to change
	Change  []string `json:"-"`                 // as of a Finding
}

// String is the answer in a few lines, without a final newline.
func (a Answer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", a.Decision, a.Caller)
	if a.Action != "" {
		fmt.Fprintf(&b, " -> %s on %s", a.Action, a.Resource)
	} else {
		fmt.Fprintf(&b, " -> %s", a.Resource)
	}
	for _, link := range a.Chain {
		b.WriteString("\n  " + link)
	}
	for _, near := range a.Nearest {
		b.WriteString("\n  nearest: " + near)
	}
	for _, key := range slices.Sorted(maps.Keys(a.Context)) {
		if strings.HasPrefix(key, "aws:resourcetag/") { // many, and rarely the reason
			continue
		}
		fmt.Fprintf(&b, "\n  with %s = %s", key, strings.Join(a.Context[key], ", "))
	}
	if a.Message != "" {
		fmt.Fprintf(&b, "\n  AWS says: %s: %s", a.Code, a.Message)
	}
	if a.Fix != "" {
		fmt.Fprintf(&b, "\n  To fix it, %s.", a.Fix)
	}
	return b.String()
}
