package bootstrap

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestWhatAnotherProjectBootstrappedIsRefused(t *testing.T) {
	const id = "arn:aws:kms:us-east-1:123456789012:key/1"
	for _, c := range []struct {
		name, found, owner, known, own string
		foreign                        bool
	}{
		{"nothing is there", "", "", "", "ann:/shop", false},
		{"a run that was killed", id, "ann:/shop", "", "ann:/shop", false},
		{"the template in another folder", id, "ann:/shop", "", "ann:/other", true},
		{"it does not say whose it is", id, "", "", "ann:/shop", true},
		{"the stack's file names it", id, "ann:/shop", id, "bob:/shop", false},
		{"the stack's file names another one", id, "ann:/shop", id + "2", "bob:/shop", true},
		{"nothing is checked", id, "ann:/shop", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var made bool
			r := Resource{
				What: "the key", Find: func(context.Context) (string, error) { return c.found, nil },
				Make:  func(context.Context) (string, error) { made = true; return id, nil },
				Owner: func(context.Context, string) (string, error) { return c.owner, nil },
			}
			_, err := (&Spec{Owner: c.own}).own(r, c.known).Apply(t.Context())
			var foreign *ForeignError
			if errors.As(err, &foreign) != c.foreign || err != nil && !c.foreign {
				t.Errorf("got %v", err)
			}
			if made != (c.found == "") {
				t.Errorf("made: %t", made)
			}
			if c.foreign && (foreign.Own != c.own || foreign.Owner != c.owner || foreign.ID != id) {
				t.Errorf("got %+v", foreign)
			}
		})
	}
}

func TestTheOwnerIsAValueThatAWSTakes(t *testing.T) {
	if got := Owned("ann's-laptop:/src/{shop}/é"); got != "ann_s-laptop:/src/_shop_/é" {
		t.Errorf("got %q", got)
	}
	if got := Owned(strings.Repeat("a", 300) + "end"); len(got) != 256 || !strings.HasSuffix(got, "end") {
		t.Errorf("got %q", got)
	}
}
