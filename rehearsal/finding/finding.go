// Package finding is the format in which a rehearsal reports what does not work. Every judge uses it: permissions, network paths,
// what containers and load balancers need.
package finding

import (
	"fmt"
	"slices"
	"strings"
)

// A Finding is one thing that does not work.
type Finding struct {
	// Resource is where it shows: a URN; without one, type and ID.
	Resource string `json:"resource"`
	// Code is AWS's own error code if there is one, such as AccessDenied; otherwise a word of the judge's.
	Code    string `json:"code"`
	Message string `json:"message"` // AWS's words, or the judge's
	// Chain says why, the outermost link first: who calls what and what does not allow it, or the hops of a network path.
	Chain  []string `json:"chain"`
	Fix    string   `json:"fix"`    // what to change; the configuration key or the source line if it is known
	Source string   `json:"source"` // AWS's page or a public issue

	// Change lists the URNs of the resources whose settings Fix is about, if they are not Resource. The caller that knows the
	// program adds their source lines to Fix.
	Change []string `json:"-"`
}

// String is the finding in a few lines, without a final newline.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", f.called())
	if f.Code != "" {
		fmt.Fprintf(&b, "%s: ", f.Code)
	}
	b.WriteString(f.Message)
	for _, link := range f.Chain {
		b.WriteString("\n  " + strings.ReplaceAll(link, "\n", "\n  "))
	}
	if f.Fix != "" {
		b.WriteString("\n  To fix it, " + f.Fix + ".")
	}
	if f.Source != "" {
		b.WriteString("\n  Source: " + f.Source)
	}
	return b.String()
}

// Name is the logical name in a URN.
func Name(urn string) string {
	parts := strings.Split(urn, "::")
	return parts[len(parts)-1]
}

// called is the resource by type and name, as messages name it.
func (f Finding) called() string {
	parts := strings.Split(f.Resource, "::")
	if len(parts) < 4 {
		return f.Resource
	}
	return fmt.Sprintf("%s (%s)", parts[len(parts)-1], parts[2][strings.LastIndex(parts[2], "$")+1:])
}

// Unique drops findings that say the same of the same resource, and keeps the order.
func Unique(all []Finding) []Finding {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool {
		key := strings.Join(append([]string{f.Resource, f.Code, f.Message}, f.Chain...), "\x00")
		was := seen[key]
		seen[key] = true
		return was
	})
}
