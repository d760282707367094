package operation

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/engine"
	"slipway/logline"
	"slipway/operation/account"
	"slipway/release"
	"slipway/verdict"
)

var noon = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

func TestMoments(t *testing.T) {
	for text, want := range map[string]time.Time{
		"2h": noon.Add(-2 * time.Hour), "90m": noon.Add(-90 * time.Minute), "3d": noon.AddDate(0, 0, -3), "1w": noon.AddDate(0, 0, -7),
		"1.5d": noon.Add(-36 * time.Hour), "2026-02-03T04:05:06Z": time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		"2026-02-03T04:05:06+02:00": time.Date(2026, 2, 3, 2, 5, 6, 0, time.UTC),
	} {
		if got, err := Moment(text, noon); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-02-03", "-2h", "d", "999999999d", "1e9w", "2h30", "04:05"} {
		if got, err := Moment(text, noon); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestARangeOfTimeThatIsNone(t *testing.T) {
	for _, args := range []LogsArgs{
		{Since: "soon"}, {Until: "later"}, {Since: "1h", Until: "2h"}, {Since: "1h", Until: "1h"}, {Follow: true, Until: "1h"},
		{Since: "2026-02-03T13:00:00Z"},
	} {
		_, _, err := span(args, noon)
		if usage := (UsageError{}); !errors.As(err, &usage) {
			t.Errorf("%+v: %v", args, err)
		}
	}
	if from, until, err := span(LogsArgs{Until: "3h"}, noon); err != nil || !until.Equal(noon.Add(-3*time.Hour)) ||
		!from.Equal(noon.Add(-4*time.Hour)) {
		t.Errorf("until alone: %s to %s, %v", from, until, err)
	}
}

// A shelf is log groups and an archive in memory.
type shelf struct {
	account.Observer
	groups []account.LogGroup

	mu            sync.Mutex
	events        map[string][]logline.Event
	objects       map[string]string
	listed        []string
	opened        []string
	broken        map[string]error
	reading, most int
}

func (s *shelf) LogGroups(context.Context, string) ([]account.LogGroup, error) { return s.groups, nil }

func (s *shelf) LogStreams(_ context.Context, group string, _ time.Time) ([]account.LogStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []account.LogStream
	for _, e := range s.events[group] {
		if !slices.ContainsFunc(all, func(l account.LogStream) bool { return l.Name == e.Stream }) {
			all = append(all, account.LogStream{Name: e.Stream, Created: e.Time})
		}
	}
	return all, nil
}

func (s *shelf) Events(_ context.Context, q account.EventQuery, visit func([]logline.Event) error) error {
	s.mu.Lock()
	all := slices.Clone(s.events[q.Group])
	err := s.broken[q.Group]
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, e := range all { // pages of one event
		if !e.Time.Before(q.From) && (q.To.IsZero() || e.Time.Before(q.To)) {
			if err := visit([]logline.Event{e}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) Archived(_ context.Context, bucket, prefix string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = append(s.listed, prefix)
	var keys []string
	for key := range s.objects {
		if bucket == "logs" && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, s.broken["archive"]
}

func (s *shelf) Archive(_ context.Context, _, key string) (io.ReadCloser, error) {
	s.mu.Lock()
	s.opened = append(s.opened, key)
	s.reading++
	s.most = max(s.most, s.reading)
	text := s.objects[key]
	s.mu.Unlock()
	time.Sleep(time.Millisecond)
	return &closing{strings.NewReader(text), s}, nil
}

type closing struct {
	io.Reader
	shelf *shelf
}

func (c *closing) Close() error {
	c.shelf.mu.Lock()
	c.shelf.reading--
	c.shelf.mu.Unlock()
	return nil
}

func (s *shelf) add(events ...logline.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		e.Place()
		s.events[e.Group] = append(s.events[e.Group], e)
	}
}

func event(at time.Time, group, task, text string) logline.Event {
	container := strings.TrimPrefix(group, "/slipway/prod/")
	return logline.Event{Time: at, ID: fmt.Sprint(at.UnixNano(), text), Group: group, Stream: "web/" + container + "/" + task, Text: text}
}

// batched is an object of the archive with events, as Firehose writes it.
func batched(t *testing.T, events ...logline.Event) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, e := range events {
		fmt.Fprintf(z, `{"messageType":"DATA_MESSAGE","logGroup":%q,"logStream":%q,"logEvents":[{"id":%q,"timestamp":%d,"message":%q}]}`+"\n",
			e.Group, e.Stream, e.ID, e.Time.UnixMilli(), e.Text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func key(prefix string, at time.Time) string {
	return prefix + at.Format("2006/01/02/15/") + "slipway-prod-subscription-1-" + at.Format("2006-01-02-15-04-05") + "-0b1c.gz"
}

const django, nginx = "/slipway/prod/django", "/slipway/prod/nginx"

// archivedSite is a stack whose web service writes to two log groups, kept for 30 days.
func archivedSite(now time.Time) (*observed, *shelf) {
	s := &shelf{events: map[string][]logline.Event{}, objects: map[string]string{}, broken: map[string]error{}}
	const retention = 30 * 24 * time.Hour
	s.groups = []account.LogGroup{{Name: django, Created: now.AddDate(-1, 0, 0), Retention: retention},
		{Name: nginx, Created: now.AddDate(-1, 0, 0), Retention: retention},
		{Name: "/slipway/prod/worker-mail", Created: now.AddDate(-1, 0, 0), Retention: retention}}
	l := &layout{prefix: "slipway-prod-", path: "/slipway/prod/", archives: []archive{{bucket: "logs", prefix: "subscription/",
		grouped: true}},
		parts: []part{
			{Name: "web", Family: "slipway-prod-web", Service: "slipway-prod-web", Containers: []container{{Name: "django", Group: django,
				Prefix: "web"},
				{Name: "nginx", Group: nginx, Prefix: "web"}}},
			{Name: "worker-mail", Family: "slipway-prod-worker-mail", Containers: []container{{Name: "django", Group: "/slipway/prod/worker-mail"}}},
		}}
	return &observed{target: Target{Stack: "prod", Progress: unheard{}}, layout: l, observer: s}, s
}

type unheard struct{}

func (unheard) Event(engine.Event)  {}
func (unheard) Logf(string, ...any) {}

// texts reads what is wanted from a time on.
func shownTexts(t *testing.T, o *observed, args LogsArgs, from, until time.Time) ([]string, error) {
	t.Helper()
	s := &selection{observed: o, args: args, from: from, until: until}
	if err := s.choose(); err != nil {
		return nil, err
	}
	var all []string
	s.emit = func(l LogLine) error { all = append(all, l.Text); return nil }
	return all, errors.Join(s.read(t.Context()))
}

func TestLinesOfGroupsAndArchiveInTheirOrder(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	o, s := archivedSite(now)
	old := now.AddDate(0, 0, -31)
	expiring := now.Add(-30 * 24 * time.Hour).Add(30 * time.Minute) // CloudWatch may have it or not
	// What both have is shown once: here the archive has everything, as Firehose does.
	for i, at := range []time.Time{old, old.Add(time.Hour), expiring, now.Add(-time.Hour), now.Add(-time.Minute)} {
		a, b := event(at, django, "t1", fmt.Sprint("django ", i)), event(at.Add(time.Second), nginx, "t1", fmt.Sprint("nginx ", i))
		s.objects[key("subscription/", at)] = batched(t, b, a, a) // Firehose delivers at least once
		if at.After(now.AddDate(0, 0, -30)) {
			s.add(a, b)
		}
	}
	late := event(old.Add(2*time.Hour), django, "t1", "late")
	s.objects[key("subscription/", late.Time.Add(50*time.Minute))] = batched(t, late)
	s.objects[key("subscription/", old.Add(3*time.Minute))+"x"] = batched(t, event(old, "/slipway/dev/django", "t9", "of another stack"))
	got, err := shownTexts(t, o, LogsArgs{}, now.AddDate(0, 0, -40), time.Time{})
	want := []string{"django 0", "nginx 0", "django 1", "nginx 1", "late", "django 2", "nginx 2", "django 3", "nginx 3", "django 4", "nginx 4"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if s.most > objectsAtOnce {
		t.Errorf("%d objects are read at once", s.most)
	}

	// A range within what CloudWatch has does not touch the archive.
	s.listed, s.opened = nil, nil
	if got, err := shownTexts(t, o, LogsArgs{}, now.Add(-2*time.Hour), time.Time{}); err != nil || len(got) != 4 || len(s.listed) > 0 {
		t.Errorf("got %q, %v; listed %q", got, err, s.listed)
	}
}

func TestOnlyTheHoursThatARangeNeedsAreListed(t *testing.T) {
	now := time.Now().UTC()
	o, s := archivedSite(now)
	day := now.AddDate(0, 0, -60).Truncate(24 * time.Hour)
	if _, err := shownTexts(t, o, LogsArgs{Service: "web", Container: "nginx"}, day.Add(4*time.Hour+30*time.Minute),
		day.Add(5*time.Hour)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(s.listed)
	var want []string
	for hour := 3; hour <= 6; hour++ {
		want = append(want, day.Add(time.Duration(hour)*time.Hour).Format("subscription/2006/01/02/15/"))
	}
	if !slices.Equal(s.listed, want) {
		t.Errorf("listed %q, want %q", s.listed, want)
	}
	s.listed = nil
	if _, err := shownTexts(t, o, LogsArgs{}, day.AddDate(0, 0, -9), day); err != nil || len(s.listed) > 9+4 {
		t.Errorf("ten days are listed in %d calls, %v", len(s.listed), err)
	}
}

func TestAGroupThatWasMadeAgainHasItsPastInTheArchive(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	o, s := archivedSite(now)
	s.groups = []account.LogGroup{{Name: django, Created: now.Add(-time.Hour), Retention: 30 * 24 * time.Hour}}
	before, after := event(now.Add(-2*time.Hour), django, "t1", "before"), event(now.Add(-time.Minute), django, "t1", "after")
	gone := event(now.Add(-90*time.Minute), nginx, "t1", "of a group that is gone")
	s.objects[key("subscription/", before.Time)] = batched(t, before, gone)
	s.objects[key("subscription/", after.Time)] = batched(t, after)
	s.add(after)
	got, err := shownTexts(t, o, LogsArgs{}, now.Add(-3*time.Hour), time.Time{})
	if want := []string{"before", "of a group that is gone", "after"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestWhatIsWanted(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	o, s := archivedSite(now)
	at := now.Add(-time.Minute)
	s.add(event(at, django, "t1", `{"level": "error", "message": "Broken pipe", "request_id": "0123456789abcdef"}`),
		event(at.Add(time.Second), nginx, "t1", `{"logger":"nginx","request_id":"0123456789abcdef","status":502}`),
		event(at.Add(2*time.Second), nginx, "t2", `{"logger":"nginx","request_id":"fedcba9876543210","status":200}`),
		event(at.Add(3*time.Second), "/slipway/prod/worker-mail", "t3", "connect to redis://:hunter2@cache:6379/0"))
	for name, c := range map[string]struct {
		args LogsArgs
		want int
	}{
		"all": {LogsArgs{}, 4}, "a service": {LogsArgs{Service: "web"}, 3}, "a worker by its short name": {LogsArgs{Service: "mail"}, 1},
		"a container": {LogsArgs{Container: "nginx"}, 2}, "a text in another case": {LogsArgs{Filter: "broken PIPE"}, 1},
		"a request": {LogsArgs{Request: "0123456789abcdef"}, 2}, "a request in a container": {LogsArgs{Request: "0123456789abcdef",
			Container: "nginx"}, 1},
	} {
		got, err := shownTexts(t, o, c.args, now.Add(-time.Hour), time.Time{})
		if err != nil || len(got) != c.want {
			t.Errorf("%s: got %q, %v; want %d", name, got, err, c.want)
		}
		if slices.ContainsFunc(got, func(text string) bool { return strings.Contains(text, "hunter2") }) {
			t.Errorf("%s: a password is shown: %q", name, got)
		}
	}
	for args, want := range map[LogsArgs]string{
		{Service: "wbe"}:                      `stack prod has no service "wbe": did you mean web?`,
		{Service: "database"}:                 `stack prod has no service "database"; it has web, worker-mail`,
		{Container: "postgres"}:               `stack prod has no container "postgres"; it has django, nginx`,
		{Service: "mail", Container: "nginx"}: `stack prod has no container "nginx"; it has django`,
	} {
		if _, err := shownTexts(t, o, args, now, time.Time{}); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %s", args, err, want)
		}
	}
}

func TestWhatCannotBeReadLeavesTheRest(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	o, s := archivedSite(now)
	s.add(event(now.Add(-time.Minute), django, "t1", "one"), event(now.Add(-time.Second), nginx, "t1", "two"))
	s.broken[nginx] = errors.New("AccessDeniedException: not authorized to perform logs:FilterLogEvents")
	got, err := shownTexts(t, o, LogsArgs{}, now.Add(-time.Hour), time.Time{})
	if !slices.Equal(got, []string{"one"}) || !isIncomplete(err) || !strings.Contains(err.Error(),
		"log group /slipway/prod/nginx: AccessDenied") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFollowHasNoGapAndNothingTwice(t *testing.T) {
	each, window := followEach, followWindow
	followEach = 5 * time.Millisecond
	t.Cleanup(func() { followEach, followWindow = each, window })
	o, s := archivedSite(time.Now())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const n = 200
	go func() {
		for i := range n {
			group := []string{django, nginx}[i%2]
			at := time.Now().UTC()
			if i%7 == 0 { // an event that becomes visible late
				at = at.Add(-time.Second)
			}
			s.add(event(at, group, "t1", fmt.Sprint(i)))
			time.Sleep(time.Millisecond)
		}
	}()
	sel := &selection{observed: o, args: LogsArgs{Follow: true}, from: time.Now().Add(-time.Minute), shown: map[string]time.Time{},
		objects: map[string]time.Time{}}
	if err := sel.choose(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	sel.emit = func(l LogLine) error {
		if seen[l.Text]++; len(seen) == n {
			time.AfterFunc(50*time.Millisecond, stop) // time for what would be shown twice
		}
		return nil
	}
	if err := sel.read(ctx); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Second, stop)
	if err := sel.follow(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	for text, times := range seen {
		if times != 1 {
			t.Errorf("%s is shown %d times", text, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d lines are shown, of %d", len(seen), n)
	}
}

func TestFollowEndsWhenNobodyReads(t *testing.T) {
	o, s := archivedSite(time.Now())
	s.add(event(time.Now().UTC(), django, "t1", "one"))
	sel := &selection{observed: o, from: time.Now().Add(-time.Minute), shown: map[string]time.Time{}, objects: map[string]time.Time{},
		emit: func(LogLine) error { return io.ErrClosedPipe }}
	if err := sel.choose(); err != nil {
		t.Fatal(err)
	}
	if err := sel.read(t.Context()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("it ends with %v", err)
	}
}

func TestTheTasksOfARelease(t *testing.T) {
	at := func(hour int) time.Time { return noon.Add(time.Duration(hour) * time.Hour) }
	ended := func(operation, id string, hour int, good bool) release.Deployment {
		return release.Deployment{Operation: operation, Release: id, When: at(hour), Ended: at(hour).Add(10 * time.Minute),
			Verdict: &verdict.Verdict{Good: good}}
	}
	all := []release.Deployment{ended("up", "a", 0, true), ended("up", "a", 1, true), ended("up", "b", 2, true), ended("up", "c", 3, false),
		ended("rollback", "a", 5, true), ended("destroy", "", 6, true)}
	for id, want := range map[string][]reign{
		"a": {{at(0), at(2)}, {at(5), at(6)}},
		"b": {{at(2), at(3)}, {at(3).Add(10 * time.Minute), at(5)}}, // c failed, and what starts after that is b again
		"c": {{at(3), at(3).Add(10 * time.Minute)}},
		"d": nil,
	} {
		if got := reigns(all, id); !slices.Equal(got, want) {
			t.Errorf("%s ran %v, want %v", id, got, want)
		}
	}

	o, s := archivedSite(noon)
	s.add(event(at(0).Add(time.Minute), django, "old", "first of the old task"), event(at(2).Add(time.Hour), django, "old",
		"last of the old task"),
		event(at(2).Add(time.Minute), django, "new", "first of the new task"))
	sel := &selection{observed: o, from: at(0), born: &births{spans: reigns(all, "a"), seen: map[string]time.Time{}}}
	var got []string
	sel.emit = func(l LogLine) error { got = append(got, l.Text); return nil }
	if err := errors.Join(sel.choose(), sel.born.learn(t.Context(), sel)); err != nil {
		t.Fatal(err)
	}
	if err := sel.merge(t.Context(), []source{sel.fromGroup(django, at(0), time.Time{})}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first of the old task", "last of the old task"}; !slices.Equal(slices.Sorted(slices.Values(got)),
		slices.Sorted(slices.Values(want))) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTooManyLinesAreRefused(t *testing.T) {
	now := time.Now().UTC()
	o, _ := archivedSite(now)
	r := &archiveReader{selection: &selection{observed: o, from: now.Add(-time.Hour)}, size: mostWaiting}
	shelved := o.observer.(*shelf)
	shelved.objects["x"] = batched(t, event(now.Add(-time.Minute), django, "t1", "one"))
	if err := r.readObject(t.Context(), "x"); !errors.Is(err, errTooMuch) {
		t.Errorf("it ends with %v", err)
	}
}
