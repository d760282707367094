package interrupts

import (
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that is closed at its other end makes a SIGPIPE too. It does not end the run.
func TestOnlyAReaderThatGoesAwayEndsTheRun(t *testing.T) {
	i := Listen(t.Logf)
	defer i.Stop()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(ends[1])
	if _, err := unix.Write(ends[0], []byte("x")); err != unix.EPIPE {
		t.Fatalf("writing: %v", err)
	}
	unix.Close(ends[0])
	select {
	case <-i.Context.Done():
		t.Fatalf("interrupted by %v", i.Signal())
	case <-time.After(200 * time.Millisecond):
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := unix.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(int(w.Fd()), 1, 0); err != nil {
		t.Fatal(err)
	}
	r.Close()
	_, wrong := unix.Write(1, []byte("x"))
	select {
	case <-i.Context.Done():
	case <-time.After(5 * time.Second):
		t.Errorf("not interrupted (%v)", wrong)
	}
	if err := unix.Dup3(stdout, 1, 0); err != nil {
		t.Fatal(err)
	}
	if i.Signal() != syscall.SIGPIPE {
		t.Errorf("the signal is %v", i.Signal())
	}
}
