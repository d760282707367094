package cloud

import "fmt"

// IAM is eventually consistent: "changes that I make are not always immediately visible" (IAM User Guide, "Troubleshoot IAM"). IAM itself
// sees them, and other services do some seconds later. With the fault IAMDelay each operation of another service meets the worst case:
// its first attempts see nothing of what this process created or changed in IAM. The answer is the one that the service gives if the
// role, its trust policy or its policies are not there.

// unseenAttempts is how many attempts of an operation do not see a change of IAM.
const unseenAttempts = 2

type delay struct {
	fresh    map[string]bool // what changed in IAM, by type and ID
	attempts map[string]int  // refused so far, by operation
	hiding   bool            // what changed is hidden from the current evaluation
}

func (d *delay) changed(o *Object) {
	if d.fresh == nil {
		d.fresh = map[string]bool{}
	}
	d.fresh[Key(o.Type, o.ID)] = true
}

// unseen reports whether the current evaluation does not see an object of IAM yet.
func (a *Account) unseen(o *Object) bool { return a.delay.hiding && a.delay.fresh[Key(o.Type, o.ID)] }

// retriedByECS are types whose tasks ECS starts again by itself. It checks neither role when it registers a task definition.
var retriedByECS = map[string]bool{serviceType: true, taskType: true}

// seesLinkedRole reports whether the account has the service-linked role of a service, and the current evaluation sees it.
func (a *Account) seesLinkedRole(service string) bool {
	for _, role := range a.list("aws:iam/serviceLinkedRole:ServiceLinkedRole") {
		if Inputs(role.Inputs).String("awsServiceName") == service {
			return !a.unseen(role)
		}
	}
	return false
}

// delayed is the refusal of an operation that depends on a change of IAM, in its first attempts. The caller holds the lock for writing.
func (a *Account) delayed(k *rule, o *Object, action string) error {
	if !a.IAMDelay || retriedByECS[o.Type] {
		return nil
	}
	a.delay.hiding = true
	err := a.checkState(k, o, action)
	a.delay.hiding = false
	e, ok := err.(*Error)
	if !ok || !a.refuses(o.URN+" "+action) {
		return nil
	}
	transient := *e
	transient.Why = transientReason
	return &transient
}

const transientReason = "a role or policy that it needs changed a moment ago, and this service does not see the change yet: IAM is " +
	"eventually consistent. Run the same command again: it continues from here"

// refuses counts the attempts of an operation, and reports whether this one comes too early.
func (a *Account) refuses(operation string) bool {
	if a.delay.attempts == nil {
		a.delay.attempts = map[string]int{}
	}
	a.delay.attempts[operation]++
	return a.delay.attempts[operation] <= unseenAttempts
}

// delayedTask is the refusal to start a task whose roles ECS does not see yet.
func (a *Account) delayedTask(run TaskRun) error {
	definition := a.definition(run.TaskDefinition)
	if !a.IAMDelay || definition == nil {
		return nil
	}
	for _, path := range []string{"executionRoleArn", "taskRoleArn"} {
		arn := Inputs(definition.Outputs).String(path)
		role := find(a, "arn", arn, roleType)
		if role != nil && a.delay.fresh[Key(role.Type, role.ID)] && a.refuses(run.TaskDefinition+" ecs:RunTask") {
			return &Error{Code: "ClientException", Why: transientReason,
				Message: fmt.Sprintf("ECS was unable to assume the role '%s' that was provided for this task.", arn)}
		}
	}
	return nil
}

// Delayed lists the operations that were refused because a change of IAM was too new: the URN of the resource and the action.
func (a *Account) Delayed() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return sortedKeys(a.delay.attempts)
}
