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

	// Also are the URNs of the other resources at which the same cause shows: see Merge.
	Also []string `json:"also,omitempty"`

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
	if len(f.Also) > 0 {
		var names []string
		for _, urn := range f.Also {
			names = append(names, Name(urn))
		}
		b.WriteString("\n  It shows at " + strings.Join(names, ", ") + " as well.")
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

// Merge makes one finding of those that have the same cause, and keeps the order. The first one remains, and lists the resources of the
// others.
func Merge(all []Finding) []Finding {
	var merged []Finding
	for _, f := range all {
		at := slices.IndexFunc(merged, func(known Finding) bool { return known.causes(f) })
		if at < 0 {
			merged = append(merged, f)
			continue
		}
		first := &merged[at]
		for _, urn := range append([]string{f.Resource}, f.Also...) {
			if urn != first.Resource && !slices.Contains(first.Also, urn) {
				first.Also = append(slices.Clip(first.Also), urn)
			}
		}
	}
	return merged
}

// Repairs joins what must change together, in Fix.
const Repairs = "; and "

// causes reports whether another finding is there for the same cause. A right or a rule that is missing stops many things, each with
// words of its own: what must change is the cause. Otherwise it is what the finding says.
func (f Finding) causes(other Finding) bool {
	switch {
	case len(f.Change) > 0 && other.Fix != "":
		mine := strings.Split(f.Fix, Repairs)
		return !slices.ContainsFunc(strings.Split(other.Fix, Repairs), func(r string) bool { return !slices.Contains(mine, r) })
	case f.Code != other.Code || !slices.Equal(f.Chain, other.Chain):
		return false
	case len(f.Chain) > 0:
		return f.Fix == other.Fix
	}
	return f.Resource == other.Resource && f.Message == other.Message
}
