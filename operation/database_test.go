package operation

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A tunnel is open once the database answers in it. If it does not, the error says which side is in the way.
func TestATunnelIsOpenWhenTheDatabaseAnswers(t *testing.T) {
	before, every := openTime, openEach
	openTime, openEach = 100*time.Millisecond, 10*time.Millisecond
	t.Cleanup(func() { openTime, openEach = before, every })
	for _, c := range []struct {
		name   string
		answer string // of what listens; "none": nothing does
		want   string // "": it opens
	}{
		{"a database", "S", ""},
		{"the plugin never connected", "none", "did not open within 100ms; does this machine reach Session Manager?"},
		{"nothing at the other end", "", "is open, but the database does not answer in it: EOF\nwhether the network is in the way: slipway why"},
		{"another server", "H", `this is no Postgres: it answers "H"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if c.answer == "none" {
				l.Close()
			}
			go func() {
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					conn.Read(make([]byte, 8))
					conn.Write([]byte(c.answer))
					conn.Close()
				}
			}()
			one := &tunnel{over: make(chan error), address: DatabaseAddress{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port,
				Through: "task 0123"}}
			err = one.open(t.Context())
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}
