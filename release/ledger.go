package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"slipway/internal/image"
	"slipway/verdict"
)

// A Release is what can be deployed: two images that belong together, and what is known of where they come from. It is
// written once, by the stack that built it, and copied as it is into the ledger of each stack that it is promoted to.
type Release struct {
	ID         string     `json:"id"` // "20261122-190817-3f2a9c1": when it was made (UTC), and of which digests
	Stack      string     `json:"stack"`
	When       time.Time  `json:"when"`
	Who        string     `json:"who"`
	Commit     string     `json:"commit,omitempty"` // of git; "": not known
	Dirty      bool       `json:"dirty,omitempty"`  // files differed from the commit
	Images     image.Pair `json:"images"`           // where they were built
	Processor  string     `json:"processor"`        // that they run on: "arm64" or "amd64"
	Migrations []string   `json:"migrations"`       // all that it has, by name, sorted: "feed/0002_small_pictures"
	Adds       []string   `json:"adds"`             // those that the stack's release before it did not have

	Packages map[string]string `json:"packages,omitempty"` // Python packages and their versions, as far as its lock files say
}

// NewRelease creates a release of a stack's images. The name is made from the time, so that names sort by it, and from the
// digests, so that two releases of the same images are seen to be that.
func NewRelease(stack, who string, when time.Time, images image.Pair, source Source) Release {
	digests := images.Digests()
	sum := sha256.Sum256([]byte(digests.Django + "\n" + digests.Nginx))
	when = when.UTC().Truncate(time.Second)
	return Release{
		ID: when.Format(idTime) + "-" + hex.EncodeToString(sum[:])[:7], Stack: stack, When: when, Who: who,
		Commit: source.Commit, Dirty: source.Dirty, Images: images, Migrations: append([]string{}, source.Migrations...), Adds: []string{},
		Packages: source.Packages,
	}
}

// Next is when a release is made: now, but at least a second after every release before it, because their names tell seconds and two
// releases of the same images can follow within one.
func (h History) Next(now time.Time) time.Time {
	for _, r := range h.Releases {
		if soonest := r.When.Add(time.Second); now.Before(soonest) {
			now = soonest
		}
	}
	return now
}

// Without are the migrations of r that other does not have: they stay in the database when other runs again.
func (r Release) Without(other Release) []string {
	left := []string{}
	for _, m := range r.Migrations {
		if !slices.Contains(other.Migrations, m) {
			left = append(left, m)
		}
	}
	return left
}

// OtherPackages are the packages of r that other has in another version or not at all: "django-taggit 6.1.0, not 5.0.1". If the
// packages of one of them are not known there are none.
func (r Release) OtherPackages(other Release) []string {
	if len(r.Packages) == 0 || len(other.Packages) == 0 {
		return nil
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Packages)) {
		switch version, was := r.Packages[name], other.Packages[name]; {
		case was == "":
			all = append(all, name+" "+version)
		case was != version:
			all = append(all, fmt.Sprintf("%s %s, not %s", name, version, was))
		}
	}
	return all
}

// A Deployment is one operation that ran, or was to run, a release in a stack.
type Deployment struct {
	ID        string    `json:"id"`
	Operation string    `json:"operation"`      // "up", "promote", "rollback" or "destroy"
	From      string    `json:"from,omitempty"` // of a promotion: the stack it came from
	Release   string    `json:"release,omitempty"`
	Who       string    `json:"who"`
	Slipway   string    `json:"slipway,omitempty"`  // the version; "": it was built from a clone
	When      time.Time `json:"when"`               // it began
	Settings  []string  `json:"settings,omitempty"` // the keys that --config set for this run alone, without their values

	// Set when it has ended. A deployment without a verdict is still under way, or was killed.
	Ended   time.Time        `json:"ended,omitzero"`
	Images  *image.Pair      `json:"images,omitempty"` // in this stack's own repositories
	Changes int              `json:"changes"`          // resources
	Verdict *verdict.Verdict `json:"verdict,omitempty"`
}

// Good reports whether the deployment ended successfully.
func (d Deployment) Good() bool { return d.Verdict != nil && d.Verdict.Good }

// A Ledger is the record of a stack's releases and deployments, kept in the bucket where its state is, under
// .slipway/releases/<project>/<stack>/. Its objects are written once and never changed or deleted: a release, a
// deployment when it begins, and the same one with its verdict when it ends.
type Ledger struct {
	Bucket  *blob.Bucket
	Project string
	Stack   string
}

const (
	ledgerVersion = 1
	largestObject = 1 << 20 // bytes; a release with a thousand migrations has about 50,000
	idTime        = "20060102-150405"
	atOnce        = 16 // objects are read
)

// An entry is one object of the ledger: exactly one of its fields is there.
type entry struct {
	Version int         `json:"version"`
	Release *Release    `json:"release,omitempty"`
	Begun   *Deployment `json:"begun,omitempty"`
	Ended   *Deployment `json:"ended,omitempty"`
}

// Close closes the bucket.
func (l *Ledger) Close() error { return l.Bucket.Close() }

// LedgerRoot is the folder of all ledgers in a bucket.
const LedgerRoot = ".slipway/releases/"

// LedgerPrefix is where the ledger of a stack is in the bucket of its state.
func LedgerPrefix(project, stack string) string { return LedgerRoot + project + "/" + stack + "/" }

func (l *Ledger) prefix() string { return LedgerPrefix(l.Project, l.Stack) }

// Begin records that a deployment begins. It sets the deployment's ID, and its time if it has none.
func (l *Ledger) Begin(ctx context.Context, d Deployment) (Deployment, error) {
	if d.When.IsZero() {
		d.When = time.Now()
	}
	d.When = d.When.UTC()
	some := make([]byte, 6)
	rand.Read(some)
	d.ID = d.When.Format(idTime) + "-" + hex.EncodeToString(some)
	d.Ended, d.Verdict = time.Time{}, nil
	return d, l.write(ctx, entry{Begun: &d})
}

// End records how a deployment ended. Log lines are not kept: the site writes them, and they may contain secrets.
func (l *Ledger) End(ctx context.Context, d Deployment) error {
	if d.Verdict == nil {
		return errors.New("release: a deployment ends with a verdict")
	}
	if d.Ended.IsZero() {
		d.Ended = time.Now()
	}
	d.Ended = d.Ended.UTC()
	kept := *d.Verdict
	kept.Logs, kept.Check = nil, nil
	if kept.Page != nil {
		page := *kept.Page
		page.Logs = nil
		kept.Page = &page
	}
	d.Verdict = &kept
	return l.write(ctx, entry{Ended: &d})
}

// Keep records a release. One that is there already must be the same.
func (l *Ledger) Keep(ctx context.Context, r Release) error { return l.write(ctx, entry{Release: &r}) }

// key is where an entry belongs.
func (e entry) key() string {
	switch {
	case e.Release != nil:
		return "releases/" + e.Release.ID + ".json"
	case e.Begun != nil:
		return "deployments/" + e.Begun.ID + ".begun.json"
	case e.Ended != nil:
		return "deployments/" + e.Ended.ID + ".ended.json"
	}
	return ""
}

func (l *Ledger) write(ctx context.Context, e entry) error {
	e.Version = ledgerVersion
	key := e.key()
	data, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		_, err = parseEntry(key, data) // an entry that cannot be read back is not written
	}
	if err != nil {
		return fmt.Errorf("the ledger of stack %s: %s: %w", l.Stack, key, err)
	}
	err = l.Bucket.WriteAll(ctx, l.prefix()+key, data, &blob.WriterOptions{IfNotExist: true, ContentType: "application/json"})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		there, readErr := l.Bucket.ReadAll(ctx, l.prefix()+key)
		if readErr == nil && bytes.Equal(there, data) {
			return nil
		}
		err = errors.New("it exists with other contents; entries of the ledger are never changed")
	}
	if err != nil {
		return fmt.Errorf("the ledger of stack %s cannot be written: %s: %w", l.Stack, key, err)
	}
	return nil
}

// A History is the contents of a ledger, oldest first.
type History struct {
	Stack       string       `json:"stack"`
	Releases    []Release    `json:"releases"`
	Deployments []Deployment `json:"deployments"`
	Damaged     []Damage     `json:"damaged,omitempty"`

	Flags string `json:"-"` // what a suggested command needs to work on the stack: " --stack dev --live"
}

// A Damage is an object of the ledger that cannot be read or does not belong there. The others still count.
type Damage struct {
	Key string `json:"key"` // in the bucket
	Why string `json:"why"`
}

// Read reads the ledger. A stack that was never deployed has an empty one.
func (l *Ledger) Read(ctx context.Context) (History, error) {
	wrong := func(err error) error { return fmt.Errorf("the ledger of stack %s cannot be read: %w", l.Stack, err) }
	var keys []string
	for list := l.Bucket.List(&blob.ListOptions{Prefix: l.prefix()}); ; {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return History{}, wrong(err)
		}
		if strings.HasSuffix(object.Key, ".tmp") { // left by a killed writer in a bucket of files
			continue
		}
		keys = append(keys, object.Key)
	}
	entries, damages := make([]entry, len(keys)), make([]error, len(keys))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, key := range keys {
		group.Go(func() error {
			r, err := l.Bucket.NewReader(within, key, nil)
			if err != nil {
				return err
			}
			defer r.Close()
			data, err := io.ReadAll(io.LimitReader(r, largestObject+1))
			if err != nil {
				return err
			}
			entries[i], damages[i] = parseEntry(strings.TrimPrefix(key, l.prefix()), data)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return History{}, wrong(err)
	}

	h := History{Stack: l.Stack, Releases: []Release{}, Deployments: []Deployment{}}
	deployments := map[string]Deployment{}
	for i, e := range entries {
		switch {
		case damages[i] != nil:
			h.Damaged = append(h.Damaged, Damage{keys[i], damages[i].Error()})
		case e.Release != nil:
			h.Releases = append(h.Releases, *e.Release)
		case e.Ended != nil:
			deployments[e.Ended.ID] = *e.Ended
		default:
			if _, ended := deployments[e.Begun.ID]; !ended {
				deployments[e.Begun.ID] = *e.Begun
			}
		}
	}
	for _, d := range deployments {
		h.Deployments = append(h.Deployments, d)
	}
	slices.SortFunc(h.Releases, func(a, b Release) int { return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(h.Deployments, func(a, b Deployment) int { return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.ID, b.ID)) })
	return h, nil
}

var (
	releaseForm    = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}-[0-9a-f]{7}$`)
	deploymentForm = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}-[0-9a-f]{12}$`)
	operations     = []string{"up", "promote", "rollback", "destroy"}
)

// parseEntry reads the object under key, strictly: what is not exactly what this program writes is an error.
func parseEntry(key string, data []byte) (entry, error) {
	var e entry
	if len(data) > largestObject {
		return e, fmt.Errorf("it has more than %d bytes", largestObject)
	}
	var version struct{ Version int }
	if err := json.Unmarshal(data, &version); err == nil && version.Version > ledgerVersion {
		return e, fmt.Errorf("it is of version %d, and this slipway knows version %d: use a newer one", version.Version, ledgerVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return e, fmt.Errorf("it is no entry of a ledger: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("it is no entry of a ledger: it has trailing data")
	}
	if e.Version != ledgerVersion {
		return e, fmt.Errorf("it is of version %d, and this slipway knows version %d", e.Version, ledgerVersion)
	}
	if err := e.check(); err != nil {
		return e, err
	}
	if e.key() != key {
		return e, fmt.Errorf("it belongs under %s", e.key())
	}
	return e, nil
}

func (e entry) check() error {
	var all []error
	say := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	images := func(i image.Pair) {
		for _, reference := range []string{i.Django, i.Nginx} {
			if !image.Reference.MatchString(reference) {
				say("images must be repository@sha256: and 64 hexadecimal digits, got %q", reference)
			}
		}
	}
	deployment := func(d *Deployment) {
		if !deploymentForm.MatchString(d.ID) {
			say("id %q is not that of a deployment", d.ID)
		}
		if !slices.Contains(operations, d.Operation) {
			say("operation must be %s, got %q", strings.Join(operations, ", "), d.Operation)
		}
		if d.Release != "" && !releaseForm.MatchString(d.Release) {
			say("release %q is not the id of a release", d.Release)
		}
		if d.When.IsZero() {
			say("when is missing")
		}
		if d.Images != nil {
			images(*d.Images)
		}
	}
	there := 0
	if r := e.Release; r != nil {
		there++
		if !releaseForm.MatchString(r.ID) {
			say("id %q is not that of a release", r.ID)
		}
		if r.When.IsZero() {
			say("when is missing")
		}
		images(r.Images)
	}
	if e.Begun != nil {
		there++
		deployment(e.Begun)
		if e.Begun.Verdict != nil {
			say("a deployment that begins has no verdict")
		}
	}
	if e.Ended != nil {
		there++
		deployment(e.Ended)
		if e.Ended.Verdict == nil {
			say("a deployment that has ended has a verdict")
		}
	}
	if there != 1 {
		say("it must have one of release, begun and ended, got %d", there)
	}
	return errors.Join(all...)
}

// Last is the newest deployment, ended or not; false: there is none.
func (h History) Last() (Deployment, bool) {
	if len(h.Deployments) == 0 {
		return Deployment{}, false
	}
	return h.Deployments[len(h.Deployments)-1], true
}

// Of is the newest deployment of a release.
func (h History) Of(id string) (Deployment, bool) {
	for _, d := range slices.Backward(h.Deployments) {
		if d.Release == id {
			return d, true
		}
	}
	return Deployment{}, false
}

// Running is the release that was deployed last, whether that went well or not; false: none was, or the stack was
// destroyed since, or the last deployment ended before its images were known.
func (h History) Running() (Release, bool) {
	for _, d := range slices.Backward(h.Deployments) {
		if d.Operation == "destroy" && d.Good() {
			break
		}
		if d.Release != "" {
			r, err := h.Find(d.Release)
			return r, err == nil
		}
	}
	return Release{}, false
}

// Previous is the release that was good here before the one that runs, with other images: of those first deployed before it, the one
// that was deployed last. So one rollback after another goes further back, and never to what an earlier one left.
func (h History) Previous() (Release, bool) {
	earlier, _ := h.around()
	if len(earlier) == 0 {
		return Release{}, false
	}
	return earlier[0], true
}

// Later are the good releases with other images that were first deployed after the one that runs, newest first. Something else runs
// since a rollback.
func (h History) Later() []Release {
	_, later := h.around()
	return later
}

// around are the good releases with other images than those that run: what was first deployed before them, and after them. The
// same images are listed once; those that were deployed last come first.
func (h History) around() (earlier, later []Release) {
	kept, _ := h.sinceDestroy()
	first := map[image.Pair]int{} // when images were first deployed here
	running, runs := h.Running()
	var releases []Release // of kept
	for i, d := range kept {
		r, _ := h.Find(d.Release)
		releases = append(releases, r)
		if _, seen := first[r.Images.Digests()]; !seen {
			first[r.Images.Digests()] = i
		}
	}
	now, listed := running.Images.Digests(), map[image.Pair]bool{}
	for i, d := range slices.Backward(kept) {
		r := releases[i]
		digests := r.Images.Digests()
		if !d.Good() || r.ID == "" || listed[digests] || runs && digests == now {
			continue
		}
		listed[digests] = true
		if runs && first[digests] > first[now] {
			later = append(later, r)
		} else {
			earlier = append(earlier, r)
		}
	}
	return earlier, later
}

// Destroyed is when the stack was destroyed, with the images of the releases before; false: it was not, or nothing ran before.
func (h History) Destroyed() (time.Time, bool) {
	kept, destroyed := h.sinceDestroy()
	ran := func(d Deployment) bool { return d.Good() && d.Release != "" }
	return destroyed.When, slices.ContainsFunc(h.Deployments[:len(h.Deployments)-len(kept)], ran)
}

// sinceDestroy are the deployments whose images can still be there, and the destroy before them.
func (h History) sinceDestroy() (kept []Deployment, destroyed Deployment) {
	for i, d := range slices.Backward(h.Deployments) {
		if d.Operation == "destroy" && d.Good() {
			return h.Deployments[i+1:], d
		}
	}
	return h.Deployments, Deployment{}
}

// Find is the release with an ID. The error of an unknown one names the nearest, or all if there are few.
func (h History) Find(id string) (Release, error) {
	const few = 5
	var known []string
	for _, r := range slices.Backward(h.Releases) {
		if r.ID == id {
			return r, nil
		}
		known = append(known, r.ID)
	}
	if len(known) == 0 {
		return Release{}, fmt.Errorf("stack %s has no release %q: it has none at all", h.Stack, id)
	}
	nearest := slices.MinFunc(known, func(a, b string) int {
		return cmp.Compare(levenshtein.ComputeDistance(a, id), levenshtein.ComputeDistance(b, id))
	})
	if levenshtein.ComputeDistance(nearest, id) <= 4 {
		return Release{}, fmt.Errorf("stack %s has no release %q; did you mean %s?", h.Stack, id, nearest)
	}
	more := ""
	if n := len(known) - few; n > 0 {
		known, more = known[:few], fmt.Sprintf(" and %d older ones", n)
		if n == 1 {
			more = " and an older one"
		}
	}
	return Release{}, fmt.Errorf("stack %s has no release %q; it has %s%s", h.Stack, id, strings.Join(known, ", "), more)
}
