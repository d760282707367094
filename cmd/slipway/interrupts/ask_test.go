package interrupts

import (
	"os"
	"strings"
	"testing"
)

type engine struct{}

func (engine) Terminate() {}

// Only where calls may be under way does Ctrl-C say that it waits for them: not before there is an engine, and not at a question.
func TestCtrlCSpeaksOfCallsWhereThereAreSome(t *testing.T) {
	for name, c := range map[string]struct{ opened, asking, says bool }{
		"looking":  {},
		"asking":   {opened: true, asking: true},
		"answered": {opened: true, says: true},
	} {
		t.Run(name, func(t *testing.T) {
			said := ""
			i := Listen(t.Logf)
			defer i.Stop()
			if c.opened {
				i.On(engine{})
			}
			answered := Ask(i.Context)
			if !c.asking {
				answered()
			}
			i.take(os.Interrupt, func(words string, _ ...any) { said += words }, func() {})
			if strings.Contains(said, "calls under way") != c.says {
				t.Errorf("said %q", said)
			}
		})
	}
}
