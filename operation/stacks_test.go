package operation

import "testing"

// A stack that was never bootstrapped has no place where it could be up, and is listed as that. Nothing in AWS is asked.
func TestStacksThatAreNotBootstrapped(t *testing.T) {
	for _, live := range []bool{true, false} {
		all, err := Stacks(t.Context(), Target{Root: checkout(t), Live: live, Progress: logged{t}})
		if err != nil || len(all) < 3 {
			t.Fatalf("%+v, %v", all, err)
		}
		for _, e := range all {
			if e.NotBootstrapped != live || e.Up || e.Problem != "" {
				t.Errorf("%+v", e)
			}
		}
	}
}
