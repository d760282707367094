package containers

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
)

// Health checks: a container's own, which Docker runs, and those of a load balancer, which this package sends. What a check
// said when it failed is kept, because a status alone does not say what to change.

// An unwell is why a task must stop, and what the health check said that it failed.
type unwell struct {
	reason string // in ECS's wording
	said   []string
	target bool // the load balancer's check failed, which goes through all containers
}

func (e *unwell) Error() string {
	if len(e.said) == 0 {
		return e.reason
	}
	return e.reason + ": " + strings.Join(e.said, "; ")
}

// unhealthy is a container whose own health check failed.
func (b *box) unhealthy() *unwell {
	e := &unwell{reason: "Task failed container health checks"}
	if n := len(b.State.Health.Log); n > 0 {
		last := b.State.Health.Log[n-1]
		e.said = append(e.said, fmt.Sprintf("exit code %d after %d tries", last.ExitCode, b.State.Health.FailingStreak))
		for line := range strings.Lines(last.Output) {
			if line = strings.TrimSpace(line); line != "" {
				e.said = append(e.said, line)
			}
		}
		const most = 6
		if len(e.said) > most {
			e.said = append(e.said[:1], e.said[len(e.said)-most+1:]...)
		}
	}
	return e
}

// A probe is the health check of a target group.
type probe struct {
	group                    *cloud.Object
	path, matcher            string
	interval, unhealthyAfter int
	healthyAfter             int
	port                     int
	client                   *http.Client
}

func (r *Run) probe(target cloud.Inputs) (*probe, error) {
	group := r.find("aws:lb/targetGroup:TargetGroup", "arn", target.String("targetGroupArn"))
	if group == nil {
		return nil, fmt.Errorf("the account has no target group %s", target.String("targetGroupArn"))
	}
	check := cloud.Inputs(group.Outputs).Map("healthCheck")
	return &probe{
		group: group, path: cmp.Or(check.String("path"), "/"), matcher: cmp.Or(check.String("matcher"), "200"),
		interval: cmp.Or(check.Int("interval"), 30), unhealthyAfter: cmp.Or(check.Int("unhealthyThreshold"),
			3), healthyAfter: cmp.Or(check.Int("healthyThreshold"), 3), port: target.Int("containerPort"),
		client: &http.Client{
			Timeout:       time.Duration(cmp.Or(check.Int("timeout"), 5)) * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{DisableKeepAlives: true},
		},
	}, nil
}

// ask sends one health check to a task's address. It returns nil if the answer is a healthy one.
func (p *probe) ask(ctx context.Context, address string) *unwell {
	e := &unwell{reason: fmt.Sprintf("Task failed ELB health checks in (target-group %s)", p.group.ID), target: true}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.at(address)+p.path, nil)
	if err != nil {
		e.said = []string{err.Error()}
		return e
	}
	q.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	answer, err := p.client.Do(q)
	if err != nil {
		e.said = []string{fmt.Sprintf("GET %s got no answer: %v", p.path, err)}
		return e
	}
	defer answer.Body.Close()
	if matches(p.matcher, answer.StatusCode) {
		return nil
	}
	said := fmt.Sprintf("GET %s answered %d", p.path, answer.StatusCode)
	if to := answer.Header.Get("Location"); to != "" {
		said += ", to " + to
	} else if text := firstWords(answer.Body); text != "" {
		said += ": " + text
	}
	e.said = []string{said}
	return e
}

func (p *probe) at(address string) string { return net.JoinHostPort(address, fmt.Sprint(p.port)) }

var tags = regexp.MustCompile(`(?s)<(script|style|title).*?</(script|style|title)>|<[^>]*>`)

// firstWords is the beginning of an error page as a visitor reads it.
func firstWords(body io.Reader) string {
	const most = 160
	text, err := io.ReadAll(io.LimitReader(body, 16<<10))
	if err != nil {
		return ""
	}
	words := []rune(strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(string(text), " "))), " "))
	if len(words) > most {
		return string(words[:most]) + "…"
	}
	return string(words)
}

// A Sick task runs, and fails its load balancer's health check.
type Sick struct {
	Reason string   // in ELB's wording
	Said   []string // by the check
	Logs   []string // the last lines of its containers
}

// Unhealthy checks the running tasks of a service as its load balancer does, and gives the first that fails as often as makes it
// unhealthy; nil if there is none. A changed health check does not make ECS deploy anything, so nothing else would notice.
func (r *Run) Unhealthy(ctx context.Context, name string) (*Sick, error) {
	service := r.find("aws:ecs/service:Service", "name", name)
	if service == nil {
		return nil, nil
	}
	tasks, err := r.tasks(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, target := range cloud.Inputs(service.Outputs).Maps("loadBalancers") {
		p, err := r.probe(target)
		if err != nil {
			return nil, err
		}
		for _, boxes := range tasks {
			began := time.Now().Truncate(time.Second)
			wrong, err := r.recheck(ctx, p, boxes)
			if err != nil {
				return nil, err
			}
			if wrong != nil {
				return &Sick{Reason: wrong.reason, Said: wrong.said, Logs: r.wrote(ctx, boxes, began, 10)}, nil
			}
		}
	}
	return nil, nil
}

// recheck is the check of a task that was healthy: it must fail several times in a row.
func (r *Run) recheck(ctx context.Context, p *probe, boxes []*box) (wrong *unwell, err error) {
	address := ""
	for _, b := range boxes {
		address = cmp.Or(address, b.NetworkSettings.Networks[r.network].IPAddress)
	}
	if address == "" {
		return nil, nil // it is being stopped
	}
	for range p.unhealthyAfter {
		if wrong = p.ask(ctx, address); wrong == nil {
			return nil, nil
		}
		if err := pause(ctx, r.sooner(p.interval)); err != nil {
			return nil, err
		}
	}
	return wrong, nil
}

// LastLines are what the containers behind the load balancer wrote since a moment, at most lines of each.
func (r *Run) LastLines(ctx context.Context, since time.Time, lines int) []string {
	var all []string
	for _, service := range r.all("aws:ecs/service:Service") {
		out := cloud.Inputs(service.Outputs)
		if len(out.Maps("loadBalancers")) == 0 {
			continue
		}
		tasks, err := r.tasks(ctx, out.String("name"))
		if err != nil {
			return append(all, "they cannot be read: "+err.Error())
		}
		for _, boxes := range tasks {
			all = append(all, r.wrote(ctx, boxes, since, lines)...)
		}
	}
	return all
}

// wrote are the last lines of a task's containers since a moment, under the name of each.
func (r *Run) wrote(ctx context.Context, boxes []*box, since time.Time, lines int) []string {
	boxes = slices.SortedFunc(slices.Values(boxes), func(a, b *box) int {
		return cmp.Compare(a.Config.Labels[labelOrder],
			b.Config.Labels[labelOrder])
	})
	var all []string
	for _, b := range boxes {
		if found := r.since(ctx, b.ID, since, lines); len(found) > 0 {
			all = append(append(all, "container "+b.Config.Labels[labelContainer]+":"), found...)
		}
	}
	return all
}
