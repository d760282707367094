//go:build unix

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A step is one step of the story: what it does, how long AWS takes for it, and what must hold after it.
type step struct {
	name  string
	says  string
	takes span
	does  func(*run, context.Context) error
}

// An up is what slipway writes after up, promote or rollback.
type up struct {
	Release string
	Changes []struct{ Name, Op string }
	Counts  map[string]int
	Outputs struct {
		URL    string
		Images images
	}
	Verdict struct {
		Good    bool
		Reasons []string
	}
}

type images struct{ Django, Nginx string }

// digests are the images without their repositories, which each stack has of its own.
func (i images) digests() []string {
	var all []string
	for _, image := range []string{i.Django, i.Nginx} {
		_, digest, _ := strings.Cut(image, "@")
		all = append(all, digest)
	}
	slices.Sort(all)
	return all
}

// story is the steps of a run. The durations are those of public apply logs: NAT gateway 115 s, balancer 174 s, database 450 s,
// migration 60 to 90 s, service 60 to 150 s; of a delete the service's draining, the database (110 to 285 s) and the NAT
// gateway. What has no sample is an estimate.
func story() []step {
	return []step{
		{"bootstrap-dev", "state bucket, key, and roles if --github is given", minutes(0.3, 1), bootstrap("dev")},
		{"bootstrap-staging", "the same for the second stack", minutes(0.3, 1), bootstrap("staging")},
		{"up-dev", "build both images, deploy everything, migrate, judge", minutes(11, 22), (*run).upDev},
		{"up-dev-again", "a second up changes nothing", minutes(0.5, 2), (*run).upDevAgain},
		{"promote", "the same images into the new stack staging", minutes(10, 18), (*run).promote},
		{"failing-migration", "a migration that fails leaves dev as it was", minutes(3, 8), (*run).failingMigration},
		{"mend", "the fixed release is deployed in dev", minutes(4, 10), (*run).mend},
		{"promote-again", "the second release into staging", minutes(4, 9), (*run).promoteAgain},
		{"rollback", "staging goes back to the first release", minutes(3, 8), (*run).rollback},
		{"no-drift", "staging is as slipway left it", minutes(0.3, 2), (*run).noDrift},
		{"drift", "a retention changed by hand is found", minutes(0.3, 2), (*run).drift},
		{"repair", "up reverts it, and keeps the release", minutes(1, 4), (*run).repair},
		{"destroy", "both stacks, at the same time", minutes(6, 20), (*run).destroy},
	}
}

func bootstrap(stack string) func(*run, context.Context) error {
	return func(r *run, ctx context.Context) error {
		var made struct{ Account, Bucket, Key, Role, Boundary string }
		if _, err := r.must(ctx, 0, &made, "bootstrap", "--stack", stack, "--yes", "--json"); err != nil {
			return err
		}
		if made.Account != r.Account || made.Bucket == "" || made.Key == "" {
			return fmt.Errorf("bootstrap says %+v", made)
		}
		if r.GitHub != "" && (made.Role == "" || made.Boundary == "") {
			return fmt.Errorf("bootstrap made no role or no boundary: %+v", made)
		}
		versioned, err := r.aws.versioned(ctx, made.Bucket)
		if err == nil && !versioned {
			err = fmt.Errorf("bucket %s has no versions", made.Bucket)
		}
		return err
	}
}

// judged checks a deployment's verdict, and that ECS runs its images.
func (r *run) judged(ctx context.Context, stack string, d up) error {
	if !d.Verdict.Good {
		return fmt.Errorf("the verdict is not good: %s", strings.Join(d.Verdict.Reasons, "; "))
	}
	return r.runs(ctx, stack, d.Outputs.Images)
}

// runs checks that ECS itself runs these images.
func (r *run) runs(ctx context.Context, stack string, want images) error {
	running, err := r.aws.digests(ctx, r.Project+"-"+stack+"-site", r.Project+"-"+stack+"-web")
	if err != nil {
		return err
	}
	if !slices.Equal(running, want.digests()) {
		return fmt.Errorf("ECS runs %v in stack %s, want %v", running, stack, want.digests())
	}
	return nil
}

func (r *run) upDev(ctx context.Context) error {
	if _, err := r.must(ctx, 0, &r.first, "up", "--stack", "dev", "--yes", "--json"); err != nil {
		return err
	}
	r.note("%d changes; %s", len(r.first.Changes), r.first.Outputs.URL)
	if len(r.first.Changes) == 0 {
		return errors.New("the first up changed nothing")
	}
	return r.judged(ctx, "dev", r.first)
}

func (r *run) upDevAgain(ctx context.Context) error {
	var again up
	if _, err := r.must(ctx, 0, &again, "up", "--stack", "dev", "--yes", "--json"); err != nil {
		return err
	}
	if len(again.Changes) > 0 {
		first := again.Changes[0]
		return fmt.Errorf("a second up changed %d resources, the first of them %s (%s)", len(again.Changes), first.Name, first.Op)
	}
	return nil
}

// promoted promotes what dev runs, and checks that staging runs the same images.
func (r *run) promoted(ctx context.Context, want up) error {
	var there up
	if _, err := r.must(ctx, 0, &there, "promote", "--from", "dev", "--to", "staging", "--yes", "--json"); err != nil {
		return err
	}
	got, asked := there.Outputs.Images, want.Outputs.Images
	if there.Release != want.Release || !slices.Equal(got.digests(), asked.digests()) {
		return fmt.Errorf("staging got release %s with %v, want %s with %v", there.Release, got, want.Release, asked)
	}
	return r.judged(ctx, "staging", there)
}

func (r *run) promote(ctx context.Context) error { return r.promoted(ctx, r.first) }

func (r *run) failingMigration(ctx context.Context) error {
	if err := r.migration(true); err != nil {
		return err
	}
	a, err := r.must(ctx, 1, nil, "up", "--stack", "dev", "--yes", "--json")
	if err != nil {
		return err
	}
	if !strings.Contains(a.stderr, "migration") || !strings.Contains(a.stderr, "failed") {
		return fmt.Errorf("up failed, but not because of the migration:\n%s", tail(a.stderr, 20))
	}
	return r.runs(ctx, "dev", r.first.Outputs.Images)
}

// migration adds a migration to the copied app.
func (r *run) migration(fails bool) error {
	file, after, err := nextMigration(filepath.Join(r.Root, "app"))
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(r.Root, file)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "project", rel), []byte(migration(after, fails)), 0o644)
}

func (r *run) mend(ctx context.Context) error {
	if err := r.migration(false); err != nil {
		return err
	}
	if _, err := r.must(ctx, 0, &r.second, "up", "--stack", "dev", "--yes", "--json"); err != nil {
		return err
	}
	if slices.Equal(r.second.Outputs.Images.digests(), r.first.Outputs.Images.digests()) {
		return errors.New("the second release has the images of the first")
	}
	return r.judged(ctx, "dev", r.second)
}

func (r *run) promoteAgain(ctx context.Context) error { return r.promoted(ctx, r.second) }

func (r *run) rollback(ctx context.Context) error {
	var back up
	if _, err := r.must(ctx, 0, &back, "rollback", "--stack", "staging", "--yes", "--json"); err != nil {
		return err
	}
	if back.Release != r.first.Release {
		return fmt.Errorf("rollback went to release %s, want %s", back.Release, r.first.Release)
	}
	return errors.Join(r.judged(ctx, "staging", back), r.runs(ctx, "staging", r.first.Outputs.Images))
}

func (r *run) noDrift(ctx context.Context) error {
	_, err := r.must(ctx, 0, nil, "drift", "--stack", "staging", "--json")
	return err
}

func (r *run) drift(ctx context.Context) error {
	group := "/" + r.Project + "/staging/django"
	if err := r.aws.retain(ctx, group, 1); err != nil {
		return err
	}
	var found struct {
		Drift     bool
		Resources []struct{ Name, ID, Class string }
	}
	if _, err := r.must(ctx, 3, &found, "drift", "--stack", "staging", "--json"); err != nil {
		return err
	}
	if len(found.Resources) != 1 || found.Resources[0].ID != group || found.Resources[0].Class != "dangerous" {
		return fmt.Errorf("drift found %+v, want %s alone, and dangerous", found.Resources, group)
	}
	return nil
}

func (r *run) repair(ctx context.Context) error {
	var there up
	if _, err := r.must(ctx, 0, &there, "up", "--stack", "staging", "--yes", "--json", "--release", r.first.Release); err != nil {
		return err
	}
	if len(there.Changes) != 1 {
		return fmt.Errorf("up changed %d resources, want the log group alone", len(there.Changes))
	}
	days, err := r.aws.retention(ctx, "/"+r.Project+"/staging/django")
	if err == nil && days != logDays {
		err = fmt.Errorf("the log group keeps its lines %d days, want %d", days, logDays)
	}
	if err != nil {
		return err
	}
	_, err = r.must(ctx, 0, nil, "drift", "--stack", "staging", "--json")
	return errors.Join(err, r.runs(ctx, "staging", r.first.Outputs.Images))
}

func (r *run) destroy(ctx context.Context) error {
	return both(func(stack string) error {
		if _, err := r.must(ctx, 0, nil, "destroy", "--stack", stack, "--confirm", stack, "--yes", "--json"); err != nil {
			return err
		}
		resources, err := r.state(ctx, stack)
		if err == nil && len(resources.Resources)+len(resources.Pending) > 0 {
			err = fmt.Errorf("after destroy the state of %s still has %d resources", stack, len(resources.Resources))
		}
		return err
	})
}

// both runs a function for both stacks at the same time.
func both(do func(stack string) error) error {
	errs := make([]error, len(stacks))
	done := make(chan struct{})
	for i, stack := range stacks {
		go func() {
			defer func() { done <- struct{}{} }()
			if err := do(stack); err != nil {
				errs[i] = fmt.Errorf("stack %s: %w", stack, err)
			}
		}()
	}
	for range stacks {
		<-done
	}
	return errors.Join(errs...)
}
