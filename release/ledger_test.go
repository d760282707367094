package release

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"slipway/internal/image"
	"slipway/verdict"
)

func digest(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

func imagesAt(letter string) image.Pair {
	const registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/"
	return image.Pair{Django: registry + "django@" + digest(letter), Nginx: registry + "nginx@" + digest("f")}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A story writes a ledger minute by minute.
type story struct {
	*testing.T
	ledger *Ledger
	now    time.Time
}

func newStory(t *testing.T, bucket *blob.Bucket) *story {
	t.Cleanup(func() { bucket.Close() })
	return &story{t, &Ledger{Bucket: bucket, Project: "slipway", Stack: "dev"}, noon}
}

// release records a release of the images and its deployment; good is its result, nil if it does not end.
func (s *story) release(letter string, good *bool, migrations ...string) Release {
	s.Helper()
	s.now = s.now.Add(time.Minute)
	r := NewRelease("dev", "ada@laptop", s.now, imagesAt(letter), Source{Migrations: migrations})
	if err := s.ledger.Keep(s.Context(), r); err != nil {
		s.Fatal(err)
	}
	s.deploy(Deployment{Operation: "up", Release: r.ID}, good)
	return r
}

func (s *story) deploy(d Deployment, good *bool) {
	s.Helper()
	s.now = s.now.Add(time.Minute)
	d.When, d.Who = s.now, "ada@laptop"
	d, err := s.ledger.Begin(s.Context(), d)
	if err == nil && good != nil {
		d.Verdict, d.Ended = &verdict.Verdict{Good: *good, Logs: []string{"password=hunter2"}}, s.now.Add(30*time.Second)
		err = s.ledger.End(s.Context(), d)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *story) read() History {
	s.Helper()
	h, err := s.ledger.Read(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return h
}

func good() *bool { yes := true; return &yes }
func bad() *bool  { return new(bool) }

func TestReleasesAreNamedByTimeAndDigests(t *testing.T) {
	made := NewRelease("dev", "ada@laptop", time.Date(2026, 11, 22, 20, 8, 17, 5, time.FixedZone("CET", 3600)), imagesAt("a"), Source{})
	if !strings.HasPrefix(made.ID, "20261122-190817-") || !releaseForm.MatchString(made.ID) {
		t.Errorf("ID %s", made.ID)
	}
	later := NewRelease("prod", "bob", noon.Add(time.Hour), imagesAt("a"), Source{})
	if made.ID[16:] != later.ID[16:] {
		t.Errorf("the same images are %s and %s", made.ID, later.ID)
	}
	if other := NewRelease("dev", "ada", noon, imagesAt("b"), Source{}); other.ID[16:] == made.ID[16:] {
		t.Errorf("other images have the same name: %s", other.ID)
	}
}

func TestALedgerSaysWhatWasWritten(t *testing.T) {
	for name, bucket := range map[string]*blob.Bucket{"memory": memblob.OpenBucket(nil), "files": fileBucket(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, bucket)
			if h := s.read(); len(h.Releases)+len(h.Deployments)+len(h.Damaged) > 0 {
				t.Errorf("an empty ledger has %+v", h)
			}
			first := s.release("a", good(), "feed/0001_first")
			second := s.release("b", bad(), "feed/0001_first", "feed/0002_more")
			s.release("c", nil)
			h := s.read()
			if len(h.Damaged) > 0 {
				t.Fatal(h.Damaged)
			}
			if diff := cmp.Diff([]Release{first, second}, h.Releases[:2]); diff != "" {
				t.Errorf("releases (-want +got):\n%s", diff)
			}
			var got []string
			for _, d := range h.Deployments {
				got = append(got, fmt.Sprintf("%s good=%t ended=%t", d.Release, d.Good(), d.Verdict != nil))
			}
			want := []string{first.ID + " good=true ended=true", second.ID + " good=false ended=true", h.Releases[2].ID + " good=false ended=false"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("deployments (-want +got):\n%s", diff)
			}
			for _, d := range h.Deployments {
				if d.Verdict != nil && d.Verdict.Logs != nil {
					t.Error("log lines are kept")
				}
			}
		})
	}
}

func fileBucket(t testing.TB, dir string) *blob.Bucket {
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

func TestWhatRunsAndWhatRanBefore(t *testing.T) {
	for _, c := range []struct {
		name              string
		play              func(s *story) (running, previous Release)
		noRunning, noPrev bool
		later             string // the letters of the images
	}{
		{name: "nothing yet", noRunning: true, noPrev: true, play: func(*story) (r, p Release) { return }},
		{name: "only one", noPrev: true, play: func(s *story) (r, p Release) { return s.release("a", good()), p }},
		{name: "two", play: func(s *story) (r, p Release) { p = s.release("a", good()); return s.release("b", good()), p }},
		{name: "a bad one", play: func(s *story) (r, p Release) { p = s.release("a", good()); return s.release("b", bad()), p }},
		{name: "one that was killed", play: func(s *story) (r, p Release) { p = s.release("a", good()); return s.release("b", nil), p }},
		{name: "the bad one is not gone back to", play: func(s *story) (r, p Release) {
			p = s.release("a", good())
			s.release("b", bad())
			return s.release("c", good()), p
		}},
		{name: "a release that only changed a setting", play: func(s *story) (r, p Release) {
			p = s.release("a", good())
			s.release("b", good())
			return s.release("b", good()), p
		}},
		{name: "not forward to what was rolled back", noPrev: true, later: "b", play: func(s *story) (r, p Release) {
			r = s.release("a", good())
			s.release("b", good())
			s.deploy(Deployment{Operation: "rollback", Release: r.ID}, good())
			return r, p
		}},
		{name: "further back each time", later: "c", play: func(s *story) (r, p Release) {
			p = s.release("a", good())
			r = s.release("b", good())
			s.release("c", good())
			s.deploy(Deployment{Operation: "rollback", Release: r.ID}, good())
			return r, p
		}},
		{name: "what was rolled back is skipped later too", play: func(s *story) (r, p Release) {
			p = s.release("a", good())
			s.release("b", good())
			s.deploy(Deployment{Operation: "rollback", Release: p.ID}, good())
			return s.release("c", good()), p
		}},
		{name: "a new release of images that ran first", noPrev: true, later: "cb", play: func(s *story) (r, p Release) {
			s.release("a", good())
			s.release("b", good())
			s.release("c", good())
			return s.release("a", good()), p
		}},
		{name: "a destroy took the images", noPrev: true, play: func(s *story) (r, p Release) {
			s.release("a", good())
			s.release("b", good())
			s.deploy(Deployment{Operation: "destroy"}, good())
			return s.release("c", good()), p
		}},
		{name: "since a destroy", play: func(s *story) (r, p Release) {
			s.release("a", good())
			s.deploy(Deployment{Operation: "destroy"}, good())
			p = s.release("b", good())
			return s.release("c", good()), p
		}},
		{name: "good once, bad now", noPrev: true, play: func(s *story) (r, p Release) {
			r = s.release("a", good())
			s.deploy(Deployment{Operation: "up", Release: r.ID}, bad())
			return r, p
		}},
		{name: "failed before there were images", noPrev: true, play: func(s *story) (r, p Release) {
			r = s.release("a", good())
			s.deploy(Deployment{Operation: "up"}, bad())
			return r, p
		}},
		{name: "a destroy that failed", noPrev: true, play: func(s *story) (r, p Release) {
			r = s.release("a", good())
			s.deploy(Deployment{Operation: "destroy"}, bad())
			return r, p
		}},
		{name: "destroyed", noRunning: true, noPrev: true, play: func(s *story) (r, p Release) {
			s.release("a", good())
			s.deploy(Deployment{Operation: "destroy"}, good())
			return r, p
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t, memblob.OpenBucket(nil))
			running, previous := c.play(s)
			h := s.read()
			if got, ok := h.Running(); ok == c.noRunning || got.ID != running.ID {
				t.Errorf("%q runs (%t), want %q", got.ID, ok, running.ID)
			}
			if got, ok := h.Previous(); ok == c.noPrev || got.ID != previous.ID {
				t.Errorf("before it was %q (%t), want %q", got.ID, ok, previous.ID)
			}
			var later, want []image.Pair
			for _, r := range h.Later() {
				later = append(later, r.Images.Digests())
			}
			for _, letter := range c.later {
				want = append(want, imagesAt(string(letter)).Digests())
			}
			if diff := cmp.Diff(want, later); diff != "" {
				t.Errorf("later (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyMigrationsOfTheOneStayBehind(t *testing.T) {
	newer, older := Release{Migrations: []string{"feed/0001", "feed/0002", "shop/0001"}},
		Release{Migrations: []string{"feed/0001", "old/0009"}}
	if diff := cmp.Diff([]string{"feed/0002", "shop/0001"}, newer.Without(older)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownReleasesAreHelpedWith(t *testing.T) {
	s := newStory(t, memblob.OpenBucket(nil))
	if _, err := s.read().Find("x"); err == nil || !strings.Contains(err.Error(), "it has none at all") {
		t.Error(err)
	}
	var all []Release
	for range 7 {
		all = append(all, s.release("a", good()))
	}
	h := s.read()
	if r, err := h.Find(all[3].ID); err != nil || r.ID != all[3].ID {
		t.Errorf("%s, %v", r.ID, err)
	}
	typo := strings.Replace(all[3].ID, "2026", "2062", 1)
	if _, err := h.Find(typo); err == nil || !strings.HasSuffix(err.Error(), "did you mean "+all[3].ID+"?") {
		t.Error(err)
	}
	_, err := h.Find("latest")
	if want := fmt.Sprintf(`stack dev has no release "latest"; it has %s, %s, %s, %s, %s and 2 older ones`, all[6].ID, all[5].ID, all[4].ID,
		all[3].ID, all[2].ID); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	h.Releases = h.Releases[1:]
	if _, err := h.Find("latest"); err == nil || !strings.HasSuffix(err.Error(), " and an older one") {
		t.Error(err)
	}
}

// Concurrent writers lose nothing: each deployment has a name of its own.
func TestConcurrentDeploymentsAreAllKept(t *testing.T) {
	for name, bucket := range map[string]*blob.Bucket{"memory": memblob.OpenBucket(nil), "files": fileBucket(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, bucket)
			release := NewRelease("dev", "ada", noon, imagesAt("a"), Source{})
			var all sync.WaitGroup
			for range 32 {
				all.Go(func() {
					d, err := s.ledger.Begin(t.Context(), Deployment{Operation: "up", Who: "ada", When: noon})
					if err == nil {
						err = s.ledger.Keep(t.Context(), release)
					}
					if err == nil {
						d.Verdict = &verdict.Verdict{Good: true}
						err = s.ledger.End(t.Context(), d)
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			h := s.read()
			if len(h.Deployments) != 32 || len(h.Releases) != 1 || len(h.Damaged) != 0 {
				t.Errorf("%d deployments, %d releases, damaged %v", len(h.Deployments), len(h.Releases), h.Damaged)
			}
		})
	}
}

func TestWhatIsWrittenIsNeverChanged(t *testing.T) {
	for name, bucket := range map[string]*blob.Bucket{"memory": memblob.OpenBucket(nil), "files": fileBucket(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, bucket)
			r := s.release("a", good())
			other := r
			other.Commit = "0123456"
			if err := s.ledger.Keep(t.Context(), r); err != nil {
				t.Errorf("the same again: %v", err)
			}
			if err := s.ledger.Keep(t.Context(), other); err == nil || !strings.Contains(err.Error(), "never changed") {
				t.Errorf("another under the same name: %v", err)
			}
			d := s.read().Deployments[0]
			d.Verdict = &verdict.Verdict{}
			if err := s.ledger.End(t.Context(), d); err == nil || !strings.Contains(err.Error(), "never changed") {
				t.Errorf("a second verdict: %v", err)
			}
			if got := s.read(); got.Releases[0].Commit != "" || !got.Deployments[0].Good() {
				t.Error("something was changed")
			}
		})
	}
}

func TestWhatCannotBeReadIsNotWritten(t *testing.T) {
	s := newStory(t, memblob.OpenBucket(nil))
	r := NewRelease("dev", "ada", noon, image.Pair{Django: "app:latest"}, Source{})
	if err := s.ledger.Keep(t.Context(), r); err == nil ||
		!strings.Contains(err.Error(), `images must be repository@sha256: and 64 hexadecimal digits, got "app:latest"`) {
		t.Error(err)
	}
	if _, err := s.ledger.Begin(t.Context(), Deployment{Operation: "explode"}); err == nil ||
		!strings.Contains(err.Error(), `operation must be up, promote, rollback, destroy, got "explode"`) {
		t.Error(err)
	}
}

func TestDamageIsNamedAndTheRestCounts(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name, key, text, want string
	}{
		{"cut short", "releases/20261122-120100-0000000.json", `{"version":1,"rel`, "it is no entry of a ledger"},
		{"empty", "releases/20261122-120100-0000000.json", ``, "it is no entry of a ledger"},
		{"foreign", "notes.txt", "buy milk", "it is no entry of a ledger"},
		{"newer", "releases/20261122-120100-0000000.json", `{"version":2,"release":{"colour":"red"}}`,
			"it is of version 2, and this slipway knows version 1: use a newer one"},
		{"a field too many", "releases/20261122-120100-0000000.json", `{"version":1,"colour":"red"}`, `unknown field "colour"`},
		{"nothing in it", "releases/20261122-120100-0000000.json", `{"version":1}`, "one of release, begun and ended, got 0"},
		{"two in one", "x", `{"version":1}{"version":1}`, "trailing data"},
		{"big", "x", strings.Repeat(" ", largestObject+1), "more than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t, memblob.OpenBucket(nil))
			s.release("a", good())
			if err := s.ledger.Bucket.WriteAll(ctx, ".slipway/releases/slipway/dev/"+c.key, []byte(c.text), nil); err != nil {
				t.Fatal(err)
			}
			h := s.read()
			if len(h.Releases) != 1 || len(h.Deployments) != 1 {
				t.Errorf("%d releases and %d deployments are left", len(h.Releases), len(h.Deployments))
			}
			if len(h.Damaged) != 1 || h.Damaged[0].Key != ".slipway/releases/slipway/dev/"+c.key || !strings.Contains(h.Damaged[0].Why, c.want) {
				t.Errorf("damaged %+v, want %s", h.Damaged, c.want)
			}
		})
	}
}

// An entry under the name of another deployment would change the ledger.
func TestAnObjectBelongsUnderItsName(t *testing.T) {
	s := newStory(t, memblob.OpenBucket(nil))
	r := s.release("a", good())
	const prefix = ".slipway/releases/slipway/dev/releases/"
	if err := s.ledger.Bucket.Copy(t.Context(), prefix+"20300101-000000-abcdef0.json", prefix+r.ID+".json", nil); err != nil {
		t.Fatal(err)
	}
	if h := s.read(); len(h.Releases) != 1 || len(h.Damaged) != 1 || h.Damaged[0].Why != "it belongs under releases/"+r.ID+".json" {
		t.Errorf("%+v", h)
	}
}

func TestStacksHaveLedgersOfTheirOwn(t *testing.T) {
	s := newStory(t, memblob.OpenBucket(nil))
	s.release("a", good())
	other := Ledger{Bucket: s.ledger.Bucket, Project: "slipway", Stack: "de"}
	if h, err := other.Read(t.Context()); err != nil || len(h.Releases)+len(h.Damaged) > 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

// A killed write leaves a temporary file in the ledger's folder, which is no damage.
func TestAKilledWriteLeavesNoDamage(t *testing.T) {
	dir := t.TempDir()
	s := newStory(t, fileBucket(t, dir))
	r := s.release("a", good())
	left := filepath.Join(dir, ".slipway/releases/slipway/dev/releases", r.ID+".json.18a7.tmp")
	if err := os.WriteFile(left, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h := s.read(); len(h.Damaged) != 0 || len(h.Releases) != 1 {
		t.Errorf("%+v", h)
	}
}

func FuzzLedger(f *testing.F) {
	release := NewRelease("dev", "ada", noon, imagesAt("a"), Source{Commit: "abc", Migrations: []string{"feed/0001_first"}})
	deployment := Deployment{ID: "20261122-120000-0123456789ab", Operation: "up", When: noon, Release: release.ID}
	ended := deployment
	ended.Verdict = &verdict.Verdict{Reasons: []string{"no"}}
	for _, e := range []entry{{Release: &release}, {Begun: &deployment}, {Ended: &ended}} {
		e.Version = ledgerVersion
		data, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.key(), data)
	}
	f.Add("releases/x.json", []byte(`{"version":1,"release":null}`))
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		e, err := parseEntry(key, data)
		if err != nil {
			return
		}
		// An entry that was read can be written under the same name, with the same contents.
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseEntry(key, again)
		if err != nil {
			t.Fatalf("%v: %s", err, again)
		}
		if diff := cmp.Diff(e, back); diff != "" {
			t.Error(diff)
		}
	})
}

func TestImagesComeApart(t *testing.T) {
	i := imagesAt("a")
	if got := i.Digests(); got != (image.Pair{Django: digest("a"), Nginx: digest("f")}) {
		t.Error(got)
	}
	if got := i.Repositories(); !slices.Equal([]string{got.Django, got.Nginx}, []string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/django", "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/nginx"}) {
		t.Error(got)
	}
}
