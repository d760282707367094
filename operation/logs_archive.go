package operation

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/logline"
)

// The archive has a prefix for each hour in UTC. An object is named after the moment when Firehose began it, and has what arrived until it was
// delivered. So an event may be in the hour before its own, in an object begun just before, and, if it arrived late, in the hour after.
const archiveSlack = time.Hour

// How the archive is read: objects at once, and bytes of lines that wait for their order. What waits is what matches of about two hours.
const (
	objectsAtOnce = 8
	mostWaiting   = 256 << 20
)

// errTooMuch is a range of time with more lines than can be put in order.
var errTooMuch = errors.New("more than 256 MB of lines within two hours match: ask for less with --service, --container, --filter or --request")

// fromArchive reads an archive. Of events in log groups it takes those that CloudWatch does not have any more.
func (s *selection) fromArchive(a archive, cuts cut, now time.Time) source {
	until := s.until
	if until.IsZero() {
		until = now
	}
	r := &archiveReader{selection: s, archive: a, cuts: cuts}
	return source{"archive s3://" + a.bucket + "/" + a.prefix, func(ctx context.Context, send func([]logline.Event) error) error {
		from, end := s.from.UTC().Truncate(time.Hour).Add(-archiveSlack), until.UTC().Truncate(time.Hour).Add(archiveSlack)
		for day := from.Truncate(24 * time.Hour); !day.After(end); day = day.Add(24 * time.Hour) {
			hours, err := r.list(ctx, day, from, end)
			if err != nil {
				return err
			}
			for hour := day; hour.Before(day.Add(24 * time.Hour)); hour = hour.Add(time.Hour) {
				if hour.Before(from) || hour.After(end) {
					continue
				}
				if err := r.readHour(ctx, hours[hour]); err != nil {
					return err
				}
				if err := r.flush(hour, send); err != nil { // what is older can be in no later object
					return err
				}
			}
		}
		return r.flush(end.Add(2*archiveSlack), send)
	}}
}

// An archiveReader reads the objects of an archive, and puts their events in order.
type archiveReader struct {
	*selection
	archive archive
	cuts    cut // nil: all events

	mu      sync.Mutex
	waiting []logline.Event
	size    int // of what waits, in bytes
}

// list lists the objects of a day by their hours, with one call for each page where the whole day is wanted.
func (r *archiveReader) list(ctx context.Context, day, from, end time.Time) (map[time.Time][]string, error) {
	hours := map[time.Time][]string{}
	last := day.Add(23 * time.Hour)
	if !day.Before(from) && !last.After(end) {
		keys, err := r.observer.Archived(ctx, r.archive.bucket, r.archive.prefix+day.Format("2006/01/02/"))
		for _, key := range keys {
			rest := strings.TrimPrefix(key, r.archive.prefix)
			if hour, err := time.Parse("2006/01/02/15", path.Dir(rest)); err == nil {
				hours[hour] = append(hours[hour], key)
			}
		}
		return hours, err
	}
	var group errgroup.Group
	group.SetLimit(objectsAtOnce)
	var mu sync.Mutex
	for hour := day; !hour.After(last); hour = hour.Add(time.Hour) {
		if hour.Before(from) || hour.After(end) {
			continue
		}
		group.Go(func() error {
			keys, err := r.observer.Archived(ctx, r.archive.bucket, r.archive.prefix+hour.Format("2006/01/02/15/"))
			mu.Lock()
			defer mu.Unlock()
			hours[hour] = keys
			return err
		})
	}
	return hours, group.Wait()
}

// readHour reads objects, several at once.
func (r *archiveReader) readHour(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(objectsAtOnce)
	for _, key := range keys {
		if r.known(key) {
			continue
		}
		group.Go(func() error {
			if err := r.readObject(ctx, key); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// known says whether Follow has shown an object, and notes that it does now.
func (r *archiveReader) known(key string) bool {
	if r.objects == nil || r.archive.grouped {
		return false
	}
	_, known := r.objects[key]
	r.objects[key] = begunAt(key)
	return known
}

func (r *archiveReader) readObject(ctx context.Context, key string) error {
	object, err := r.observer.Archive(ctx, r.archive.bucket, key)
	if err != nil {
		return err
	}
	defer object.Close()
	return logline.ReadArchive(object, begunAt(key), func(e logline.Event) error {
		if from, there := r.cuts[e.Group]; e.Group != "" && there && !e.Time.Before(from) || !r.wants(e) {
			return nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.size += len(e.Text) + 200; r.size > mostWaiting {
			return errTooMuch
		}
		r.waiting = append(r.waiting, e)
		return nil
	})
}

// flush sends what is older than a moment, by time. Firehose may deliver a record twice.
func (r *archiveReader) flush(until time.Time, send func([]logline.Event) error) error {
	var ready []logline.Event
	r.waiting = slices.DeleteFunc(r.waiting, func(e logline.Event) bool {
		if !e.When().Before(until) {
			return false
		}
		ready = append(ready, e)
		r.size -= len(e.Text) + 200
		return true
	})
	sortEvents(ready)
	ready = slices.CompactFunc(ready, func(a, b logline.Event) bool {
		return a.ID != "" && a.ID == b.ID && a.Group == b.Group && a.Stream == b.Stream && a.Time.Equal(b.Time)
	})
	const page = 1000
	for part := range slices.Chunk(ready, page) {
		if err := send(part); err != nil {
			return err
		}
	}
	return nil
}

// stamp is the moment in the name of an object: STREAM-VERSION-yyyy-MM-dd-HH-mm-ss-ID (Firehose guide, "Configure Amazon S3 object name
// format").
var stamp = regexp.MustCompile(`-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)-`)

// begunAt is when an object was begun, by its name; else its hour.
func begunAt(key string) time.Time {
	if match := stamp.FindAllStringSubmatch(path.Base(key), -1); len(match) > 0 {
		if at, err := time.Parse("2006-01-02-15-04-05", match[len(match)-1][1]); err == nil {
			return at
		}
	}
	parts := strings.Split(path.Dir(key), "/")
	if len(parts) > 4 {
		parts = parts[len(parts)-4:]
	}
	at, _ := time.Parse("2006/01/02/15", strings.Join(parts, "/"))
	return at
}
