package modelaccount

import (
	"context"
	"strings"
	"time"

	"slipway/logline"
	"slipway/operation/account"
	"slipway/rehearsal/cloud"
)

// LogGroups implements account.LogReader. A log group was created when it got its first event, as far as the model knows.
func (o observer) LogGroups(_ context.Context, prefix string) ([]account.LogGroup, error) {
	var groups []account.LogGroup
	for _, g := range o.all("aws:cloudwatch/logGroup:LogGroup") {
		out := cloud.Inputs(g.Outputs)
		if !strings.HasPrefix(out.String("name"), prefix) {
			continue
		}
		group := account.LogGroup{Name: out.String("name"), Retention: time.Duration(out.Int("retentionInDays")) * 24 * time.Hour}
		if o.view != nil {
			streams, err := o.view.Streams(group.Name)
			if err != nil {
				return nil, err
			}
			if len(streams) == 0 { // what is older is in the archive, if anywhere
				group.Created = time.Now().UTC()
			}
			for _, s := range streams {
				if group.Created.IsZero() || s.First.Before(group.Created) {
					group.Created = s.First
				}
			}
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// LogStreams implements account.LogReader.
func (o observer) LogStreams(_ context.Context, group string, since time.Time) ([]account.LogStream, error) {
	if o.view == nil {
		return nil, nil
	}
	found, err := o.view.Streams(group)
	var streams []account.LogStream
	for _, s := range found {
		if !s.Last.Before(since) {
			streams = append(streams, account.LogStream{Name: s.Name, Created: s.First, First: s.First, Last: s.Last})
		}
	}
	return streams, err
}

// Events implements account.LogReader. It delivers first what the containers wrote until now.
func (o observer) Events(ctx context.Context, q account.EventQuery, visit func([]logline.Event) error) error {
	if o.view == nil {
		return nil
	}
	if err := o.view.Collect(ctx); err != nil {
		return err
	}
	found, err := o.view.Events(q.Group, q.From, q.To)
	if err != nil || len(found) == 0 {
		return err
	}
	events := make([]logline.Event, len(found))
	for i, e := range found {
		events[i] = logline.Event{Time: e.At, ID: e.ID, Group: q.Group, Stream: e.Stream, Text: o.view.Hide(e.Message)}
		events[i].Place()
	}
	return visit(events)
}
