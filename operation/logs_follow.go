package operation

import (
	"context"
	"errors"
	"maps"
	"time"

	"slipway/operation/account/modelaccount"
)

// How Follow looks: how often, and how far back each time. An event becomes visible some seconds after it was written, and events of different
// streams not in their order, so each look overlaps the ones before, and what was shown is not shown again.
var (
	followEach   = 2 * time.Second
	followWindow = 2 * time.Minute
	refreshEach  = 30 * time.Second // what the stack consists of, and the archive
)

// followArchived is how far back Follow looks into the archive: Firehose collects for five minutes, and retries when S3 does not answer.
const followArchived = 2 * time.Hour

// follow emits what is written from now on, until ctx ends. What cannot be read is reported, and tried again.
func (s *selection) follow(ctx context.Context) error {
	if s.routed {
		s.target.Progress.Logf("Containers with a log router write to the archive alone: their lines come about five minutes late.")
	}
	begun := s.from
	failed := map[string]string{}
	for refreshed := time.Now(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followEach):
		}
		now := time.Now()
		if now.Sub(refreshed) >= refreshEach {
			refreshed = now
			s.report(ctx, failed, "what the stack consists of", s.refresh(ctx))
			if s.routed {
				s.from = later(begun, now.Add(-followArchived))
				s.report(ctx, failed, "the archive", s.readArchives(ctx, now))
			}
			s.forget(now)
		}
		s.from = later(begun, now.Add(-followWindow))
		var sources []source
		for _, group := range s.groups {
			sources = append(sources, s.fromGroup(group, s.from, time.Time{}))
		}
		s.report(ctx, failed, "the log groups", s.merge(ctx, sources))
		if s.stopped != nil {
			return s.stopped
		}
	}
}

// readArchives emits what is new in the archives that do not pass CloudWatch.
func (s *selection) readArchives(ctx context.Context, now time.Time) error {
	var sources []source
	for _, a := range s.layout.archives {
		if !a.grouped {
			sources = append(sources, s.fromArchive(a, nil, now))
		}
	}
	return s.merge(ctx, sources)
}

// refresh reads again what the stack consists of, which a deployment changes. If it has no such service or container any more, what was
// followed still is.
func (s *selection) refresh(ctx context.Context) error {
	if !s.target.Live {
		glance, err := modelaccount.Look(ctx, s.target.Stack, s.target.dir(), s.config.stack.Domain)
		if err != nil {
			return err
		}
		s.observer = glance.Observer
	}
	before := *s
	if err := errors.Join(s.observed.read(ctx), s.choose()); err != nil {
		s.groups, s.containers, s.parts, s.routed = before.groups, before.containers, before.parts, before.routed
		return err
	}
	if s.born != nil {
		return s.born.learn(ctx, s)
	}
	return nil
}

// report says what cannot be read, once until it changes.
func (s *selection) report(ctx context.Context, failed map[string]string, what string, err error) {
	words := ""
	if err != nil && ctx.Err() == nil {
		words = err.Error()
	}
	if words != "" && failed[what] != words && s.stopped == nil {
		s.target.Progress.Logf("%s cannot be read now: %s", what, words)
	}
	failed[what] = words
}

// forget drops what no look finds again.
func (s *selection) forget(now time.Time) {
	maps.DeleteFunc(s.shown, func(_ string, at time.Time) bool { return at.Before(now.Add(-2 * followWindow)) })
	maps.DeleteFunc(s.objects, func(_ string, at time.Time) bool { return at.Before(now.Add(-2 * followArchived)) })
}
