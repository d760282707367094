package containers

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"slipway/rehearsal/cloud"
)

// frozen is a run of objects that nothing can change; it has no engine.
func frozen(t *testing.T, objects ...*cloud.Object) *Run {
	t.Helper()
	r := &Run{dir: t.TempDir(), ctx: t.Context(), gateway: "127.0.0.1"}
	r.frozen.Store(&objects)
	r.meter = &meter{run: r, now: time.Now}
	return r
}

func TestRegistryKeepsWhatWasPushed(t *testing.T) {
	dir := t.TempDir()
	open := func() (*shelf, string) {
		s, err := openShelf(dir)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		return s, server.URL
	}
	ask := func(method, url, kind, body string) (int, string) {
		q, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", kind)
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	digest := func(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }
	const kind, layer = "application/vnd.docker.distribution.manifest.v2+json", "a layer"
	config := "{}"
	image := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"digest":%q,"size":2},"layers":[{"digest":%q,"size":7}]}`, kind,
		digest(config), digest(layer))

	first, url := open()
	if first.has("site/django", digest(image)) {
		t.Error("an empty registry has the image")
	}
	for _, blob := range []string{layer, config} {
		if code, text := ask("POST", url+"/v2/site/django/blobs/uploads/?digest="+digest(blob), "application/octet-stream",
			blob); code != http.StatusCreated {
			t.Fatal(code, text)
		}
	}
	if code, text := ask("PUT", url+"/v2/site/django/manifests/one", kind, image); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	if !first.has("site/django", digest(image)) {
		t.Error("the registry does not have the image")
	}

	second, url := open()
	if !second.has("site/django", digest(image)) || second.has("site/nginx", digest(image)) {
		t.Error("the registry of the next process does not have the image, or has it in another repository")
	}
	if code, text := ask("GET", url+"/v2/site/django/manifests/"+digest(image), kind, ""); code != http.StatusOK || text != image {
		t.Error(code, text)
	}
	if code, text := ask("GET", url+"/v2/site/django/blobs/"+digest(layer), kind, ""); code != http.StatusOK || text != layer {
		t.Error(code, text)
	}
}

func TestBalancerLeavesATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := frozen(t)
	r.server = flock.New(filepath.Join(r.dir, "server.lock"))
	r.kept.Balancer = taken.Addr().(*net.TCPAddr).Port
	if err := r.front(); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.servers {
		defer s.Close()
	}
	answer, err := http.Get(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a balancer without targets answers %s", answer.Status)
	}
}

func TestMatcher(t *testing.T) {
	for _, c := range []struct {
		matcher string
		code    int
		want    bool
	}{
		{"200", 200, true}, {"200", 204, false}, {"200-299", 204, true}, {"200-299", 300, false}, {"200, 302", 302, true}, {"", 200, false},
	} {
		if got := matches(c.matcher, c.code); got != c.want {
			t.Errorf("matches(%q, %d) is %v", c.matcher, c.code, got)
		}
	}
}

func TestCircuitBreakerCountsAsECSDoes(t *testing.T) {
	for wanted, want := range map[int]int{1: 3, 6: 3, 7: 4, 25: 13, 1000: 200} {
		if got := failures(wanted); got != want {
			t.Errorf("with %d tasks it opens after %d failures, want %d", wanted, got, want)
		}
	}
}

func TestContainersStartAfterThoseTheyWaitFor(t *testing.T) {
	read := func(text string) (*definition, error) {
		d := &definition{}
		if err := json.Unmarshal([]byte(text), &d.Containers); err != nil {
			t.Fatal(err)
		}
		return d, d.sort()
	}
	d, err := read(`[{"name":"nginx","dependsOn":[{"containerName":"django","condition":"HEALTHY"}]},{"name":"django",` +
		`"dependsOn":[{"containerName":"init","condition":"SUCCESS"}]},{"name":"init","essential":false}]`)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Containers[0].Name + " " + d.Containers[1].Name + " " + d.Containers[2].Name; got != "init django nginx" {
		t.Errorf("order is %s", got)
	}
	if d.Containers[0].essential() || !d.Containers[1].essential() {
		t.Error("a container is essential unless it says otherwise")
	}
	if _, err := read(`[{"name":"a","dependsOn":[{"containerName":"b"}]},{"name":"b","dependsOn":[{"containerName":"a"}]}]`); err == nil {
		t.Error("two containers that wait for each other are taken")
	}
}

func TestHealthCommand(t *testing.T) {
	if got := shell([]string{"CMD", "wget", "-q", "it's up"}); got != `'wget' '-q' 'it'\''s up'` {
		t.Error(got)
	}
	if got := shell([]string{"CMD-SHELL", "exit 0 || exit 1"}); got != "exit 0 || exit 1" {
		t.Error(got)
	}
}

const streamARN = "arn:aws:firehose:us-east-1:123456789012:deliverystream/site-logs"

// streamWith is a delivery stream with processors.
func streamWith(processors ...string) *cloud.Object {
	steps := []any{}
	for _, p := range processors {
		steps = append(steps, map[string]any{"type": p})
	}
	return &cloud.Object{Type: "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", ID: streamARN, Outputs: map[string]any{
		"arn": streamARN, "name": "site-logs",
		"extendedS3Configuration": map[string]any{
			"bucketArn": "arn:aws:s3:::archive", "prefix": "in/!{timestamp:yyyy/MM/dd/HH}/", "compressionFormat": "GZIP",
			"processingConfiguration": map[string]any{"enabled": len(steps) > 0, "processors": steps},
		},
	}}
}

func TestLinesReachTheBucketThroughGroupAndStream(t *testing.T) {
	r := frozen(t,
		&cloud.Object{Type: "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", Outputs: map[string]any{
			"logGroup": "/site/dev/django", "name": "all", "destinationArn": streamARN,
		}},
		streamWith())
	by := func(driver, option, value string) *cloud.Object {
		stream, filter := r.firehose(destinationOf(logConfiguration{driver, map[string]string{option: value}}, "django", "t1"))
		if want := map[bool]string{true: "all"}[stream != nil && driver == "awslogs"]; filter != want {
			t.Errorf("lines of %s reach the stream by filter %q, want %q", driver, filter, want)
		}
		return stream
	}
	stream := by("awslogs", "awslogs-group", "/site/dev/django")
	if stream == nil || by("awsfirelens", "delivery_stream", "site-logs") == nil {
		t.Fatal("a container's lines do not find the stream")
	}
	if by("awslogs", "awslogs-group", "/site/dev/nginx") != nil || by("awsfirelens", "delivery_stream", "other") != nil {
		t.Error("lines of a log group without a subscription filter find a delivery stream")
	}
	if err := r.deliver(stream, []byte("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(r.object("archive", "in/20[0-9][0-9]/[01][0-9]/[0-3][0-9]/[0-2][0-9]/site-logs-1-*.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("objects: %q %v", found, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != "one\ntwo\n" {
		t.Errorf("the object holds %q, %v", text, err)
	}
}

func TestAStreamWritesEventsAsItsProcessorsSay(t *testing.T) {
	const lines = `2026-02-03T04:05:06.000000001Z before
2026-02-03T04:05:06.789000000Z one
2026-02-03T04:05:07.000000002Z {"two": 2}
`
	events, last := eventsOf(lines, "2026-02-03T04:05:06.000000001Z")
	if last != "2026-02-03T04:05:07.000000002Z" || len(events) != 2 || len(events[0].ID) != 56 || events[0].ID >= events[1].ID {
		t.Fatalf("events %v until %s", events, last)
	}
	group := destination{Group: "/site/dev/django", Stream: "web/django/t1"}
	batch := fmt.Sprintf(`{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/site/dev/django","logStream":"web/django/t1",`+
		`"subscriptionFilters":["all"],"logEvents":[{"id":%q,"timestamp":1770091506789,"message":"one"},`+
		`{"id":%q,"timestamp":1770091507000,"message":"{\"two\": 2}"}]}`,
		events[0].ID, events[1].ID)
	router := sender{container: "django", id: "0a", cluster: "site-dev", definition: "site-dev-web:3",
		task:    "arn:aws:ecs:us-east-1:123456789012:task/site-dev/t1",
		options: map[string]string{"time_key": "time", "time_key_format": "%Y-%m-%dT%H:%M:%S.%3N"}}
	for name, c := range map[string]struct {
		from   sender
		stream *cloud.Object
		want   string
	}{
		"a batch on each line":    {sender{destination: group}, streamWith("Decompression", "AppendDelimiterToRecord"), batch + "\n"},
		"batches without a break": {sender{destination: group}, streamWith("Decompression"), batch},
		"the messages alone":      {sender{destination: group}, streamWith("Decompression", "CloudWatchLogProcessing"), "one\n{\"two\": 2}\n"},
		"the lines of a log router": {router, streamWith(), `{"container_id":"0a","container_name":"django","ecs_cluster":"site-dev",` +
			`"ecs_task_arn":"arn:aws:ecs:us-east-1:123456789012:task/site-dev/t1","ecs_task_definition":"site-dev-web:3","log":"one",` +
			`"source":"stdout","time":"2026-02-03T04:05:06.789"}` + "\n" +
			`{"container_id":"0a","container_name":"django","ecs_cluster":"site-dev",` +
			`"ecs_task_arn":"arn:aws:ecs:us-east-1:123456789012:task/site-dev/t1","ecs_task_definition":"site-dev-web:3","log":"{\"two\": 2}",` +
			`"source":"stdout","time":"2026-02-03T04:05:07.000"}` + "\n"},
		"a log router that sends messages": {sender{options: map[string]string{"log_key": "log"}}, streamWith(), "one\n{\"two\": 2}\n"},
		"a log router without time_key": {sender{container: "django"}, streamWith(),
			`{"container_id":"","container_name":"django","ecs_cluster":"",` +
				`"ecs_task_arn":"","ecs_task_definition":"","log":"one","source":"stdout"}` + "\n" +
				`{"container_id":"","container_name":"django","ecs_cluster":"","ecs_task_arn":"","ecs_task_definition":"","log":"{\"two\": 2}",` +
				`"source":"stdout"}` + "\n"},
	} {
		if got, err := records(c.stream, c.from, "all", events); err != nil || string(got) != c.want {
			t.Errorf("%s: the stream writes %s, %v; want %s", name, got, err, c.want)
		}
	}
	got, err := records(streamWith(), sender{destination: group}, "all", events)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(got))
	if err != nil {
		t.Fatalf("without Decompression a batch stays zipped: %v", err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != batch {
		t.Errorf("the zipped batch is %s, %v", text, err)
	}
}

// A destroy removes the folder into which the process that serves is writing logs.
func TestWhoShipsIsNoHindranceToTheEnd(t *testing.T) {
	for range 200 {
		serves, destroys := frozen(t), frozen(t)
		serves.dir = filepath.Join(serves.dir, "run")
		destroys.dir = serves.dir
		if err := os.Mkdir(serves.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		began, ended := make(chan bool), make(chan error, 1)
		go func() {
			for n := 0; ; n++ {
				if n == 2 {
					close(began)
				}
				if err := serves.ship(t.Context(), nil, false); err != nil {
					ended <- err
					return
				}
			}
		}()
		<-began
		if err := destroys.forget(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("who shipped ended with %v", err)
		}
		if left, err := os.ReadDir(filepath.Dir(serves.dir)); err != nil || len(left) > 0 {
			t.Fatalf("left are %v, %v", left, err)
		}
	}
}

func TestBalancer(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Location", "http://"+q.Host+"/next")
		json.NewEncoder(w).Encode(map[string]string{
			"host": q.Host, "origin": q.Header.Get("Origin"), "referer": q.Header.Get("Referer"),
			"proto": q.Header.Get("X-Forwarded-Proto"), "for": q.Header.Get("X-Forwarded-For"),
		})
	}))
	defer site.Close()
	r := frozen(t, &cloud.Object{Type: "aws:lb/loadBalancer:LoadBalancer", Outputs: map[string]any{"dnsName": "Web-1.elb.amazonaws.com"}})
	front := httptest.NewServer(r.balancer())
	defer front.Close()
	ask := func() (*http.Response, map[string]string) {
		q, err := http.NewRequest(http.MethodPost, front.URL+"/x", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Origin", front.URL)
		q.Header.Set("Referer", front.URL+"/before")
		q.Header.Set("X-Forwarded-For", "198.51.100.7")
		answer, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		seen := map[string]string{}
		json.NewDecoder(answer.Body).Decode(&seen)
		return answer, seen
	}
	if answer, _ := ask(); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a target it answers %s", answer.Status)
	}
	// A target that does not take connections must not cost a request, not even a POST.
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	r.register("dead", "g", gone.Addr().String())
	r.register("live", "g", strings.TrimPrefix(site.URL, "http://"))
	for range 4 {
		answer, seen := ask()
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Location") != "/next" {
			t.Errorf("%s, location %q", answer.Status, answer.Header.Get("Location"))
		}
		const public = "http://web-1.elb.amazonaws.com"
		if seen["host"] != "web-1.elb.amazonaws.com" || seen["origin"] != public || seen["referer"] != public+"/before" ||
			seen["proto"] != "http" || seen["for"] != "198.51.100.7, 127.0.0.1" {
			t.Errorf("the site sees %v", seen)
		}
	}
	if !r.register("live", "", "") || r.register("live", "", "") {
		t.Error("a target leaves once")
	}
	if answer, _ := ask(); answer.StatusCode != http.StatusBadGateway {
		t.Errorf("with only a dead target it answers %s", answer.Status)
	}
}

func TestBucketsAreThoseOfTheAccount(t *testing.T) {
	r := frozen(t, &cloud.Object{Type: "aws:s3/bucketV2:BucketV2", Outputs: map[string]any{"bucket": "media"}})
	h, err := r.buckets()
	if err != nil {
		t.Fatal(err)
	}
	s3 := httptest.NewServer(h)
	defer s3.Close()
	put := func(bucket string) int {
		q, err := http.NewRequest(http.MethodPut, s3.URL+"/"+bucket+"/pictures/a.webp", strings.NewReader("RIFF"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, query := range []string{"", "?prefix=pictures/&delimiter=/"} {
		answer, err := http.Get(s3.URL + "/media" + query)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the list %q of an empty bucket answers %s", query, answer.Status)
		}
	}
	if code := put("media"); code != http.StatusOK {
		t.Errorf("the media bucket answers %d", code)
	}
	if text, err := os.ReadFile(r.object("media", "pictures/a.webp")); err != nil || string(text) != "RIFF" {
		t.Errorf("the object is %q, %v", text, err)
	}
	if code := put("other"); code != http.StatusNotFound {
		t.Errorf("a bucket that the account has not answers %d", code)
	}
}

func TestDatabaseCertificateVouchesForItsNameOnly(t *testing.T) {
	r := frozen(t)
	for range 2 { // the second time nothing is created
		if err := r.authority(); err != nil {
			t.Fatal(err)
		}
	}
	made, err := r.certificate("db.rds.amazonaws.com", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(filepath.Join(r.dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	leaf, err := x509.ParseCertificate(made.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"db.rds.amazonaws.com": true, "127.0.0.1": true, "other.rds.amazonaws.com": false} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
	// OpenSSL treats a certificate whose subject equals its issuer as self-signed.
	if leaf.Subject.String() == leaf.Issuer.String() {
		t.Errorf("subject and issuer are both %s", leaf.Subject)
	}
}

func TestWithoutAnEngineOneLineSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Open(t.Context(), t.TempDir(), nil, Options{Stack: "dev"})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "install Docker") {
		t.Errorf("error is %v", err)
	}
}

// On Fargate a volume is the image's user's only at a real path that the image declares; nginx's /var/run was neither.
func TestVolumesAreRootsUnlessTheImageDeclaresARealPath(t *testing.T) {
	e := &engine{label: "slipway.stack=test-volumes"}
	if _, err := e.do(t.Context(), nil, "image", "inspect", "slipway-debian:sid"); err != nil {
		t.Skip("there is no Docker engine with slipway-debian:sid, which app/debian-base.sh makes")
	}
	const name = "slipway-test-volumes"
	if _, err := e.feed(t.Context(), []string{"DOCKER_BUILDKIT=0"}, strings.NewReader(`FROM slipway-debian:sid
RUN mkdir -p /data /hidden && chown 101:101 /data /hidden /run
VOLUME ["/data", "/var/run"]
`), nil, "build", "-q", "-t", name, "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.do(context.WithoutCancel(t.Context()), nil, "rmi", "-f", name) })
	r := &Run{engine: e}
	got, err := r.foreign(t.Context(), name, []mountPoint{{ContainerPath: "/data"}, {ContainerPath: "/var/run"}, {ContainerPath: "/hidden"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]bool{"/data": false, "/var/run": true, "/hidden": true}; !maps.Equal(got, want) {
		t.Errorf("root's are %v, want %v", got, want)
	}
}
