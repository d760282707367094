package operation

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"slipway/rehearsal/cloud"
	"slipway/rehearsal/iam"
)

// sizes are the numbers of workers for which evaluation is measured.

var sizes = []int{1, 10, 50, 100}

// BenchmarkEvaluationGrowth measures what evaluating costs with 1, 10, 50 and 100 workers: every call that reads the site, and every call
// of the services and roles of the site. It reports each time, and the straight line that fits them best.
func BenchmarkEvaluationGrowth(b *testing.B) {
	accounts := make([]*cloud.Account, len(sizes))
	calls := make([]int, len(sizes))
	for i, n := range sizes {
		accounts[i] = withWorkers(b, n)
		accounts[i].Evaluated = func(iam.Request, iam.Policies) { calls[i]++ }
		evaluateAll(b, accounts[i])
		accounts[i].Evaluated = nil
	}
	best := make([]time.Duration, len(sizes))
	for b.Loop() {
		for i, account := range accounts {
			if took := evaluateAll(b, account); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	xs, ys := make([]float64, len(sizes)), make([]float64, len(sizes))
	for i, n := range sizes {
		xs[i], ys[i] = float64(n), best[i].Seconds()*1e3
		b.ReportMetric(ys[i], fmt.Sprintf("ms-%d-workers", n))
		b.ReportMetric(float64(calls[i]), fmt.Sprintf("calls-%d-workers", n))
	}
	intercept, slope, r2 := line(xs, ys)
	b.ReportMetric(intercept, "ms-at-0")
	b.ReportMetric(slope, "ms-per-worker")
	b.ReportMetric(r2, "R2")
}

// withWorkers is the account of prod with n workers, deployed by its deploy role.
func withWorkers(b *testing.B, n int) *cloud.Account {
	b.Helper()
	return opened(b, workersTarget(b, n))
}

// workersTarget is prod with n workers, deployed by its deploy role.
func workersTarget(b *testing.B, n int) Target {
	b.Helper()
	var workers []string
	for i := range n {
		workers = append(workers, fmt.Sprintf(`{"name": "w%d", "command": ["python", "manage.py", "run_worker"]}`, i))
	}
	target := Target{Root: checkout(b), Stack: "prod", Throwaway: true, Progress: quiet{},
		Overrides: []string{"workers=[" + strings.Join(workers, ", ") + "]"}}
	if _, err := Bootstrap(b.Context(), target); err != nil {
		b.Fatal(err)
	}
	if _, err := Up(b.Context(), target, UpArgs{Confirm: anything}); err != nil {
		b.Fatal(err)
	}
	return target
}

// evaluateAll evaluates the calls of a deployed site, as a process does that has just opened the account.
func evaluateAll(b *testing.B, account *cloud.Account) time.Duration {
	b.Helper()
	start := time.Now()
	for _, o := range account.Made() {
		if err := account.Try(cloud.Caller{Role: "slipway-prod-deploy"}, "read", o.Type, o.ID); err != nil {
			b.Fatal(err)
		}
	}
	if found := account.Findings(); len(found) > 0 {
		b.Fatal(found)
	}
	return time.Since(start)
}

// BenchmarkJudges measures what all judges cost together, and each alone, of an account that was just opened, with 1, 10, 50 and 100
// workers. In the same run it measures an up without changes, which includes them, and reports what share of it they take.
func BenchmarkJudges(b *testing.B) {
	targets := make([]Target, len(sizes))
	for i, n := range sizes {
		targets[i] = workersTarget(b, n)
	}
	best := map[string]time.Duration{}
	measure := func(name string, do func()) {
		start := time.Now()
		do()
		if took := time.Since(start); best[name] == 0 || took < best[name] {
			best[name] = took
		}
	}
	for b.Loop() {
		for i, n := range sizes {
			for _, judge := range cloud.Judges {
				account := opened(b, targets[i])
				measure(fmt.Sprintf("%s-%d", judge, n), func() { account.FindingsOf(judge) })
			}
			account := opened(b, targets[i])
			measure(fmt.Sprintf("all-%d", n), func() {
				if found := account.Findings(); len(found) > 0 {
					b.Fatal(found)
				}
			})
			measure(fmt.Sprintf("up-%d", n), func() {
				if _, err := Up(b.Context(), targets[i], UpArgs{Confirm: anything}); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
	xs, ys := make([]float64, len(sizes)), make([]float64, len(sizes))
	for i, n := range sizes {
		for _, what := range append([]string{"all", "up"}, cloud.Judges...) {
			name := fmt.Sprintf("%s-%d", what, n)
			b.ReportMetric(best[name].Seconds()*1e3, "ms-"+name)
		}
		all, up := best[fmt.Sprintf("all-%d", n)].Seconds(), best[fmt.Sprintf("up-%d", n)].Seconds()
		b.ReportMetric(100*all/up, fmt.Sprintf("percent-%d", n))
		xs[i], ys[i] = float64(n), all*1e3
	}
	_, slope, r2 := line(xs, ys)
	b.ReportMetric(slope, "ms-per-worker")
	b.ReportMetric(r2, "R2")
}

// line is the straight line with the least squares, and how much of the variance it explains.
func line(xs, ys []float64) (intercept, slope, r2 float64) {
	n, sx, sy, sxx, sxy, syy := float64(len(xs)), 0.0, 0.0, 0.0, 0.0, 0.0
	for i, x := range xs {
		y := ys[i]
		sx, sy, sxx, sxy, syy = sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	intercept = (sy - slope*sx) / n
	r2 = math.Pow(n*sxy-sx*sy, 2) / ((n*sxx - sx*sx) * (n*syy - sy*sy))
	return intercept, slope, r2
}

func TestLine(t *testing.T) {
	intercept, slope, r2 := line([]float64{1, 10, 50, 100}, []float64{5, 23, 103, 203})
	if math.Abs(intercept-3) > 1e-9 || math.Abs(slope-2) > 1e-9 || math.Abs(r2-1) > 1e-9 {
		t.Error(intercept, slope, r2)
	}
	if _, _, r2 := line([]float64{1, 10, 50, 100}, []float64{1, 100, 2500, 10000}); r2 > 0.99 {
		t.Errorf("a square fits a line with %v", r2)
	}
}

// BenchmarkRecordedDecisions decides every different request of prod's life, with all the policies that apply to it.
func BenchmarkRecordedDecisions(b *testing.B) {
	e := &evaluations{seen: map[string]bool{}}
	target := Target{Root: checkout(b), Stack: "prod", Throwaway: true, Progress: quiet{}, Model: e.hooks()}
	for _, p := range life(b, target, "staging") {
		if err := p.run(); err != nil {
			b.Fatalf("%s: %v", p.name, err)
		}
	}
	decided := 0
	for b.Loop() {
		for _, one := range e.all {
			iam.Decide(one.request, one.policies)
		}
		decided += len(e.all)
	}
	b.ReportMetric(float64(decided)/b.Elapsed().Seconds(), "decisions/s")
	b.ReportMetric(float64(len(e.all)), "requests")
}
