package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/engine"
	"slipway/operation"
)

// BenchmarkUp and BenchmarkPreview run the whole command on the rehearsed prod stack, which is up and to which nothing
// has changed: configuration, engine, program, providers and model. Among the figures of 10 and 100 workers is what each
// worker beyond the first adds: where that stays the same, time and memory grow linearly.
//
// The processor's time is of this process and the engine's together; other work on the machine disturbs it less than it
// disturbs ns/op. B/op is of this process, which runs the program, the providers and the model; engine-MB is the most
// that the engine's process held (on Linux).
func BenchmarkUp(b *testing.B)      { unchanged(b, "up") }
func BenchmarkPreview(b *testing.B) { unchanged(b, "preview") }

func unchanged(b *testing.B, operation string) {
	var one *cost
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("workers=%d", n), func(b *testing.B) {
			more := "workers=" + workers(n)
			clone(b)
			first(b, more)
			b.ReportAllocs()
			b.ResetTimer()
			engine := watch()
			before, busy := heap(), processor()
			var resources int
			for b.Loop() {
				var out, words bytes.Buffer
				if code := execute([]string{operation, "--stack", "prod", "--json", "--config", more}, &out, &words); code != 0 {
					b.Fatalf("exit code %d: %s", code, &words)
				}
				var done struct {
					Counts  map[string]int
					Changes []any
				}
				if err := json.Unmarshal(out.Bytes(), &done); err != nil {
					b.Fatal(err)
				}
				if len(done.Changes) > 0 {
					b.Fatalf("something changed: %v", done.Changes)
				}
				resources = done.Counts["same"]
			}
			spent := cost{
				ms:     (processor() - busy).Seconds() * 1e3 / float64(b.N),
				kB:     float64(heap()-before) / float64(b.N) / 1e3,
				engine: float64(engine()) / 1e3,
			}
			b.ReportMetric(float64(resources), "resources")
			b.ReportMetric(spent.ms, "cpu-ms/op")
			b.ReportMetric(spent.engine/1e3, "engine-MB")
			if n == 1 {
				one = &spent
			}
			if n == 1 || one == nil { // nothing to compare with
				return
			}
			b.ReportMetric((spent.ms-one.ms)/float64(n-1), "cpu-ms/worker")
			b.ReportMetric((spent.kB-one.kB)/float64(n-1), "kB/worker")
			b.ReportMetric((spent.engine-one.engine)/float64(n-1), "engine-kB/worker")
		})
	}
}

// A cost is of one run: the processor's time, all that this process allocated, and the most kB that the engine held.
type cost struct{ ms, kB, engine float64 }

// processor is the time for which this process and its children that have ended kept a processor busy.
func processor() time.Duration {
	var all time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			all += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return all
}

// workers is the setting for n workers.
func workers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"name":"w%d","command":["python","manage.py","run_worker"],"cpu":256,"memory":512,"count":1}`, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// clone makes a folder with the project's files the working directory.
func clone(b *testing.B) {
	b.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		b.Fatal(err)
	}
	// Got here, where tools/pulumi is found: it may have to be built.
	if _, err := engine.FindCLI(b.Context(), b.Logf); err != nil {
		b.Fatal(err)
	}
	b.Chdir(b.TempDir())
	files, err := filepath.Glob(filepath.Join(root, "Pulumi*.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(root, "app")) {
		if err := os.Symlink(file, filepath.Base(file)); err != nil {
			b.Fatal(err)
		}
	}
}

// first puts the stack up. It is not what is measured, so the engine writes its state once, at the end.
func first(b *testing.B, more string) {
	b.Helper()
	interrupts := newInterrupts(io.Discard)
	defer interrupts.stop()
	run := newInvocation(io.Discard, io.Discard, interrupts)
	run.stack, run.overrides = "prod", []string{more}
	target, err := run.target()
	if err != nil {
		b.Fatal(err)
	}
	target.Throwaway = true
	if _, err := operation.Up(b.Context(), target, ""); err != nil {
		b.Fatal(err)
	}
}

// heap is all that this process ever allocated, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// watch looks at this process's children until it is called off, and then tells the most memory that one of them held,
// in bytes.
func watch() func() int64 {
	stop, most := make(chan struct{}), make(chan int64)
	self, _ := os.Executable()
	go func() {
		var peak int64
		for {
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(100 * time.Millisecond):
			}
			lists, _ := filepath.Glob("/proc/self/task/*/children")
			for _, list := range lists {
				pids, _ := os.ReadFile(list)
				for _, pid := range strings.Fields(string(pids)) {
					if program, _ := os.Readlink("/proc/" + pid + "/exe"); program == self { // not yet what it will be
						continue
					}
					status, _ := os.ReadFile("/proc/" + pid + "/status")
					_, after, _ := strings.Cut(string(status), "VmHWM:")
					if fields := strings.Fields(after); len(fields) > 0 {
						kB, _ := strconv.ParseInt(fields[0], 10, 64)
						peak = max(peak, kB<<10)
					}
				}
			}
		}
	}()
	return func() int64 { close(stop); return <-most }
}
