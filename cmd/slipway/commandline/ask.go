package commandline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"slipway/cmd/slipway/interrupts"
)

// ErrNoTerminal means that no question can be asked.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// Interactive reports whether questions can be asked.
func Interactive() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// Ask asks a question on the terminal, and returns the line that was typed; "" if there was none, or the context ended.
func Ask(ctx context.Context, out io.Writer, question string) (string, error) {
	if !Interactive() {
		return "", ErrNoTerminal
	}
	defer interrupts.Ask(ctx)()
	fmt.Fprint(out, question)
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // which an interrupt does not wait for: nothing ends the reading of a terminal
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return "", nil
	case a := <-answered:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", a.err
		}
		return a.line, nil
	}
}
