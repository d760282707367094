package awsaccount

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"slipway/operation/account/process"
)

// ECS Exec always gives the command a terminal, which ends lines with CR LF, and reports no exit code; the plugin adds lines of its own
// (ECS guide, "ECS Exec", considerations: interactive is the only mode). So for a pipe or a file a shell in the container turns
// that off, and writes a mark before the command's output, and one with the exit code after it.

// frame is the command that runs another one between marks. The shell's name is looked up in the container's PATH, and stands before its
// messages.
func frame(mark string, command []string) []string {
	const script = `stty -onlcr -echo 2>/dev/null; echo "$1 begin $?"; m=$1; shift; "$@" </dev/null; s=$?; echo; echo "$m end $s"`
	return append([]string{"sh", "-c", script, "sh", mark}, command...)
}

// newMark is a mark that no command writes.
func newMark() string { return "slipway-" + strings.ToLower(rand.Text()) }

// A framedSession is a session whose output is between marks.
type framedSession struct {
	pluginSession
	mark  string
	host  string        // that the plugin connects to
	begin time.Duration // how long that may take; 0: beginLimit
}

// beginLimit is how long a session may take to begin. The plugin waits forever if it cannot connect (Session.Execute in session/session.go
// of aws/session-manager-plugin: it gives up after five attempts, and then waits for the type of a session that it does not have).
const beginLimit = time.Minute

// Run implements account.Session.
func (f framedSession) Run(ctx context.Context, streams process.Streams) (int, error) {
	u := &unframer{to: streams.Out, mark: []byte(f.mark), exit: -1, started: make(chan struct{})}
	streams.In, streams.Out, streams.Err = nil, u, u
	silent := fmt.Errorf("the session did not begin within %s; does this machine reach %s? A proxy or a firewall may refuse websockets",
		cmp.Or(f.begin, beginLimit), f.host)
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(cmp.Or(f.begin, beginLimit), func() {
		select {
		case <-u.started:
		default:
			cancel(silent)
		}
	})
	defer late.Stop()
	if _, err := f.pluginSession.Run(within, streams); err != nil {
		if ctx.Err() == nil && within.Err() != nil {
			err = silent
		}
		return -1, err
	}
	if u.exit < 0 {
		return -1, fmt.Errorf("the session ended before the command did: %s", lastWords(u.rest.String()))
	}
	return u.exit, u.failed
}

// An unframer passes on what is between two marks.
type unframer struct {
	to      io.Writer
	mark    []byte
	rest    bytes.Buffer // not passed on yet
	begun   bool
	started chan struct{} // closed when begun; may be nil
	crlf    bool          // the terminal's line ends could not be turned off
	exit    int           // -1: the second mark was not seen
	failed  error
}

// Write implements io.Writer.
func (u *unframer) Write(p []byte) (int, error) {
	u.rest.Write(p)
	if !u.begun {
		u.begin()
	}
	if u.begun && u.exit < 0 {
		u.pass()
	}
	return len(p), nil
}

// line finds "MARK WORD NUMBER" and its line end in the rest.
func (u *unframer) line(word string) (from, to, number int, found bool) {
	text := u.rest.Bytes()
	start := append(append([]byte{}, u.mark...), " "+word+" "...)
	for {
		next := bytes.Index(text[to:], start)
		if next < 0 {
			return 0, 0, 0, false
		}
		from = to + next
		end := bytes.IndexByte(text[from:], '\n')
		if end < 0 {
			return 0, 0, 0, false
		}
		to = from + end + 1
		number, err := strconv.Atoi(string(bytes.TrimSpace(text[from+len(start) : to])))
		if err == nil {
			return from, to, number, true
		}
	}
}

func (u *unframer) begin() {
	if _, to, number, found := u.line("begin"); found {
		u.rest.Next(to)
		u.begun, u.crlf = true, number != 0
		if u.started != nil {
			close(u.started)
		}
	}
}

// pass passes on what is certainly before the second mark.
func (u *unframer) pass() {
	from, _, number, found := u.line("end")
	text := u.rest.Bytes()
	if found {
		u.exit = number
		text = text[:from]
		text = bytes.TrimSuffix(text, []byte("\n")) // the frame's own
		text = bytes.TrimSuffix(text, []byte("\r"))
	} else {
		// A mark may be complete only with the next bytes, and so may the line end before it.
		keep := len(u.mark) + len("\r\n end 255\r\n")
		text = text[:max(0, len(text)-keep)]
		text = bytes.TrimSuffix(text, []byte("\r")) // of a line end, perhaps
	}
	u.write(text)
	u.rest.Next(len(text))
}

func (u *unframer) write(text []byte) {
	if u.crlf {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	if u.failed == nil && len(text) > 0 {
		_, u.failed = u.to.Write(text)
	}
}
