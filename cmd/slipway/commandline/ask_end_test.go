package commandline

import (
	"strings"
	"testing"
)

// Ctrl-D takes no default: it ends the command.
func TestTheEndOfTheInputIsNoAnswer(t *testing.T) {
	for input, want := range map[string]string{"\n": "\n", "yes\n": "yes\n", "yes": "yes", "": ""} {
		line, err := readLine(strings.NewReader(input))
		if line != want || (err != nil) != (input == "") {
			t.Errorf("%q: %q, %v", input, line, err)
		}
	}
}
