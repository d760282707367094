package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"slipway/cmd/slipway/interrupts"
	"slipway/screen"
)

func init() {
	commands["at-terminal"] = func() { os.Exit(atTerminal(os.Args[1], os.Args[2:])) }
	commands["ask-secret"] = func() { // the question of up --run, which needs a Docker engine
		listening := interrupts.Listen(func(string, ...any) {})
		value, err := screen.AskSecret(listening.Context, os.Stderr, "Value: ")
		fmt.Printf("answer %q, %v\n", value, err)
	}
}

// questionPatience is how long a command may take until it asks, and to its end from there.
const questionPatience = time.Minute

// thought is how long the user looks at the question.
const thought = 600 * time.Millisecond

// atTerminal is the command at-terminal KEYS COMMAND...: it runs a command at a terminal of its own, and types when it is
// asked something. ^C and ^D are these two keys, "nothing" is for a command that asks nothing, anything else is a line. It writes what
// the terminal shows, and exits as the command does; 99 says that nothing was asked.
func atTerminal(keys string, command []string) int {
	typed := []byte(keys + "\n")
	if control := map[string]byte{"^C": 3, "^D": 4}[keys]; control != 0 {
		typed = []byte{control}
	}
	screen, terminal, err := openTerminal()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.Env = append(os.Environ(), "TERM=dumb") // another one a library asks for its colours, and waits five seconds
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	terminal.Close() // so that reading ends with the command
	late := time.AfterFunc(questionPatience, func() { cmd.Process.Kill() })

	asked := false
	var shown bytes.Buffer
	for part := make([]byte, 1024); ; {
		n, err := screen.Read(part)
		shown.Write(part[:n])
		if !asked && bytes.HasSuffix(shown.Bytes(), []byte(": ")) {
			asked = true
			late.Reset(questionPatience)
			go func() { // what would draw over the question does so before
				time.Sleep(thought)
				screen.Write(typed)
			}()
		}
		if err != nil { // EIO: no process has the terminal open any longer
			break
		}
	}
	err = cmd.Wait()
	io.Copy(os.Stdout, bytes.NewReader(bytes.ReplaceAll(shown.Bytes(), []byte("\r\n"), []byte("\n"))))
	var exit *exec.ExitError
	switch {
	case asked != (keys != "nothing"):
		return 99
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return 0
}

// openTerminal creates a pseudo-terminal: what a person sees and types on, and what a command has for its terminal.
func openTerminal() (screen, terminal *os.File, err error) {
	screen, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	return screen, terminal, err
}

// A terminal that does not answer questions, as those of script and expect: a library that asked for its colours would wait for five
// seconds before any command begins.
func TestATerminalIsNotAskedForItsColours(t *testing.T) {
	cmd := exec.Command("slipway", "--version")
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "CI=")
	file, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	shown, _ := io.ReadAll(file) // EIO: no process has the terminal open any longer
	if err := cmd.Wait(); err != nil || !bytes.Contains(shown, []byte("slipway")) {
		t.Fatalf("%v: %q", err, shown)
	}
	if bytes.Contains(shown, []byte("\x1b]")) || bytes.Contains(shown, []byte("\x1b[6n")) {
		t.Errorf("the terminal is asked: %q", shown)
	}
}
