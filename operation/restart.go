package operation

import (
	"context"
	"fmt"
	"strings"

	"slipway/verdict"
)

// A Restarted is what restart did.
type Restarted struct {
	Stack    string           `json:"stack"`
	Live     bool             `json:"live"`
	Services []string         `json:"services"`          // whose tasks were replaced
	Skipped  []string         `json:"skipped,omitempty"` // without tasks
	Verdict  *verdict.Verdict `json:"verdict,omitempty"` // nil: there was nothing to restart
}

// Restart replaces the tasks of one service, or of all, by new ones of the same task definition, and waits for the verdict. The result
// is also there, with the error, when the new tasks fail.
func Restart(ctx context.Context, t Target, service string) (report *Restarted, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	err = act(ctx, t, c, "restart", func(a *acting) error {
		var err error
		report, err = a.restart(ctx, service)
		return err
	})
	return report, err
}

func (a *acting) restart(ctx context.Context, name string) (*Restarted, error) {
	if err := a.notPaused(); err != nil {
		return nil, err
	}
	chosen := a.expected.Services
	if name != "" {
		one, err := a.service(name)
		if err != nil {
			return nil, err
		}
		chosen = []verdict.Running{one}
	}
	r := &Restarted{Stack: a.target.Stack, Live: a.target.Live, Services: []string{}}
	var running []verdict.Running
	for _, declared := range chosen {
		is, err := a.found(ctx, declared.Service)
		if err != nil {
			return nil, err
		}
		if is.Desired == 0 {
			r.Skipped = append(r.Skipped, a.part(declared.Service))
			continue
		}
		running = append(running, declared)
	}
	if len(running) == 0 {
		return r, nil
	}
	if err := a.agree("restart"); err != nil {
		return nil, err
	}
	for i := range running {
		deployment, err := a.account.Actor().Restart(ctx, a.expected.Cluster, running[i].Service)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w%s", running[i].Service, err, already(r.Services))
		}
		running[i].Restarted = deployment
		r.Services = append(r.Services, a.part(running[i].Service))
		a.target.Progress.Logf("Service %s: new tasks of %s replace those that run.", a.part(running[i].Service),
			running[i].TaskDefinition[strings.LastIndex(running[i].TaskDefinition, "/")+1:])
	}
	v, err := a.await(ctx, running, fmt.Sprintf("ECS continues to replace the tasks of %s, and keeps the old ones if the new ones fail. See: "+
		"slipway status%s", strings.Join(r.Services, ", "), a.target.Flags()))
	r.Verdict = &v
	return r, err
}

// already says which services are being restarted although another one could not be.
func already(services []string) string {
	if len(services) == 0 {
		return "; nothing was restarted"
	}
	return "; restarting already: " + strings.Join(services, ", ")
}
