package iam

import (
	"slices"
	"strings"
)

// Without returns the policies less one statement, which shows whether a decision depends on it. The documents themselves stay as they
// are.
func (p Policies) Without(s *Statement) Policies {
	document := func(d *Document) *Document {
		if d == nil {
			return nil
		}
		i := slices.Index(d.Statements, s)
		if i < 0 {
			return d
		}
		return &Document{Name: d.Name, Statements: slices.Delete(slices.Clone(d.Statements), i, i+1)}
	}
	several := func(all []*Document) []*Document {
		if all == nil {
			return nil // no document limits the caller, which is not the same as none that allows
		}
		less := make([]*Document, len(all))
		for i, d := range all {
			less[i] = document(d)
		}
		return less
	}
	levels := func(all []Level) []Level {
		less := slices.Clone(all)
		for i := range less {
			less[i].Policies = several(less[i].Policies)
		}
		return less
	}
	p.Resource = document(p.Resource)
	p.Identity, p.Boundaries, p.Session, p.Endpoint = several(p.Identity), several(p.Boundaries), several(p.Session), several(p.Endpoint)
	p.SCP, p.RCP = levels(p.SCP), levels(p.RCP)
	return p
}

// Actions are the patterns of the statement's Action or NotAction, in lower case.
func (s *Statement) Actions() []string {
	all := make([]string, len(s.actions))
	for i, a := range s.actions {
		all[i] = a.service + ":" + a.name
	}
	return all
}

// ActionsFor are those of Actions that include an action.
func (s *Statement) ActionsFor(name string) []string {
	service, rest, _ := strings.Cut(strings.ToLower(name), ":")
	var all []string
	for _, a := range s.actions {
		if a.matches(service, rest) {
			all = append(all, a.service+":"+a.name)
		}
	}
	return all
}
