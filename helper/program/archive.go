package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"
)

// archivePrefix is where the static files of all releases are in the bucket. A rule of the bucket expires them there.
const archivePrefix = "slipway/static/"

const (
	publishWait = time.Minute // how long one attempt may take, and how long nginx waits for the first one

	// A file is written again when it is older than this, so that the bucket's rule expires only what no release uses.
	refreshAfter = 7 * 24 * time.Hour
	refreshEach  = 24 * time.Hour
	publishers   = 8
	immutable    = "public, max-age=31536000, immutable"
)

// retryEach is the pause after a failed publication.
var retryEach = time.Minute

// An archive keeps the static files of all releases, so that the pages of one release find their files in the tasks of
// another: during a rollout, after a rollback, and in pages that were loaded before. A name contains the hash of its content,
// so nothing is ever replaced. Without a bucket the archive is empty.
type archive struct {
	client *s3.Client // nil without a bucket
	bucket string
	log    *log.Logger
	failed atomic.Int64 // when reading last failed, to log it once a minute
}

func newArchive(env environment, logger *log.Logger) (*archive, error) {
	a := &archive{bucket: env["SLIPWAY_STATIC_BUCKET"], log: logger}
	if a.bucket == "" {
		return a, nil
	}
	c, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		return nil, usage("AWS_REGION is not set")
	}
	a.client = s3.NewFromConfig(c, func(o *s3.Options) {
		// An endpoint that is not AWS's has no name for each bucket.
		o.DisableLogOutputChecksumValidationSkipped = true // a line for every file
		o.UsePathStyle = env["AWS_ENDPOINT_URL"] != "" || env["AWS_ENDPOINT_URL_S3"] != ""
	})
	return a, nil
}

// keep publishes the files now and every day. It closes first after the first attempt.
func (a *archive) keep(ctx context.Context, files string, first chan<- struct{}) {
	if a.client == nil {
		close(first)
		return
	}
	for attempt := 0; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, publishWait)
		began := time.Now()
		n, err := a.publish(limited, files)
		cancel()
		next := refreshEach
		if err != nil {
			a.log.Printf("cannot publish the static files, trying again in %s: %s", retryEach, words(err))
			next = retryEach
		} else if n > 0 {
			a.log.Printf("%d static files published in %s", n, time.Since(began).Round(time.Millisecond))
		}
		if attempt == 0 {
			close(first)
		}
		if pause(ctx, next) != nil {
			return
		}
	}
}

// publish writes the files that the bucket lacks, then those that are about to expire, and returns how many.
func (a *archive) publish(ctx context.Context, files string) (int, error) {
	names, err := hashed(files)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	written, err := a.list(ctx)
	if err != nil {
		return 0, err
	}
	var missing, old []string
	for _, name := range names {
		switch when, there := written[name]; {
		case !there:
			missing = append(missing, name)
		case time.Since(when) > refreshAfter:
			old = append(old, name)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(publishers)
	for n, name := range slices.Concat(missing, old) {
		group.Go(func() error { return a.write(ctx, files, name, n < len(missing)) })
	}
	return len(missing) + len(old), group.Wait()
}

// list returns when each file was written.
func (a *archive) list(ctx context.Context) (map[string]time.Time, error) {
	written := map[string]time.Time{}
	pages := s3.NewListObjectsV2Paginator(a.client, &s3.ListObjectsV2Input{Bucket: &a.bucket, Prefix: aws.String(archivePrefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			written[strings.TrimPrefix(aws.ToString(o.Key), archivePrefix)] = aws.ToTime(o.LastModified)
		}
	}
	return written, nil
}

// write writes one file. A new one is not written over that of another task, which published it at the same time.
func (a *archive) write(ctx context.Context, files, name string, create bool) error {
	f, err := os.Open(filepath.Join(files, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	input := &s3.PutObjectInput{
		Bucket: &a.bucket, Key: aws.String(archivePrefix + name), Body: f,
		CacheControl: aws.String(immutable), ContentType: aws.String(contentType(name)),
	}
	if create {
		input.IfNoneMatch = aws.String("*")
	}
	_, err = a.client.PutObject(ctx, input)
	// S3 User Guide, "How to prevent object overwrites with conditional writes": 412 it exists, 409 it is being written.
	if create && slices.Contains([]int{http.StatusPreconditionFailed, http.StatusConflict}, statusOf(err)) {
		return nil
	}
	return err
}

func statusOf(err error) int {
	if response, ok := asError[*smithyhttp.ResponseError](err); ok {
		return response.HTTPStatusCode()
	}
	return 0
}

var hashedName = regexp.MustCompile(`\.[0-9a-f]{8,64}\.[^/]+$`)

// hashed lists the files whose names contain the hash of their content: those in Django's manifest, and those that look so.
func hashed(files string) ([]string, error) {
	var manifest struct{ Paths map[string]string }
	text, err := os.ReadFile(filepath.Join(files, "staticfiles.json"))
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the manifest of the static files: %w", err)
	}
	listed := map[string]bool{}
	for name, hashed := range manifest.Paths {
		listed[hashed] = name != hashed
	}
	var names []string
	err = filepath.WalkDir(files, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(files, file)
		name = filepath.ToSlash(name)
		// nginx compresses what it gets from here.
		if slices.Contains([]string{".gz", ".br"}, path.Ext(name)) {
			return err
		}
		if listed[name] || hashedName.MatchString(name) {
			names = append(names, name)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the app serves its files itself
	}
	return names, err
}

// contentTypes are those that Go does not know without a file of the system's.
var contentTypes = map[string]string{
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".eot": "application/vnd.ms-fontobject",
	".ico": "image/x-icon", ".map": "application/json", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json",
	".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg",
}

func contentType(name string) string {
	extension := strings.ToLower(path.Ext(name))
	for _, found := range []string{contentTypes[extension], mime.TypeByExtension(extension)} {
		if found != "" {
			return found
		}
	}
	return "application/octet-stream"
}

// ServeHTTP serves a file of any release. The path is the file's name below the folder of static files.
func (a *archive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case a.client == nil || !fs.ValidPath(name) || name == "." || len(name) > 900:
		http.NotFound(w, r)
	default:
		a.pass(w, r, name)
	}
}

func (a *archive) pass(w http.ResponseWriter, r *http.Request, name string) {
	// As long as nginx waits for an answer; it is logged then, and the page's other files are not affected.
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	input := &s3.GetObjectInput{Bucket: &a.bucket, Key: aws.String(archivePrefix + name)}
	if within := r.Header.Get("Range"); within != "" {
		input.Range = &within
	}
	object, err := a.client.GetObject(ctx, input)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	defer object.Body.Close()
	h := w.Header()
	for header, value := range map[string]*string{
		"Content-Type": object.ContentType, "ETag": object.ETag, "Content-Range": object.ContentRange, "Accept-Ranges": object.AcceptRanges,
	} {
		if value != nil {
			h.Set(header, *value)
		}
	}
	h.Set("Cache-Control", immutable)
	h.Set("X-Content-Type-Options", "nosniff")
	if object.ContentLength != nil {
		h.Set("Content-Length", fmt.Sprint(*object.ContentLength))
	}
	if object.ContentRange != nil {
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodGet {
		if _, err := io.Copy(w, object.Body); err != nil && r.Context().Err() == nil {
			a.complain(name, err)
		}
	}
}

func (a *archive) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "NoSuchKey", statusOf(err) == http.StatusNotFound:
		http.NotFound(w, r)
	case statusOf(err) == http.StatusRequestedRangeNotSatisfiable:
		http.Error(w, "no such range", http.StatusRequestedRangeNotSatisfiable)
	case r.Context().Err() != nil: // the visitor is gone
	default:
		a.complain(r.URL.Path, err)
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "the bucket does not respond", http.StatusBadGateway)
	}
}

// complain logs a failure once a minute: a bucket that is down fails every request.
func (a *archive) complain(name string, err error) {
	now := time.Now().Unix()
	if last := a.failed.Load(); now-last >= 60 && a.failed.CompareAndSwap(last, now) {
		a.log.Printf("cannot read %q from the bucket: %s", name, words(err))
	}
}
