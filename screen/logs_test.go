package screen

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestALogLineCannotCommandTheTerminal(t *testing.T) {
	var out strings.Builder
	at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	terminal := Terminal{Out: &out}
	for _, l := range []LogLine{
		{Time: at, Container: "nginx", Level: "INFO", Message: "GET /\x1b]0;owned\x07\x1b[2J\r\n2026 forged \u202egnp.exe", Request: "3f0c"},
		{Time: at, Container: "django", Level: "ERROR", Message: "boom 3f0c", Details: "Traceback\n  File \x1b[31mx\n", Request: "3f0c"},
		{Archived: at, Message: "migrations applied"},
	} {
		if err := terminal.WriteLog(l); err != nil {
			t.Fatal(err)
		}
	}
	want := `2026-02-03T04:05:06.789Z nginx   INFO     GET /··2026 forged ·gnp.exe request=3f0c
2026-02-03T04:05:06.789Z django  ERROR    boom 3f0c
    Traceback
      File x
~2026-02-03T04:05:06Z                     migrations applied
`
	if out.String() != want {
		t.Errorf("got\n%q\nwant\n%q", out.String(), want)
	}
}

func TestPicturesReplaceOrFollowEachOther(t *testing.T) {
	end := errors.New("over")
	for _, c := range []struct {
		live bool
		want string
	}{
		{true, "\x1b[2J\x1b[Hone\x1b[K\n\x1b[J\x1b[Htwo\x1b[K\n\x1b[J"},
		{false, "one\n\ntwo\n"},
	} {
		var out strings.Builder
		n := 0
		err := Terminal{Out: &out, Live: c.live}.Redraw(context.Background(), time.Millisecond, func(page Terminal) error {
			words := []string{"one\n", "two\n"}
			if n == len(words) {
				return end
			}
			page.Out.Write([]byte(words[n]))
			n++
			return nil
		})
		if !errors.Is(err, end) || out.String() != c.want {
			t.Errorf("live %t: %q, %v; want %q", c.live, out.String(), err, c.want)
		}
	}
}
