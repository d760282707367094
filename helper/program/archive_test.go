package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A bucket is as much of S3 as the archive uses: conditional writes, listing in pages, ranges.
type bucket struct {
	mu      sync.Mutex
	objects map[string]object
	puts    []string // keys, in order; refused ones begin with !
	down    bool
	url     string
}

type object struct {
	text        []byte
	header      http.Header
	when        time.Time
	overwritten int
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	b := &bucket{objects: map[string]object{}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.url = s.URL
	for name, value := range b.env() {
		t.Setenv(name, value)
	}
	return b
}

func (b *bucket) env() environment {
	return environment{
		"SLIPWAY_STATIC_BUCKET": "media", "AWS_ENDPOINT_URL_S3": b.url, "AWS_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
	}
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key, found := strings.CutPrefix(r.URL.Path, "/media")
	key = strings.TrimPrefix(key, "/")
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
	}
	switch o, there := b.objects[key]; {
	case b.down:
		fail(http.StatusServiceUnavailable, "ServiceUnavailable")
	case !found:
		fail(http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodGet && key == "":
		b.list(w, r.URL.Query().Get("prefix"), r.URL.Query().Get("continuation-token"))
	case r.Method == http.MethodPut && there && r.Header.Get("If-None-Match") == "*":
		b.puts = append(b.puts, "!"+key)
		fail(http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		text, _ := io.ReadAll(r.Body)
		count := o.overwritten
		if there {
			count++
		}
		b.puts = append(b.puts, key)
		b.objects[key] = object{text, r.Header.Clone(), time.Now(), count}
	case !there:
		fail(http.StatusNotFound, "NoSuchKey")
	default:
		for _, name := range []string{"Content-Type", "Cache-Control"} {
			w.Header().Set(name, o.header.Get(name))
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(o.text)))
		http.ServeContent(w, r, "", o.when, bytes.NewReader(o.text))
	}
}

// list gives two keys a page.
func (b *bucket) list(w io.Writer, prefix, after string) {
	type content struct {
		Key          string
		LastModified string
	}
	var result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}
	var keys []string
	for key := range b.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) > 2 {
		keys, result.IsTruncated, result.NextContinuationToken = keys[:2], true, keys[1]
	}
	for _, key := range keys {
		result.Contents = append(result.Contents, content{key, b.objects[key].when.UTC().Format(time.RFC3339)})
	}
	_ = xml.NewEncoder(w).Encode(result)
}

func (b *bucket) age(key string, by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.objects[key]
	o.when = o.when.Add(-by)
	b.objects[key] = o
}

func (b *bucket) written() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	puts := b.puts
	b.puts = nil
	slices.Sort(puts)
	return puts
}

// release writes the static files of a release: names and contents.
func release(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newTestArchive(t *testing.T, b *bucket) (*archive, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	a, err := newArchive(b.env(), log.New(&shared{to: &out}, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	return a, &out
}

func TestPublishesOnlyNamesWithAHash(t *testing.T) {
	b := newBucket(t)
	a, _ := newTestArchive(t, b)
	dir := release(t, map[string]string{
		"staticfiles.json": `{"paths": {"logo.svg": "logo.abc.svg", "same.txt": "same.txt"}, "version": "1.1"}`,
		"css/app.css":      "plain", "css/app.0123456789ab.css": "hashed", "css/app.0123456789ab.css.gz": "compressed",
		"logo.abc.svg": "by the manifest",
		"same.txt":     "plain", "app.0123456.js": "seven digits", "main.0123abcd.js.map": "map", "font.0123456789ab.woff2": "font",
	})
	n, err := a.publish(context.Background(), dir)
	if err != nil || n != 4 {
		t.Errorf("%d files published, %v", n, err)
	}
	want := []string{"slipway/static/css/app.0123456789ab.css", "slipway/static/font.0123456789ab.woff2", "slipway/static/logo.abc.svg",
		"slipway/static/main.0123abcd.js.map"}
	if got := b.written(); !slices.Equal(got, want) {
		t.Errorf("published %q", got)
	}
	for key, kind := range map[string]string{
		want[0]: "text/css; charset=utf-8", want[1]: "font/woff2", want[2]: "image/svg+xml", want[3]: "application/json",
	} {
		if got := b.objects[key].header; got.Get("Content-Type") != kind || got.Get("Cache-Control") != immutable {
			t.Errorf("%s: %q", key, got)
		}
	}
}

func TestPublicationIsAppendOnlyAndRefreshes(t *testing.T) {
	b := newBucket(t)
	a, _ := newTestArchive(t, b)
	one := release(t, map[string]string{"a.00000001.css": "one", "b.00000001.css": "one", "c.00000001.css": "one"})
	two := release(t, map[string]string{"a.00000001.css": "one", "a.00000002.css": "two", "b.00000001.css": "one"})
	publish := func(dir string, want ...string) {
		t.Helper()
		if n, err := a.publish(context.Background(), dir); err != nil || n != len(want) {
			t.Errorf("%d files published, %v", n, err)
		}
		if got := b.written(); !slices.Equal(got, want) {
			t.Errorf("published %q, want %q", got, want)
		}
	}
	const p = archivePrefix
	publish(one, p+"a.00000001.css", p+"b.00000001.css", p+"c.00000001.css")
	publish(one)
	publish(two, p+"a.00000002.css")
	if string(b.objects[p+"c.00000001.css"].text) != "one" {
		t.Error("a file of an earlier release is gone")
	}
	// What is about to expire is written again, as long as a release that has it runs.
	b.age(p+"b.00000001.css", refreshAfter+time.Hour)
	b.age(p+"c.00000001.css", refreshAfter+time.Hour)
	b.age(p+"a.00000001.css", refreshAfter-time.Hour)
	publish(two, p+"b.00000001.css")
	if o := b.objects[p+"b.00000001.css"]; time.Since(o.when) > time.Hour || string(o.text) != "one" {
		t.Errorf("it was not written again: %v", o.when)
	}
}

// Both tasks of a release start at the same time. Neither writes over what the other wrote, and neither fails.
func TestTwoPublishersAtOnce(t *testing.T) {
	b := newBucket(t)
	files := map[string]string{}
	for n := range 40 {
		files[fmt.Sprintf("f%d.%08x.css", n, n)] = "text"
	}
	dir := release(t, files)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			a, _ := newTestArchive(t, b)
			if _, err := a.publish(context.Background(), dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(b.objects) != len(files) {
		t.Errorf("%d objects, want %d", len(b.objects), len(files))
	}
	for key, o := range b.objects {
		if o.overwritten > 0 || string(o.text) != "text" {
			t.Errorf("%s was overwritten %d times: %q", key, o.overwritten, o.text)
		}
	}
	// A file that appears after the listing is not written over either.
	a, _ := newTestArchive(t, b)
	if err := a.write(context.Background(), dir, "f0.00000000.css", true); err != nil {
		t.Error(err)
	}
	if o := b.objects[archivePrefix+"f0.00000000.css"]; o.overwritten > 0 {
		t.Error("an existing file was overwritten")
	}
}

func TestArchiveServesFilesOfOtherReleases(t *testing.T) {
	b := newBucket(t)
	a, _ := newTestArchive(t, b)
	dir := release(t, map[string]string{"css/app.0123456789ab.css": "body { color: red }"})
	if _, err := a.publish(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	b.objects["secret.txt"] = object{text: []byte("not static")}
	for _, test := range []struct {
		method, path, within string
		status               int
		body                 string
	}{
		{"GET", "/css/app.0123456789ab.css", "", 200, "body { color: red }"},
		{"HEAD", "/css/app.0123456789ab.css", "", 200, ""},
		{"GET", "/css/app.0123456789ab.css", "bytes=0-3", 206, "body"},
		{"GET", "/css/app.0123456789ab.css", "bytes=900-", 416, "no such range\n"},
		{"GET", "/css/app.000000000000.css", "", 404, "404 page not found\n"},
		{"GET", "/../../secret.txt", "", 404, "404 page not found\n"},
		{"GET", "/", "", 404, "404 page not found\n"},
		{"POST", "/css/app.0123456789ab.css", "", 405, "only GET and HEAD\n"},
	} {
		r := httptest.NewRequest(test.method, "http://127.0.0.1:8079/", nil)
		r.URL.Path = test.path
		if test.within != "" {
			r.Header.Set("Range", test.within)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%s %s %s: %d %q", test.method, test.path, test.within, w.Code, w.Body)
		}
		h := w.Header()
		good := test.status < 300
		if good != (h.Get("Cache-Control") == immutable) || good && h.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("%s %s: headers %v", test.method, test.path, h)
		}
		if test.status == 200 && (h.Get("Content-Length") != "19" || h.Get("ETag") == "") {
			t.Errorf("%s %s: headers %v", test.method, test.path, h)
		}
	}
}

func TestArchiveWithoutABucket(t *testing.T) {
	a, err := newArchive(environment{}, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	a.keep(context.Background(), t.TempDir(), first)
	<-first
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/a.0123456789ab.css", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

// A bucket that is down neither stops the first attempt nor the ones after it.
func TestBucketIsDown(t *testing.T) {
	defer func(d time.Duration) { retryEach = d }(retryEach)
	retryEach = 50 * time.Millisecond
	b := newBucket(t)
	a, out := newTestArchive(t, b)
	b.mu.Lock()
	b.down = true
	b.mu.Unlock()
	for range 2 {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", "/a.0123456789ab.css", nil))
		if w.Code != http.StatusBadGateway || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("status %d, headers %v", w.Code, w.Header())
		}
	}
	if n := strings.Count(out.String(), "cannot read"); n != 1 {
		t.Errorf("logged %d times: %s", n, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		a.keep(ctx, release(t, map[string]string{"a.0123456789ab.css": "a"}), first)
		close(ended)
	}()
	<-first
	b.mu.Lock()
	b.down = false
	b.mu.Unlock()
	for n := 0; len(b.written()) == 0; n++ {
		if n > 100 {
			t.Fatal("it did not try again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-ended
}
