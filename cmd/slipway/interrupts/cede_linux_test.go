package interrupts

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// While a program of the site has the keyboard, Ctrl-C does not end the command; before and after, and for SIGTERM, it does.
func TestCede(t *testing.T) {
	i := Listen(t.Logf)
	defer i.Stop()
	send := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	back := Cede(i.Context, true)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP} { // each would end or stop this process
		send(s)
		if i.Context.Err() != nil || i.Signal() != nil {
			t.Fatalf("%v ends the command", s)
		}
	}
	back()
	back()
	send(syscall.SIGINT)
	if i.Context.Err() == nil || i.Signal() != os.Interrupt {
		t.Error("Ctrl-C no longer ends the command")
	}

	i = Listen(t.Logf)
	defer i.Stop()
	defer Cede(i.Context, false)()
	send(syscall.SIGTERM)
	if i.Context.Err() == nil {
		t.Error("SIGTERM does not end the command")
	}
}
