package operation

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"slipway/operation/account"
	"slipway/verdict"
)

// ScaleArgs say how many tasks a service gets.
type ScaleArgs struct {
	Service string
	Tasks   string // "3", or "2..6" for a service that scales
}

// Tasks are how many tasks a service has, or may have.
type Tasks struct {
	Min   int `json:"min,omitempty"` // of scaling; 0: the service does not scale
	Max   int `json:"max,omitempty"`
	Count int `json:"count"` // desired now
}

func (t Tasks) String() string {
	if t.Max == 0 {
		return some(t.Count, false, "task")
	}
	if t.Min == t.Max {
		return some(t.Max, false, "task")
	}
	return fmt.Sprintf("%d to %s", t.Min, some(t.Max, false, "task"))
}

// A Scaled is what scale did.
type Scaled struct {
	Stack    string           `json:"stack"`
	Live     bool             `json:"live"`
	Service  string           `json:"service"`
	Was      Tasks            `json:"was"`
	Is       Tasks            `json:"is"`
	Changed  bool             `json:"changed"`
	Settings []string         `json:"settings,omitempty"` // that keep it in the next up: "slipway:web.min: 3"; none: the file says so already
	Nested   string           `json:"-"`                  // the same, as YAML that can be pasted below config
	File     string           `json:"file"`               // of the stack, where they belong
	Verdict  *verdict.Verdict `json:"verdict,omitempty"`  // nil: nothing was changed
}

// Scale changes how many tasks a service has, or between which numbers it scales, and waits until they run. The configuration stays as
// it is: the next up reverts the change, and lists it in its plan.
func Scale(ctx context.Context, t Target, args ScaleArgs) (report *Scaled, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	low, high, err := tasksOf(args.Tasks)
	if err != nil {
		return nil, err
	}
	err = act(ctx, t, c, "scale", func(a *acting) error {
		var err error
		report, err = a.scaleTo(ctx, args.Service, low, high)
		return err
	})
	return report, err
}

// tasksOf reads "3" or "2..6"; high is -1 for one number.
func tasksOf(words string) (low, high int, err error) {
	first, last, ranged := strings.Cut(words, "..")
	low, err = strconv.Atoi(first)
	high = -1
	if ranged && err == nil {
		high, err = strconv.Atoi(last)
	}
	if err == nil && ranged && 0 <= high && high < low {
		return 0, 0, UsageError{fmt.Errorf("the range %s has a minimum above its maximum: did you mean %d..%d?", words, high, low)}
	}
	if err != nil || low < 0 || ranged && high < low {
		return 0, 0, UsageError{fmt.Errorf("%q is not a number of tasks: expected one, such as 3, or a range, such as 2..6", words)}
	}
	return low, high, nil
}

func (a *acting) scaleTo(ctx context.Context, name string, low, high int) (*Scaled, error) {
	if err := a.notPaused(); err != nil {
		return nil, err
	}
	declared, err := a.service(name)
	if err != nil {
		return nil, err
	}
	is, err := a.found(ctx, declared.Service)
	if err != nil {
		return nil, err
	}
	scaling, err := a.scaling(ctx, declared.Service)
	if err != nil {
		return nil, err
	}
	r := &Scaled{Stack: a.target.Stack, Live: a.target.Live, Service: a.part(declared.Service), Was: Tasks{Count: is.Desired},
		File: filepath.Base(a.config.file)}
	if scaling != nil {
		r.Was.Min, r.Was.Max = scaling.Min, scaling.Max
		if high < 0 {
			high = max(low, scaling.Max)
		}
		r.Is = Tasks{Min: low, Max: high, Count: min(max(is.Desired, low), high)}
	} else {
		if high >= 0 {
			return nil, UsageError{fmt.Errorf("service %s does not scale by itself: give one number of tasks", r.Service)}
		}
		r.Is = Tasks{Count: low}
	}
	if err := a.permits(r); err != nil {
		return nil, err
	}
	if r.Changed = r.Was != r.Is; !r.Changed {
		return r, nil
	}
	if err := a.agree("scale"); err != nil {
		return nil, err
	}
	return r, a.setTasks(ctx, r, declared, scaling)
}

// setTasks makes the change, and waits until the tasks run.
func (a *acting) setTasks(ctx context.Context, r *Scaled, declared verdict.Running, scaling *account.Scaling) error {
	actor := a.account.Actor()
	if scaling != nil {
		scaling.Min, scaling.Max = r.Is.Min, r.Is.Max
		if err := actor.SetScaling(ctx, a.expected.Cluster, declared.Service, *scaling); err != nil {
			return fmt.Errorf("the scaling of service %s: %w", declared.Service, err)
		}
	}
	// A new minimum alone starts no task until an alarm does (ECS guide, "Automatically scale your Amazon ECS service", considerations).
	if r.Was.Count != r.Is.Count {
		if err := actor.Scale(ctx, a.expected.Cluster, declared.Service, r.Is.Count); err != nil {
			return fmt.Errorf("service %s: %w", declared.Service, err)
		}
	}
	a.target.Progress.Logf("Service %s: %s instead of %s. Waiting until they run.", r.Service, r.Is, r.Was)
	declared.Tasks = r.Is.Count
	v, err := a.await(ctx, []verdict.Running{declared}, fmt.Sprintf("ECS continues to start or stop tasks of %s until there are %d. See: "+
		"slipway status%s", r.Service, r.Is.Count, a.target.Flags()))
	r.Verdict = &v
	return err
}

// permits refuses what the configuration would refuse, such as more connections than the database has, and finds the settings that keep
// the change.
func (a *acting) permits(r *Scaled) error {
	var wanted []string
	nested := ""
	keys := a.config.stack
	if r.Service == "web" {
		if keys.Web.Min != r.Is.Min {
			wanted = append(wanted, fmt.Sprintf("web.min=%d", r.Is.Min))
			nested += fmt.Sprintf("\n  min: %d", r.Is.Min)
		}
		if keys.Web.Max != r.Is.Max {
			wanted = append(wanted, fmt.Sprintf("web.max=%d", r.Is.Max))
			nested += fmt.Sprintf("\n  max: %d", r.Is.Max)
		}
	} else {
		name := strings.TrimPrefix(r.Service, "worker-")
		for i, w := range keys.Workers {
			if w.Name == name && w.Count != r.Is.Count {
				wanted = append(wanted, fmt.Sprintf("workers[%d].count=%d", i, r.Is.Count))
				nested = fmt.Sprintf("\n  - name: %s\n    count: %d", w.Name, r.Is.Count)
			}
		}
	}
	t := a.target
	t.Overrides = append(slices.Clone(t.Overrides), wanted...)
	if _, err := configure(t); err != nil {
		words := strings.ReplaceAll(err.Error(), "--config ", "")
		return UsageError{fmt.Errorf("service %s cannot have %s; nothing was changed:\n  %s", r.Service, r.Is,
			strings.ReplaceAll(words, "\n", "\n  "))}
	}
	if len(wanted) > 0 {
		top, _, _ := strings.Cut(strings.ReplaceAll(wanted[0], "[", "."), ".")
		r.Nested = cmp.Or(keys.Project, "slipway") + ":" + top + ":" + nested
	}
	for _, one := range wanted {
		key, value, _ := strings.Cut(one, "=")
		r.Settings = append(r.Settings, cmp.Or(keys.Project, "slipway")+":"+key+": "+value)
	}
	return nil
}
