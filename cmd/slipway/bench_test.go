package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/operation"
)

// BenchmarkUp and BenchmarkPreview run the whole command on the rehearsed prod stack, which is up and to which nothing
// has changed: configuration, engine, program, providers and model. Among the figures of 10 and 100 workers is what each
// worker beyond the first adds: where that stays the same, time and memory grow linearly.
//
// Other work on the machine disturbs the processor's time less than it disturbs ns/op. resident-MB is the most memory that
// the process held (on Linux).
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
			resident := watch()
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
				ms:       (processor() - busy).Seconds() * 1e3 / float64(b.N),
				kB:       float64(heap()-before) / float64(b.N) / 1e3,
				resident: float64(resident()) / 1e3,
			}
			b.ReportMetric(float64(resources), "resources")
			b.ReportMetric(spent.ms, "cpu-ms/op")
			b.ReportMetric(spent.resident/1e3, "resident-MB")
			if n == 1 {
				one = &spent
			}
			if n == 1 || one == nil { // nothing to compare with
				return
			}
			b.ReportMetric((spent.ms-one.ms)/float64(n-1), "cpu-ms/worker")
			b.ReportMetric((spent.kB-one.kB)/float64(n-1), "kB/worker")
			b.ReportMetric((spent.resident-one.resident)/float64(n-1), "resident-kB/worker")
		})
	}
}

// BenchmarkLocal is a no-change up of the rehearsed local stack. To compare: BenchmarkEmpty of engine/inprocess, which has an
// empty stack's up through the Automation API.
func BenchmarkLocal(b *testing.B) {
	clone(b)
	command(b, "up")
	busy := processor()
	for b.Loop() {
		command(b, "up")
	}
	b.ReportMetric((processor()-busy).Seconds()*1e3/float64(b.N), "cpu-ms/op")
}

// BenchmarkRehearse is rehearse --stack prod: up, up again, a destroy that is refused, destroy.
func BenchmarkRehearse(b *testing.B) {
	clone(b)
	busy, resident := processor(), watch()
	for b.Loop() {
		command(b, "rehearse", "--stack", "prod")
	}
	b.ReportMetric((processor()-busy).Seconds()*1e3/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(resident())/1e6, "resident-MB")
}

// command runs a command that must succeed.
func command(b *testing.B, args ...string) {
	b.Helper()
	var words bytes.Buffer
	if code := execute(args, io.Discard, &words); code != 0 {
		b.Fatalf("%v: exit code %d: %s", args, code, &words)
	}
}

// A cost is of one run: the processor's time, all that this process allocated, and the most kB that it held.
type cost struct{ ms, kB, resident float64 }

// processor is the time for which this process kept a processor busy.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// workers is the setting for n workers.
func workers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"name":"w%d","command":["python","manage.py","run_worker"],"cpu":256,"memory":512,"count":1}`, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// clone copies the project's files into a new folder and makes it the working directory.
func clone(b *testing.B) {
	b.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
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
	if _, err := operation.Up(b.Context(), target, operation.UpArgs{Confirm: func(*operation.Plan) error { return nil }}); err != nil {
		b.Fatal(err)
	}
}

// heap is all that this process ever allocated, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// watch resets the peak of this process's memory, and returns a function that reports the peak since then, in bytes (on Linux).
func watch() func() int64 {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // begins VmHWM anew: man 5 proc
	return func() int64 {
		status, _ := os.ReadFile("/proc/self/status")
		_, after, _ := strings.Cut(string(status), "VmHWM:")
		var kB int64
		fmt.Sscan(after, &kB)
		return kB << 10
	}
}
