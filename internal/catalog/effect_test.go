package catalog

import "testing"

func TestVersionsAreComparedByNumber(t *testing.T) {
	for _, c := range []struct {
		from, to     any
		older, newer bool
	}{
		{"17", "16", true, false}, {"16", "17", false, true}, {"17.4", "17.2", true, false}, {"17.2", "17.10", false, true},
		{"17.4", "17", false, true}, {"17", "17.4", false, true}, {"17", "17", false, false}, {"9.6", "17", false, true},
		{nil, "17", false, false}, {"17", "[unknown]", false, false}, {17.0, "16", false, false},
	} {
		if older, newer := Older(c.from, c.to), Newer(c.from, c.to); older != c.older || newer != c.newer {
			t.Errorf("%v -> %v: older %t, newer %t", c.from, c.to, older, newer)
		}
	}
}

// A type may have rows of several components. A common fact counts once.
func TestEffectsOfOneTypeCountOnce(t *testing.T) {
	row := Resource{Type: "a:b:C", Effects: []Effect{{Path: `size`, Does: Impossible, When: Fewer, Says: "no", Way: "x"},
		{Does: Interrupts, Says: "down"}}}
	c := Catalog{row, row, {Type: "a:b:D", Effects: []Effect{{Path: `size`, Does: Loses, Says: "y"}}}}
	if got := c.Effects("a:b:C", "size", 2.0, 1.0); len(got) != 1 || got[0].Does != Impossible {
		t.Errorf("less: %v", got)
	}
	if got := c.Effects("a:b:C", "size", 1.0, 2.0); len(got) != 0 {
		t.Errorf("more: %v", got)
	}
	if got := c.Effects("a:b:C", "sizes", 2.0, 1.0); len(got) != 0 {
		t.Errorf("another property: %v", got)
	}
	if got := c.Replaced("a:b:C"); len(got) != 1 || got[0].Says != "down" {
		t.Errorf("replaced: %v", got)
	}
}

func TestAnEffectIsComplete(t *testing.T) {
	for _, e := range []Effect{{Path: `(`, Does: Loses, Says: "x"}, {Path: `a`, Says: "x"}, {Path: `a`, Does: Loses}, {Path: `a`,
		Does: Impossible, Says: "x"},
		{Path: `a`, Does: Loses, Says: "x", Way: "y"}} {
		if err := (Resource{Type: "a:b:C", None: Deploy | Risks | Inert, Effects: []Effect{e}}).Check(); err == nil {
			t.Errorf("%+v is taken", e)
		}
	}
}
