package reach

import (
	"slices"
)

// Ask answers the question. Of a source or a destination with several places it checks all pairs.
func (n *Network) Ask(q Question) Answer {
	if q.Protocol == "" {
		q.Protocol = "tcp"
	}
	a := Answer{From: q.from(), To: q.to(), Port: q.Port}
	t := n.check(&q)
	a.Path, a.Open = t.hops, t.ok()
	if a.Open {
		return a
	}
	var blocks []Block
	now, asked := n, q
	for i := 0; !t.ok() && i < most; i++ {
		one := asked
		if t.from != nil {
			one.From.Places = []Place{*t.from}
		}
		more, path := now.solve(one, t, 1)
		for d := 2; path == nil && d <= depth; d++ {
			more, path = now.solve(one, t, d)
		}
		if i == 0 && path != nil {
			a.Path = path
		}
		blocks = append(blocks, more...)
		if path == nil {
			break
		}
		now, asked = Apply(now, asked, repairsOf(more)...)
		t = now.check(&asked)
	}
	a.Blocks = n.minimal(q, blocks)
	for i, h := range a.Path {
		if slices.ContainsFunc(a.Blocks, func(b Block) bool { return b.At == h.At }) {
			a.Path[i].Detail = "once fixed, " + h.Detail
		}
	}
	return a
}

// depth is how many times in a row a search may choose between alternatives.
const depth = 4

// most is how many repairs a search may collect.
const most = 64

func (q *Question) from() string {
	if q.From.Kind == Internet {
		return "internet"
	}
	return named(q.From.Label, q.From.ID)
}

func (q *Question) to() string {
	switch {
	case q.To.Node != nil:
		return named(q.To.Node.Label, q.To.Node.ID)
	case q.To.Name != "":
		return q.To.Name
	}
	return q.To.Address.String()
}

// check follows the connection between all places, and returns the first trace that is blocked, or else the first one.
func (n *Network) check(q *Question) *trace {
	vpc := q.From.VPC
	if q.From.Kind == Internet {
		vpc = ""
	}
	d := n.resolve(q, vpc)
	var first *trace
	for _, from := range ends(q.From.Places, q.From.Kind == Internet) {
		for _, to := range ends(d.places, d.outside.IsValid()) {
			if from == nil && to == nil {
				return &trace{lost: &Block{At: d.label, Why: "it is not in this account"}}
			}
			t := n.follow(q, d, from, to)
			if !t.ok() {
				return t
			}
			if first == nil {
				first = t
			}
		}
	}
	if first == nil {
		at := d.label
		if len(q.From.Places) == 0 {
			at = named(q.From.Label, q.From.ID)
		}
		return &trace{lost: &Block{At: at, Why: "it is in no subnet"}}
	}
	return first
}

// ends are the places, or one nil for an end outside of all VPCs.
func ends(places []Place, outside bool) []*Place {
	if outside {
		return []*Place{nil}
	}
	all := make([]*Place, len(places))
	for i := range places {
		all[i] = &places[i]
	}
	return all
}

// solve collects the repairs that open the connection, starting with what stopped a trace. Where a route leads nowhere it tries the
// alternatives, and takes the one that needs the fewest repairs.
func (n *Network) solve(q Question, t *trace, depth int) (blocks []Block, path []Hop) {
	for range most {
		if t.ok() {
			return blocks, t.hops
		}
		if t.lost != nil {
			more, after := n.choose(q, t, depth)
			return append(blocks, more...), after
		}
		// A repair that did not help is not tried again.
		if slices.ContainsFunc(t.blocks, func(b Block) bool { return slices.Contains(repairsOf(blocks), b.Repair) }) {
			return append(blocks, t.blocks...), nil
		}
		blocks = append(blocks, t.blocks...)
		n, q = Apply(n, q, repairsOf(t.blocks)...)
		t = n.check(&q)
	}
	return blocks, nil
}

// choose tries the alternatives of a route that leads nowhere. path is nil if none of them opens the connection.
func (n *Network) choose(q Question, t *trace, depth int) (best []Block, path []Hop) {
	best = append(slices.Clone(t.blocks), *t.lost)
	if depth == 0 {
		return best, nil
	}
	for _, r := range t.repairs {
		all := append(slices.Clone(t.blocks), Block{t.lost.At, t.lost.Why, r})
		if path != nil && len(all) >= len(best) {
			continue
		}
		c, asked := Apply(n, q, repairsOf(all)...)
		more, hops := c.solve(asked, c.check(&asked), depth-1)
		if all = append(all, more...); hops != nil && (path == nil || len(all) < len(best)) {
			best, path = all, hops
		}
	}
	return best, path
}

func repairsOf(blocks []Block) []Repair {
	var all []Repair
	for _, b := range blocks {
		if b.Repair.Change != "" {
			all = append(all, b.Repair)
		}
	}
	return all
}

// Opens reports whether the repairs open the connection.
func (n *Network) Opens(q Question, repairs ...Repair) bool {
	if q.Protocol == "" {
		q.Protocol = "tcp"
	}
	c, asked := Apply(n, q, repairs...)
	return c.check(&asked).ok()
}

// minimal drops repairs without which the others still open the connection, the last one first.
func (n *Network) minimal(q Question, blocks []Block) []Block {
	if !n.Opens(q, repairsOf(blocks)...) {
		return blocks
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		if rest := slices.Delete(slices.Clone(blocks), i, i+1); n.Opens(q, repairsOf(rest)...) {
			blocks = rest
		}
	}
	return blocks
}
