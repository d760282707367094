package accounttest

import (
	"errors"
	"testing"

	"slipway/operation/account"
)

// An Acted is what the actor changes, created by whatever means the account has.
type Acted struct {
	Cluster  string // ARN, of Service
	Service  string // that scales from 1 to 4
	Database string
	Group    string // of schedules
	Schedule string // that is enabled
}

// testActs changes what runs, and reads it back.
func testActs(t *testing.T, w World) {
	ctx, actor, on := t.Context(), w.Account.Actor(), w.Acted(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	must(actor.Scale(ctx, on.Cluster, on.Service, 2))
	all, err := w.Account.ECS().Services(ctx, on.Cluster, []string{on.Service})
	if err != nil || len(all) != 1 || all[0].Desired != 2 {
		t.Errorf("after scaling to 2 the service is %+v, %v", all, err)
	}
	if err := actor.Scale(ctx, on.Cluster, "gone", 1); err == nil {
		t.Error("a service that does not exist was scaled")
	}
	deployment, err := actor.Restart(ctx, on.Cluster, on.Service)
	if err != nil || deployment == "" {
		t.Errorf("the restart is deployment %q, %v", deployment, err)
	}
	if all, err := w.Account.ECS().Services(ctx, on.Cluster, []string{on.Service}); err != nil || len(all) != 1 ||
		len(all[0].Deployments) == 0 || all[0].Deployments[0].ID != deployment {
		t.Errorf("after the restart as %s the service is %+v, %v", deployment, all, err)
	}
	if _, err := actor.Restart(ctx, on.Cluster, "gone"); err == nil {
		t.Error("a service that does not exist was restarted")
	}
	testScaling(t, w, on)
	testDatabase(t, w, on)
	testSchedule(t, w, on)
}

func testScaling(t *testing.T, w World, on Acted) {
	ctx, actor, observer := t.Context(), w.Account.Actor(), w.Account.Observe()
	is := func(want account.Scaling) {
		t.Helper()
		s, err := observer.Scaling(ctx, on.Cluster, []string{on.Service, "gone"})
		if err != nil || len(s) != 1 || s[on.Service] != want {
			t.Fatalf("scaling is %+v, %v: want %+v, of %s alone", s, err, want, on.Service)
		}
	}
	is(account.Scaling{Min: 1, Max: 4})
	want := account.Scaling{Min: 2, Max: 6, InSuspended: true, OutSuspended: true, TimeSuspended: true}
	if err := actor.SetScaling(ctx, on.Cluster, on.Service, want); err != nil {
		t.Fatal(err)
	}
	is(want)
}

func testDatabase(t *testing.T, w World, on Acted) {
	ctx, actor, observer := t.Context(), w.Account.Actor(), w.Account.Observe()
	status := func(want string) {
		t.Helper()
		if is, err := observer.Database(ctx, on.Database); err != nil || is.Status != want || is.Replicas {
			t.Errorf("the database is %+v, %v: want %s", is, err, want)
		}
	}
	status("available")
	if err := actor.StartDatabase(ctx, on.Database); err == nil {
		t.Error("a database that runs was started")
	}
	if err := actor.StopDatabase(ctx, on.Database); err != nil {
		t.Fatal(err)
	}
	status("stopped")
	if err := actor.StopDatabase(ctx, on.Database); err == nil {
		t.Error("a database that is stopped was stopped again")
	}
	if err := actor.StartDatabase(ctx, on.Database); err != nil {
		t.Fatal(err)
	}
	status("available")
	if _, err := observer.Database(ctx, "gone"); !errors.Is(err, account.ErrGone) {
		t.Errorf("a database that does not exist: %v", err)
	}
}

func testSchedule(t *testing.T, w World, on Acted) {
	ctx, actor, observer := t.Context(), w.Account.Actor(), w.Account.Observe()
	for _, want := range []bool{true, false, true} {
		if err := actor.Enable(ctx, on.Group, on.Schedule, want); err != nil {
			t.Fatal(err)
		}
		if is, there, err := observer.Enabled(ctx, on.Group, on.Schedule); err != nil || !there || is != want {
			t.Errorf("the schedule is there: %t, enabled: %t, %v; want %t", there, is, err, want)
		}
	}
	if _, there, err := observer.Enabled(ctx, on.Group, "gone"); err != nil || there {
		t.Errorf("a schedule that does not exist is there: %t, %v", there, err)
	}
	if err := actor.Enable(ctx, on.Group, "gone", true); err == nil {
		t.Error("a schedule that does not exist was enabled")
	}
}
