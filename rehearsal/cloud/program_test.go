package cloud

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/config"
	"slipway/internal/catalog"
)

// The model judges with lists of its own. They must agree with the program's: a stack that its configuration admits can be
// rehearsed, and a list of the program's that is wrong is found.
func TestTheProgramAndTheModelKnowTheSameRegionsAndRetentions(t *testing.T) {
	program := config.Regions()
	slices.Sort(program)
	if diff := cmp.Diff(Regions(), program); diff != "" {
		t.Errorf("regions (-model +program):\n%s", diff)
	}
	for name, r := range regions {
		if got := config.Partition(name); got != r.partition() {
			t.Errorf("%s is in partition %s for the program, in %s for the model", name, got, r.partition())
		}
	}
	days := []string{"0"} // for ever, which the program never asks for
	for _, n := range catalog.Retentions {
		days = append(days, strconv.Itoa(n))
	}
	if diff := cmp.Diff(retentions, days); diff != "" {
		t.Errorf("retention (-model +program):\n%s", diff)
	}
}
