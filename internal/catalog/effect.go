package catalog

import (
	"regexp"
	"strconv"
	"strings"
)

// An Effect is what one kind of change to a resource does to the site or its data. A plan shows it before the change is made.
// What is lost when a resource is deleted or replaced is its Loss and needs no Effect.
type Effect struct {
	Path string // of the properties, as in a Risk; "": the resource is replaced or deleted
	Does Does
	Says string
	Way  string                  // how to do it properly, for Impossible
	When func(from, to any) bool // the values for which it holds; nil: all
}

// Does says how bad an effect is. The worse one is the greater.
type Does int

// The effects of a change.
const (
	Interrupts Does = iota + 1 // the site or a part of it is down for a while; a plan shows it
	Loses                      // data, or what protects it, is lost; the user must confirm it
	Impossible                 // AWS refuses it; the change is refused before it begins
)

// Grew is a number that became larger, or was not set.
func Grew(from, to any) bool { return !Fewer(from, to) && from != to }

// Older is a version before another one: 16 after 17, or 17.2 after 17.4. A major version alone is any of its minor versions.
func Older(from, to any) bool {
	was, is := numbers(from), numbers(to)
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			return is[i] < was[i]
		}
	}
	return false
}

// Newer is a version after another one.
func Newer(from, to any) bool {
	was, is := numbers(from), numbers(to)
	return len(was) > 0 && len(is) > 0 && from != to && !Older(from, to)
}

func numbers(v any) []int {
	text, _ := v.(string)
	var numbers []int
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// Effects are those of a change of one property of a resource in place.
func (c Catalog) Effects(token, path string, from, to any) []Effect {
	var all []Effect
	c.effects(token, func(e Effect) {
		if e.Path != "" && within(e.Path, path) && (e.When == nil || e.When(from, to)) {
			all = append(all, e)
		}
	})
	return all
}

// Replaced are the effects of replacing or deleting a resource, beside its Loss.
func (c Catalog) Replaced(token string) []Effect {
	var all []Effect
	c.effects(token, func(e Effect) {
		if e.Path == "" {
			all = append(all, e)
		}
	})
	return all
}

// effects visits the effects of a type. Several components may have rows for one type, and their common facts count once.
func (c Catalog) effects(token string, visit func(Effect)) {
	seen := map[string]bool{}
	for _, r := range c {
		if r.Type != token {
			continue
		}
		for _, e := range r.Effects {
			if id := e.Path + "\n" + e.Says; !seen[id] {
				seen[id] = true
				visit(e)
			}
		}
	}
}

func (e Effect) valid() bool {
	_, err := regexp.Compile(e.Path)
	return err == nil && e.Does != 0 && e.Says != "" && (e.Way != "") == (e.Does == Impossible)
}
