package iam

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Reasons says in one line each what decided: the statements that denied, those that allowed, or the kinds of policy in which no
// statement allows the request.
func (d Decision) Reasons() []string {
	all := []string{}
	for _, m := range d.By {
		all = append(all, m.String())
	}
	if d.Grant != "" {
		all = append(all, "grant "+d.Grant)
	}
	for _, layer := range d.Missing {
		all = append(all, "no "+string(layer)+" allows it")
	}
	return all
}

// String names the statement: layer, document, Sid.
func (m Match) String() string {
	parts := []string{string(m.Layer)}
	if m.Level != "" {
		parts = append(parts, "at "+m.Level)
	}
	if m.Document.Name != "" {
		parts = append(parts, m.Document.Name)
	}
	return strings.Join(append(parts, m.Statement.Title()), " ")
}

// A Near is a statement that would have allowed the request but for one element.
type Near struct {
	Match
	Because  string // what does not fit, and what the request sends instead
	distance int
}

// Nearest lists the statements that come closest to allowing the request, the closest first: all but a condition fits, then all
// but the resource, then all but the caller. At most limit are returned.
func Nearest(r Request, p Policies, limit int) []Near {
	e := evaluation{request: r, context: r.context()}
	var all []Near
	look := func(layer Layer, level string, documents []*Document) {
		for _, d := range documents {
			for _, s := range d.about(r.Action) {
				if n := e.near(s); n.distance > 0 && !s.Deny {
					n.Match = Match{layer, level, d, s}
					all = append(all, n)
				}
			}
		}
	}
	look(LayerIdentity, "", p.Identity)
	look(LayerResource, "", documents(p.Resource))
	look(LayerBoundary, "", p.Boundaries)
	look(LayerSession, "", p.Session)
	look(LayerEndpoint, "", p.Endpoint)
	for _, level := range p.SCP {
		look(LayerSCP, level.Name, level.Policies)
	}
	for _, level := range p.RCP {
		look(LayerRCP, level.Name, level.Policies)
	}
	sortByDistance(all)
	return all[:min(limit, len(all))]
}

// near compares a statement about the action with the request. distance is 0 if it applies.
func (e *evaluation) near(s *Statement) Near {
	switch {
	case s.names(e.request.Principal) == notNamed:
		return Near{Because: "its Principal does not name " + e.request.Principal.String(), distance: 3}
	case !s.covers(e.request.Resource, e.context):
		var names []string
		for _, p := range s.resources {
			names = append(names, p.text)
		}
		return Near{Because: fmt.Sprintf("it covers %s, not %s", shorten(names), e.request.Resource), distance: 2}
	}
	for _, c := range s.conditions {
		if !c.holds(e.context) {
			return Near{Because: c.explain(e.context), distance: 1}
		}
	}
	return Near{}
}

func (c condition) explain(request Context) string {
	values, present := request[c.lower]
	if !present {
		return fmt.Sprintf("its condition is %s, and the request does not send %s", c, c.key)
	}
	return fmt.Sprintf("its condition is %s, and the request sends %s", c, strings.Join(values.list, ", "))
}

func shorten(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func sortByDistance(all []Near) {
	slices.SortStableFunc(all, func(a, b Near) int { return cmp.Compare(a.distance, b.distance) })
}

// ConditionsOn are the values that the statement compares with keys that end like this, by operator.
func (s *Statement) ConditionsOn(suffix string) map[string][]string {
	all := map[string][]string{}
	for _, c := range s.conditions {
		if strings.HasSuffix(c.lower, suffix) {
			for _, v := range c.values {
				all[c.operator] = append(all[c.operator], v.text)
			}
		}
	}
	return all
}
