package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// AskSecret asks for a secret on the terminal, without showing what is typed. It returns "" if nothing is typed, and if there is no
// terminal. An interrupt ends it: the error is then that of ctx.
func AskSecret(ctx context.Context, out io.Writer, question string) (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", nil
	}
	before, err := term.GetState(in)
	if err != nil {
		return "", err
	}
	fmt.Fprint(out, question)
	defer fmt.Fprintln(out)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // which an interrupt does not wait for: nothing ends the reading of a terminal
		text, err := term.ReadPassword(in)
		answered <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(in, before))
	case a := <-answered:
		return string(a.text), a.err
	}
}
