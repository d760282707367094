package engine

import (
	"context"
	"io"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Reread asks the providers for the current state of every resource and gives the step for each one. It changes neither
// the account nor the state.
func (s *Stack) Reread(ctx context.Context, lock *Lock) ([]apitype.StepEventMetadata, error) {
	there, err := s.exists(ctx)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, ErrNoStack
	}
	var steps []apitype.StepEventMetadata
	_, err = s.operate(ctx, lock, "drift", func(stream chan<- events.EngineEvent, words io.Writer) error {
		seen, followed := make(chan events.EngineEvent), make(chan struct{})
		go func() {
			defer close(followed)
			for event := range seen {
				if e := event.ResOutputsEvent; e != nil {
					steps = append(steps, e.Metadata)
				}
				stream <- event
			}
			close(stream)
		}()
		_, err := s.auto.PreviewRefresh(ctx, optrefresh.EventStreams(seen), optrefresh.ErrorProgressStreams(words), optrefresh.SuppressOutputs(),
			optrefresh.SuppressProgress(), optrefresh.RunProgram(false))
		if err == nil {
			<-followed
		}
		return err
	})
	return steps, err
}

// refresh has the engine ask the providers what became of every resource.
func (s *Stack) refresh(ctx context.Context) error {
	_, err := s.engine(ctx, "reading back", func(stream chan<- events.EngineEvent, words io.Writer) error {
		_, err := s.auto.Refresh(ctx, optrefresh.EventStreams(stream), optrefresh.ErrorProgressStreams(words), optrefresh.SuppressOutputs(),
			optrefresh.SuppressProgress(), optrefresh.RunProgram(false))
		return err
	})
	return err
}

// readBack reads the resources that ReadBack names. The engine recorded their outputs when it created them, and resources
// that change these outputs came later: a drift check would report that as a manual change. Nothing else is read, so real
// manual changes are still found.
func (s *Stack) readBack(ctx context.Context, before Checkpoint) error {
	after, err := s.read(ctx)
	if err != nil {
		return err
	}
	targets := s.ReadBack(before.Resources, after.Resources)
	if len(targets) == 0 {
		return nil
	}
	s.Logf("Reading back %d resources whose outputs other resources change.", len(targets))
	quiet := *s
	quiet.OnEvent = func(Event) {}
	_, err = quiet.engine(ctx, "reading back", func(stream chan<- events.EngineEvent, words io.Writer) error {
		_, err := s.auto.Refresh(ctx, optrefresh.EventStreams(stream), optrefresh.ErrorProgressStreams(words), optrefresh.SuppressOutputs(),
			optrefresh.SuppressProgress(), optrefresh.RunProgram(false), optrefresh.Target(targets))
		return err
	})
	return err
}
