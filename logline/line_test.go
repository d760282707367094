package logline

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLinesOfCommonPrograms(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Line
	}{
		{"the sample app's JSON",
			`{"time": "2026-02-03T04:05:06Z", "level": "info", "logger": "x", "message": "POST / 302", "request_id": "3f0c3f0c"}`,
			Line{Level: Info, Message: "POST / 302", Request: "3f0c3f0c"}},
		{"its traceback", `{"level": "error", "message": "boom", "exception": "Traceback (most recent call last):\n  File x\nValueError: no\n"}`,
			Line{Level: Error, Message: "boom", Details: "Traceback (most recent call last):\n  File x\nValueError: no"}},
		{"nginx's JSON", `{"time":"2026-02-03T04:05:06+00:00","logger":"nginx","request_id":"aa00bb11","method":"GET","path":"/x/",` +
			`"status":502,"bytes":12,"seconds":0.123}`, Line{Level: Error, Message: "GET /x/ 502 0.123s", Request: "aa00bb11"}},
		{"nginx's JSON, not found", `{"logger":"nginx","method":"GET","path":"/y","status":404,"seconds":0.001}`,
			Line{Level: Warning, Message: "GET /y 404 0.001s"}},
		{"structlog", `{"event": "paid", "level": "warning", "timestamp": "x"}`, Line{Level: Warning, Message: "paid"}},
		{"Elastic Common Schema", `{"log": {"level": "ERROR"}, "message": "m", "http": {"request": {"id": "0123456789ab"}}}`,
			Line{Level: Error, Message: "m", Request: "0123456789ab"}},
		{"levels as numbers", `{"level": 50, "msg": "m"}`, Line{Level: Critical, Message: "m"}},
		{"JSON without a message", `{"a": 1}`, Line{Message: `{"a": 1}`}},
		{"almost JSON", `{"level": "error"`, Line{Message: `{"level": "error"`}},
		{"gunicorn", "[2026-02-03 04:05:06 +0000] [7] [INFO] Booting worker with pid: 7", Line{Level: Info,
			Message: "Booting worker with pid: 7"}},
		{"gunicorn's traceback", "[2026-02-03 04:05:06 +0000] [7] [ERROR] Error handling request /\nTraceback", Line{Level: Error,
			Message: "Error handling request /", Details: "Traceback"}},
		{"Celery", "[2026-02-03 04:05:06,789: WARNING/ForkPoolWorker-1] slow", Line{Level: Warning, Message: "slow"}},
		{"nginx's error log", `2026/02/03 04:05:06 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream`,
			Line{Level: Error, Message: "*1 connect() failed (111: Connection refused) while connecting to upstream"}},
		{"nginx's emergency", `2026/02/03 04:05:06 [emerg] 1#1: unknown directive "dog"`, Line{Level: Critical,
			Message: `unknown directive "dog"`}},
		{"Postgres", `2026-02-03 04:05:06.789 UTC [7] LOG:  checkpoint starting: time`, Line{Level: Info, Message: "checkpoint starting: time"}},
		{"Postgres on RDS", `2026-02-03 04:05:06 UTC:10.0.0.1(4711):site@site:[7]:FATAL:  password authentication failed for user "site"`,
			Line{Level: Critical, Message: `password authentication failed for user "site"`}},
		{"Python with a format", "2026-02-03 04:05:06,789 WARNING shop.views: out of stock", Line{Level: Warning,
			Message: "shop.views: out of stock"}},
		{"Python with dashes", "2026-02-03 04:05:06,789 - shop.views - ERROR - out of stock", Line{Level: Error, Message: "out of stock"}},
		{"Python's basicConfig", "ERROR:shop.views:out of stock", Line{Level: Error, Message: "shop.views:out of stock"}},
		{"Django's verbose", "WARNING 2026-02-03 04:05:06,789 views 7 140 Not Found: /x", Line{Level: Warning,
			Message: "views 7 140 Not Found: /x"}},
		{"uvicorn", `INFO:     Application startup complete.`, Line{Level: Info, Message: "Application startup complete."}},
		{"runserver", `[03/Feb/2026 04:05:06] "GET / HTTP/1.1" 500 123`, Line{Level: Error,
			Message: `[03/Feb/2026 04:05:06] "GET / HTTP/1.1" 500 123`}},
		{"an access log", `10.0.0.1 - - [03/Feb/2026:04:05:06 +0000] "GET / HTTP/1.1" 200 12 "-" "curl"`,
			Line{Level: Info, Message: `10.0.0.1 - - [03/Feb/2026:04:05:06 +0000] "GET / HTTP/1.1" 200 12 "-" "curl"`}},
		{"a request's ID in plain text", "WARNING:shop:slow request_id=3f0c-3f0c-11", Line{Level: Warning,
			Message: "shop:slow request_id=3f0c-3f0c-11",
			Request: "3f0c-3f0c-11"}},
		{"words that are no level", "Information about errors: none", Line{Message: "Information about errors: none"}},
		{"a sentence about an error", "ERROR handling is off", Line{Message: "ERROR handling is off"}},
		{"an empty line", "", Line{}},
		{"a traceback", "Traceback (most recent call last):\n  File", Line{Level: Error, Message: "Traceback (most recent call last):",
			Details: "  File"}},
	} {
		if diff := cmp.Diff(test.want, Parse(test.text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"level": 1e99, "message": ["x"]}`)
	f.Add("2026-02-03 04:05:06.789 UTC [7] LOG:  x")
	f.Fuzz(func(t *testing.T, text string) {
		line := Parse(text)
		if line.Level != "" && LevelOf(string(line.Level)) != line.Level {
			t.Errorf("%q has the level %q", text, line.Level)
		}
		if line.Message == "" && strings.TrimSpace(text) != "" && line.Level == "" && line.Details == "" {
			t.Errorf("%q has no message", text)
		}
	})
}

const data = `{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/slipway/prod/django","logStream":"web/django/t1",` +
	`"subscriptionFilters":["archive"],"logEvents":[{"id":"1","timestamp":1770091506789,"message":"one\n"},` +
	`{"id":"2","timestamp":1770091507000,"message":"{\"level\": \"info\"}"}]}`

func TestEveryFormOfTheArchive(t *testing.T) {
	begun := time.Date(2026, 2, 3, 4, 0, 0, 0, time.UTC)
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	one := Event{Time: at(1770091506789), ID: "1", Group: "/slipway/prod/django", Stream: "web/django/t1", Container: "django",
		Task: "t1", Text: "one"}
	two := Event{Time: at(1770091507000), ID: "2", Group: "/slipway/prod/django", Stream: "web/django/t1", Container: "django", Task: "t1",
		Text: `{"level": "info"}`}
	const control = `{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],` +
		`"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`
	for _, test := range []struct {
		name, text string
		want       []Event
	}{
		{"batches, one a line", control + "\n" + data + "\n", []Event{one, two}},
		{"batches without a newline between them", data + control + data, []Event{one, two, one, two}},
		{"texts alone", "migrations applied\n" + `{"level": "info", "message": "POST / 302"}` + "\r\n\n", []Event{
			{Arrived: begun, Text: "migrations applied"}, {Arrived: begun, Text: `{"level": "info", "message": "POST / 302"}`}}},
		{"a text that begins like a batch", `{"messageType":"DATA_MESSAGE"` + "\n", []Event{{Arrived: begun,
			Text: `{"messageType":"DATA_MESSAGE"`}}},
		{"a log router on Fargate", `{"container_id":"t1-527074092","container_name":"django","ecs_cluster":"c",` +
			`"ecs_task_arn":"arn:aws:ecs:us-east-1:123456789012:task/c/t1","ecs_task_definition":"slipway-prod-web:3","log":"one",` +
			`"source":"stdout","time":"2026-02-03T04:05:06.789"}` + "\n",
			[]Event{{Time: at(1770091506789), Arrived: begun, Family: "slipway-prod-web", Container: "django", Task: "t1", Text: "one"}}},
		{"a log router without a time, on an instance", `{"container_name":"/ecs-slipway-prod-web-3-django-d0c89395d3efaac05200",` +
			`"ecs_task_arn":"arn:aws:ecs:us-east-1:123456789012:task/c/t1","ecs_task_definition":"slipway-prod-web:3","log":"one"}` + "\n",
			[]Event{{Arrived: begun, Family: "slipway-prod-web", Container: "django", Task: "t1", Text: "one"}}},
		{"nothing", "", nil},
	} {
		for _, zipped := range []bool{false, true} {
			text := test.text
			if zipped {
				text = gzipped(t, text)
			}
			var got []Event
			err := ReadArchive(strings.NewReader(text), begun, func(e Event) error { got = append(got, e); return nil })
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%s, gzipped %t: %v (-want +got):\n%s", test.name, zipped, err, diff)
			}
		}
	}
	cut := gzipped(t, strings.Repeat(data, 100))
	if err := ReadArchive(strings.NewReader(cut[:len(cut)/2]), begun, func(Event) error { return nil }); err == nil {
		t.Error("an object that ends early is no error")
	}
	if err := ReadArchive(strings.NewReader(strings.Repeat("x", longest+1)), begun, func(Event) error { return nil }); err != ErrTooLong {
		t.Errorf("a line that is too long: %v", err)
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
