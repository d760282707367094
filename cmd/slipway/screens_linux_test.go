package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/hinshun/vt10x"
	"github.com/rogpeppe/go-internal/testscript"
)

// A window is a terminal with a command in it: what it shows, and whether its cursor is visible.
type window struct {
	text   string
	cursor bool
	code   int
	colour bool
}

// inWindow runs a command in a terminal of a size, and waits for its end. What begins sees the terminal while the command runs, with
// the number of bytes that were shown so far.
func inWindow(cmd *exec.Cmd, columns, rows int, during func(terminal *os.File, shown string)) (window, error) {
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "NO_COLOR=", "CLICOLOR_FORCE=", "CI=") // with CI no terminal has colours
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)})
	if err != nil {
		return window{}, err
	}
	defer file.Close()
	late := time.AfterFunc(questionPatience, func() { cmd.Process.Kill() })
	defer late.Stop()
	vt := vt10x.New(vt10x.WithSize(columns, rows), vt10x.WithWriter(file)) // it answers what a program asks a terminal
	var all bytes.Buffer
	var once sync.Once
	for part := make([]byte, 4096); ; {
		n, err := file.Read(part)
		all.Write(part[:n])
		_, _ = vt.Write(volatile(part[:n]))
		if during != nil && n > 0 {
			shown := vt.String()
			if strings.Contains(shown, "total: ") {
				once.Do(func() { go during(file, shown) })
			}
		}
		if err != nil { // EIO: nothing has the terminal open any more
			break
		}
	}
	w := window{text: trimmed(vt.String()), cursor: vt.CursorVisible(), colour: regexp.MustCompile(`\x1b\[[0-9;]*[1-9]m`).Match(all.Bytes())}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
		w.code = exit.ExitCode()
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			w.code = 128 + int(status.Signal())
		}
	}
	return w, err
}

func trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// random is what differs from run to run, with something of the same width in its place, so that lines break at the same places.
var random = regexp.MustCompile(`\d{8}-\d{6}-[0-9a-f]{7}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|i-[0-9a-f]{17}|sha256:[0-9a-f]{64}|` +
	`(slipway-local-(media|logs|database|access)-)[0-9a-f]+|slipway-local-web-\d{10}|\.[0-9a-f]{12}\.us-`)

var digit = regexp.MustCompile(`[0-9a-f]`)

func volatile(text []byte) []byte {
	return random.ReplaceAllFunc(text, func(found []byte) []byte {
		for i := len(found) - 1; i >= 0 && (digit.Match(found[i:i+1]) || bytes.IndexByte([]byte("-: ."), found[i]) >= 0); i-- {
			if digit.Match(found[i : i+1]) {
				found[i] = '0'
			}
		}
		return found
	})
}

var seconds = regexp.MustCompile(`(?m) *\b(\d+m)?\d+(\.\d)?s\b`)

// TestScreens compares what people see of the command with testdata/screens: on terminals of 80 and 120 columns, and without one.
func TestScreens(t *testing.T) {
	dir := t.TempDir()
	if err := furnish(&testscript.Env{WorkDir: dir}); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "GITHUB_ACTIONS=true", "GITHUB_ACTOR=ada", "GITHUB_REPOSITORY=example/site", "GITHUB_RUN_ID=1",
		"GITHUB_RUN_ATTEMPT=1",
		"GITHUB_JOB=deploy", "GITHUB_SERVER_URL=https://github.com", "GITHUB_OUTPUT=", "GITHUB_TOKEN=", "SLIPWAY_STACK=",
		"GIT_CEILING_DIRECTORIES="+dir)
	command := func(words string) *exec.Cmd {
		cmd := exec.Command("slipway", strings.Fields(words)...)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	compare := func(name, got string) {
		t.Helper()
		got = seconds.ReplaceAllString(got, " 0s")
		path := filepath.Join("testdata", "screens", name+".txt")
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got); go test ./cmd/slipway -run TestScreens -update writes it:\n%s", path, diff)
		}
	}
	for _, s := range []struct {
		name, words string
		code        int
		before      string // with what the screen begins anew each time
	}{
		{"up", "up", 0, "destroy -q"},
		{"preview", "preview --config web.max=6", 0, ""},
		{"outputs", "outputs", 0, ""},
		{"releases", "releases", 0, ""},
		{"error", "up --config network.zones=5 --config web.mx=6", 2, ""},
		{"rehearse", "rehearse", 0, ""},
	} {
		for _, columns := range []int{80, 120} {
			if s.before != "" {
				if out, err := command(s.before).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			got, err := inWindow(command(s.words), columns, 60, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.code != s.code || !got.cursor {
				t.Errorf("%s at %d columns exits with %d, want %d; the cursor is visible: %t", s.words, columns, got.code, s.code, got.cursor)
			}
			compare(fmt.Sprintf("%s-%d", s.name, columns), sortedRows(got.text))
		}
		if s.before != "" {
			if out, err := command(s.before).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		var piped []string
		for _, columns := range []string{"80", "120"} {
			cmd := command(s.words)
			cmd.Env = append(cmd.Env, "COLUMNS="+columns)
			var out, words bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &words
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if strings.Contains(out.String()+words.String(), "\x1b") {
				t.Errorf("%s writes escape sequences into a pipe", s.words)
			}
			text := string(volatile([]byte("stderr:\n" + sortedRows(words.String()) + "stdout:\n" + out.String())))
			piped = append(piped, text)
			if s.before != "" {
				break // the second is another up
			}
		}
		if len(piped) == 2 && seconds.ReplaceAllString(piped[0], "") != seconds.ReplaceAllString(piped[1], "") {
			t.Errorf("COLUMNS changes what %s writes into a pipe:\n%s", s.words, cmp.Diff(piped[0], piped[1]))
		}
		compare(s.name+"-piped", piped[0])
	}
}

var componentRow = regexp.MustCompile(`^[a-z-]+: \d+ created`)

// sortedRows sorts the lines of components: the engine works on several at once. How long they took is left out.
func sortedRows(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		if found := componentRow.FindString(lines[i]); found != "" {
			lines[i] = found
		}
	}
	for i := range lines {
		for j := i; j > 0 && componentRow.MatchString(lines[j]) && componentRow.MatchString(lines[j-1]) && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n")
}

// TestInterruptAtATerminal: after Ctrl-C in the middle of an up the cursor is back, no half line is left, and the exit code is that of
// the signal. It is the same in a narrow window, and when the window is closed.
func TestInterruptAtATerminal(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*os.File, *exec.Cmd)
		code int
		says string
	}{
		{"Ctrl-C", func(terminal *os.File, _ *exec.Cmd) { terminal.Write([]byte{3}) }, 130,
			"\nStopping when the calls under way are done. Press Ctrl-C\nagain to abandon them.\n"},
		{"hang-up", func(_ *os.File, cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGHUP) }, 129,
			"\nThe terminal is gone. Stopping when the calls under way are\ndone.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := furnish(&testscript.Env{WorkDir: dir}); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("slipway", "up")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "SLIPWAY_STACK=", "PAUSE=60") // the 60th call waits for the file go
			seen := ""
			got, err := inWindow(cmd, 60, 30, func(terminal *os.File, shown string) {
				for range 100 {
					if _, err := os.Stat(filepath.Join(dir, "paused")); err == nil {
						break
					}
					time.Sleep(50 * time.Millisecond)
				}
				time.Sleep(time.Second)
				seen = shown
				c.do(terminal, cmd)
				time.Sleep(time.Second)
				os.WriteFile(filepath.Join(dir, "go"), nil, 0o600)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.code != c.code || !got.cursor || !got.colour || !strings.Contains(got.text, c.says) ||
				!strings.Contains(got.text, "up was interrupted") || strings.Contains(got.text, "total: ") {
				t.Errorf("exit %d, want %d; cursor %t; colour %t; it shows:\n%s", got.code, c.code, got.cursor, got.colour, got.text)
			}
			if !strings.Contains(seen, "total: ") {
				t.Errorf("no live line was seen:\n%s", seen)
			}
			again := exec.Command("slipway", "up", "-q", "--json")
			again.Dir, again.Env = dir, append(os.Environ(), "SLIPWAY_STACK=")
			var words bytes.Buffer
			again.Stderr = &words
			if err := again.Run(); err != nil || strings.Contains(words.String(), "killed") {
				t.Errorf("the next up: %v\n%s", err, words.String())
			}
		})
	}
}

// TestReaderThatLeaves is `slipway up -v 2>&1 | head`: the run stops in an orderly way, and the next one goes on from there.
func TestReaderThatLeaves(t *testing.T) {
	dir := t.TempDir()
	if err := furnish(&testscript.Env{WorkDir: dir}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("slipway", "up", "-v")
	cmd.Dir = dir
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if _, err := io.ReadFull(reader, make([]byte, 200)); err != nil {
		t.Fatal(err)
	}
	reader.Close()
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGPIPE) {
		t.Errorf("it ended with %v, want the exit code 141 and not the signal", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".slipway", "local", "owner.json")); err == nil {
		t.Error("it left the note of a run that was killed")
	}
	again := exec.Command("slipway", "up")
	again.Dir = dir
	words, err := again.CombinedOutput()
	if err != nil || strings.Contains(string(words), "killed") || !strings.Contains(string(words), "unchanged") {
		t.Errorf("the next up: %v\n%s", err, words)
	}
}
