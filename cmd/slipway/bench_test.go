package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/cmd/slipway/interrupts"
	"slipway/engine"
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

// BenchmarkLocal is a no-change up of the rehearsed local stack: the whole command, in a process of its own. It takes turns with an
// empty stack's up through the Automation API, which starts the CLI, where this machine has one. ratio is the one's time in the
// other's; both are medians.
func BenchmarkLocal(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	empty := emptyStack(b)
	clone(b)
	run := func() {
		cmd := exec.Command(self, "up")
		cmd.Env = append(os.Environ(), "SLIPWAY_BENCHMARK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	run()
	var ours, theirs []time.Duration
	for b.Loop() {
		started := time.Now()
		run()
		ours = append(ours, time.Since(started))
		if empty != nil {
			started = time.Now()
			empty()
			theirs = append(theirs, time.Since(started))
		}
	}
	b.ReportMetric(0, "ns/op") // of both
	b.ReportMetric(median(ours).Seconds()*1e3, "local-ms")
	if empty != nil {
		b.ReportMetric(median(theirs).Seconds()*1e3, "empty-automation-ms")
		b.ReportMetric(median(ours).Seconds()/median(theirs).Seconds(), "ratio")
	}
}

func median(all []time.Duration) time.Duration { slices.Sort(all); return all[len(all)/2] }

// emptyStack gives an up of a stack without resources through the Automation API; nil if this machine has no CLI.
func emptyStack(b *testing.B) func() {
	b.Helper()
	cache, _ := os.UserCacheDir()
	found, _ := filepath.Glob(filepath.Join(cache, "slipway", "pulumi", "v*", "pulumi*"))
	if _, err := exec.LookPath("pulumi"); err != nil && len(found) == 0 {
		b.Log("there is no Pulumi CLI to compare with")
		return nil
	}
	cli, err := engine.FindCLI(b.Context(), b.Logf)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil { // it looks for the CLI in a folder called bin
		b.Fatal(err)
	}
	if err := os.Symlink(cli.Path(), filepath.Join(dir, "bin", "pulumi")); err != nil {
		b.Fatal(err)
	}
	command, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: dir, SkipVersionCheck: true})
	if err != nil {
		b.Fatal(err)
	}
	s, err := auto.UpsertStackInlineSource(b.Context(), "local", "empty", func(*pulumi.Context) error { return nil }, auto.Pulumi(command),
		auto.WorkDir(dir), auto.EnvVars(map[string]string{
			"PULUMI_CONFIG_PASSPHRASE": "correct horse", "PULUMI_BACKEND_URL": "file://" + dir,
			"PULUMI_HOME": filepath.Join(dir, "home"), "PULUMI_SKIP_UPDATE_CHECK": "true",
		}))
	if err != nil {
		b.Fatal(err)
	}
	up := func() {
		if _, err := s.Up(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	up()
	return up
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
	out := newOutput(io.Discard, io.Discard)
	listening := interrupts.Listen(out.progress.Logf)
	defer listening.Stop()
	run := newInvocation(out, listening)
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
