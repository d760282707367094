package cloud

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var breaker = properties{"deploymentCircuitBreaker": properties{"enable": true, "rollback": true}}

// A failed deployment is rolled back as in ECS, and the update succeeds.
func TestADeploymentIsRolledBack(t *testing.T) {
	w := siteWorld(t)
	w.inputs["service"] = changed(w.inputs["service"], breaker)
	var fails *Failure
	asked := 0
	w.a.Healthy = func(service, definition *Object) *Failure {
		asked++
		if service.Type != serviceType || definition == nil || definition.Type != taskType {
			t.Errorf("asked about %v and %v", service, definition)
		}
		return fails
	}
	first := w.made["task"]
	second := w.create(taskType, "second", w.inputs["task"])
	arn := func(o *Object) string { return Inputs(o.Outputs).String("arn") }
	runs := func() string {
		return Inputs(w.a.Object(serviceType, w.id("service")).Outputs).String("taskDefinition")
	}

	fails = &Failure{Container: "django", ExitCode: 3, Reason: "Essential container in task exited", Logs: []string{"boom"}}
	if err := w.update("service", properties{"taskDefinition": arn(second)}); err != nil {
		t.Fatalf("a rollback looks like a success, got %v", err)
	}
	if runs() != arn(first) || asked != 1 {
		t.Errorf("the service runs %s, want %s; asked %d times", runs(), arn(first), asked)
	}
	all := w.a.Rollouts()
	if len(all) != 1 || !all[0].Back || all[0].TaskDefinition != arn(second) || all[0].Failure.ExitCode != 3 || len(all[0].Tasks) != 3 {
		t.Fatalf("rollouts are %+v", all)
	}

	// The next diff compares with the task definition that runs, as the provider does.
	outputs := w.a.Object(serviceType, w.id("service")).Outputs
	plan, err := w.a.Diff(Difference{Type: serviceType, OldInputs: changed(w.inputs["service"], properties{"taskDefinition": arn(second)}),
		OldOutputs: outputs,
		News:       changed(w.inputs["service"], properties{"taskDefinition": arn(second)})})
	if err != nil || !slices.ContainsFunc(plan.Changes, func(c PropertyChange) bool { return c.Path == "taskDefinition" && !c.Replaces }) {
		t.Errorf("the plan is %+v, %v", plan, err)
	}

	// The program deletes the old definition; the service keeps using it, as it does in ECS while the definition is INACTIVE.
	if err := w.delete("task"); err != nil {
		t.Fatal(err)
	}
	kept := w.a.Object(taskType, first.ID)
	if kept == nil || kept.URN != "" || slices.ContainsFunc(w.a.Made(), func(o *Object) bool { return o.ID == first.ID }) {
		t.Fatalf("the definition that runs is %+v", kept)
	}

	// All of this is stored in the file.
	if err := w.a.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	if again := w.a.Rollouts(); len(again) != 1 || again[0].Failure.Logs[0] != "boom" || w.a.Object(taskType, first.ID) == nil {
		t.Errorf("after opening: %+v", again)
	}

	// A successful deployment drops the record of the failed one, and the retired definition.
	if err := w.update("service", properties{"taskDefinition": arn(second)}); err != nil {
		t.Fatal(err)
	}
	if runs() != arn(second) || len(w.a.Rollouts()) != 0 || w.a.Object(taskType, first.ID) != nil {
		t.Errorf("runs %s, rollouts %+v, old definition %v", runs(), w.a.Rollouts(), w.a.Object(taskType, first.ID))
	}
}

// A first deployment cannot be rolled back: the wait ends in a timeout, and the service exists.
func TestAFirstDeploymentFails(t *testing.T) {
	w := siteWorld(t)
	w.a.Healthy = func(_, _ *Object) *Failure {
		return &Failure{Container: "django", ExitCode: NeverStarted, Reason: "CannotPullContainerError"}
	}
	in := changed(w.inputs["service"], properties{"name": "other", "waitForSteadyState": true})
	id, _, err := w.a.Create(Change{Type: serviceType, URN: urn(serviceType, "other"), Inputs: in})
	var unsteady *Unsteady
	if !errors.As(err, &unsteady) || !strings.Contains(err.Error(), "timeout while waiting for state to become 'tfSTABLE'") ||
		w.a.Object(serviceType, id) == nil {
		t.Fatalf("ID %q, error %v", id, err)
	}
	if all := w.a.Rollouts(); len(all) != 1 || all[0].Back {
		t.Errorf("rollouts are %+v", all)
	}
	// Neither can a second attempt.
	if _, err := w.a.Update(Change{Type: serviceType, URN: urn(serviceType, "other"), ID: id, Inputs: in}, in); !errors.As(err, &unsteady) ||
		unsteady.Operation != "update" {
		t.Errorf("error %v", err)
	}
	// Without tasks nothing can fail.
	if _, err := w.a.Update(Change{Type: serviceType, URN: urn(serviceType, "other"), ID: id,
		Inputs: changed(in, properties{"desiredCount": 0})}, in); err != nil {
		t.Error(err)
	}
	if len(w.a.Rollouts()) != 0 {
		t.Errorf("rollouts are %+v", w.a.Rollouts())
	}
	if err := w.a.Delete(serviceType, id); err != nil {
		t.Fatal(err)
	}
}

// A Failure from Carry means that the deployment failed; any other error means that it was not attempted.
func TestCarryDecidesHowADeploymentEnds(t *testing.T) {
	w := siteWorld(t)
	w.inputs["service"] = changed(w.inputs["service"], breaker)
	second := w.create(taskType, "second", w.inputs["task"])
	was := Inputs(w.a.Object(serviceType, w.id("service")).Outputs).String("taskDefinition")
	for _, c := range []struct {
		name     string
		carry    error
		err      bool
		rollouts int
	}{
		{"no engine", errors.New("no engine"), true, 0},
		{"tasks that fail", errors.Join(errors.New("service web"), &Failure{Container: "django", ExitCode: 1, Reason: "exited"}), false, 1},
	} {
		w.a.Carry = func(_, _ *Object) error { return c.carry }
		err := w.update("service", properties{"taskDefinition": Inputs(second.Outputs).String("arn")})
		runs := Inputs(w.a.Object(serviceType, w.id("service")).Outputs).String("taskDefinition")
		if (err != nil) != c.err || len(w.a.Rollouts()) != c.rollouts || runs != was {
			t.Errorf("%s: error %v, runs %s, rollouts %+v", c.name, err, runs, w.a.Rollouts())
		}
	}
}

func TestTolerated(t *testing.T) {
	for wanted, want := range map[int]int{0: 3, 1: 3, 6: 3, 7: 4, 20: 10, 400: 200, 1000: 200} {
		if got := tolerated(wanted); got != want {
			t.Errorf("of %d tasks %d may fail, want %d", wanted, got, want)
		}
	}
}

// A definition that skips its destruction is ACTIVE after the program has replaced it, and after its service is gone.
func TestADefinitionThatSkipsDestroyStaysRegistered(t *testing.T) {
	w := siteWorld(t)
	var deregistered int
	w.a.Before = func(_ int, action string, _ *Object) error {
		if action == "ecs:DeregisterTaskDefinition" {
			deregistered++
		}
		return nil
	}
	kept := w.create(taskType, "kept", changed(w.inputs["task"], properties{"skipDestroy": true}))
	for range 2 { // the engine may ask again after it was killed
		if err := w.delete("kept"); err != nil {
			t.Fatal(err)
		}
	}
	o := w.a.Object(taskType, kept.ID)
	if o == nil || o.URN != "" || o.Owner != "" || deregistered != 0 {
		t.Fatalf("the definition is %+v after %d calls", o, deregistered)
	}
	next := w.create(taskType, "next", changed(w.inputs["task"], properties{"skipDestroy": true}))
	if got, was := Inputs(next.Outputs).Int("revision"), Inputs(o.Outputs).Int("revision"); got != was+1 {
		t.Errorf("the next revision is %d, want the one after %d", got, was)
	}
	plain := w.create(taskType, "plain", w.inputs["task"])
	if err := w.delete("plain"); err != nil || w.a.Object(taskType, plain.ID) != nil || deregistered != 1 {
		t.Errorf("a definition without skipDestroy stays: %v, %d calls", err, deregistered)
	}
}

// The provider sends the number of tasks only if the program changes it. Another task definition must not undo what scaling did.
func TestANewReleaseKeepsTheNumberOfTasks(t *testing.T) {
	w := siteWorld(t)
	second := w.create(taskType, "second", w.inputs["task"])
	number := func() any { return w.a.Object(serviceType, w.id("service")).Outputs["desiredCount"] }
	if err := w.a.Alter(serviceType, w.id("service"), func(o *Object) { o.Outputs["desiredCount"] = 7.0 }); err != nil {
		t.Fatal(err)
	}
	if err := w.update("service", properties{"taskDefinition": second.Outputs["arn"]}); err != nil || number() != 7.0 {
		t.Errorf("after a release: %v tasks, want 7; %v", number(), err)
	}
	if err := w.update("service", properties{"desiredCount": 3}); err != nil || number() != 3.0 {
		t.Errorf("after another number: %v tasks, want 3; %v", number(), err)
	}
}
