package logging

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDocumentedCommandReadsOldAndNewArchives runs the command of docs/logs.md on objects of both forms.
func TestTheDocumentedCommandReadsOldAndNewArchives(t *testing.T) {
	for _, tool := range []string{"jq", "gzip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the command needs %s: %v", tool, err)
		}
	}
	text, err := os.ReadFile("../docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(text), "\ngzip -dc hour/*.gz | ")
	command, _, closed := strings.Cut(command, "\n```")
	if !found || !closed {
		t.Fatal("docs/logs.md has no command that reads the archive")
	}

	hour := filepath.Join(t.TempDir(), "hour")
	if err := os.Mkdir(hour, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string]string{
		"1-old.gz": `{"level": "info", "message": "POST / 302"}` + "\nmigrations applied\n",
		"2-new.gz": `{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],` +
			`"logEvents":[{"id":"","timestamp":1770091506000,` +
			`"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}` + "\n" +
			`{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/slipway/prod/django",` +
			`"logStream":"web/django/t1","subscriptionFilters":["archive"],` +
			`"logEvents":[{"id":"1","timestamp":1770091506789,"message":"{\"level\": \"info\"}"},` +
			`{"id":"2","timestamp":1770091507000,"message":"two words"}]}` + "\n",
	} {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		if _, err := z.Write([]byte(lines)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(hour, name), zipped.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shell := exec.Command("bash", "-o", "pipefail", "-ec", "gzip -dc hour/*.gz | "+command)
	shell.Dir = filepath.Dir(hour)
	out, err := shell.CombinedOutput()
	want := `{"level": "info", "message": "POST / 302"}
migrations applied
2026-02-03T04:05:06Z /slipway/prod/django web/django/t1 {"level": "info"}
2026-02-03T04:05:07Z /slipway/prod/django web/django/t1 two words
`
	if err != nil || string(out) != want {
		t.Errorf("it prints\n%s(%v), want\n%s", out, err, want)
	}
}
