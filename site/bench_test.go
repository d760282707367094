package site

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"slipway/internal/graph"
)

// workers is the configuration of a prod stack with n workers.
func workers(n int) map[string]string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"name":"w%d","command":["python","manage.py","run_worker"],"cpu":256,"memory":512,"count":1}`, i)
	}
	return map[string]string{"slipway:workers": "[" + strings.Join(all, ",") + "]"}
}

// BenchmarkDeclare declares the prod stack under Pulumi's mocks. Among the figures of 10 and 100 workers is what each
// worker beyond the first adds: where that stays the same, time and memory grow linearly.
func BenchmarkDeclare(b *testing.B) {
	var one *cost
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("workers=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			values := configured(b, "prod", workers(n))
			var g graph.Graph
			before := heap()
			for b.Loop() {
				var err error
				if g, err = graph.Record("prod", values, New(Options{Root: "..", Declare: true}).Run); err != nil {
					b.Fatal(err)
				}
			}
			spent := cost{b.Elapsed().Seconds() * 1e3 / float64(b.N), float64(heap()-before) / float64(b.N) / 1e3}
			b.ReportMetric(float64(len(g)), "resources")
			if n == 1 {
				one = &spent
			}
			if n == 1 || one == nil { // nothing to compare with
				return
			}
			b.ReportMetric((spent.ms-one.ms)/float64(n-1), "ms/worker")
			b.ReportMetric((spent.kB-one.kB)/float64(n-1), "kB/worker")
		})
	}
}

// A cost is of one declaration; kB is all that it allocated.
type cost struct{ ms, kB float64 }

// heap is all that was ever allocated, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
