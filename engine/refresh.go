package engine

import (
	"context"

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
	_, err = s.operate(ctx, lock, "drift", action{kind: previewRefresh, heard: func(e apitype.EngineEvent) {
		if e.ResOutputsEvent != nil {
			steps = append(steps, e.ResOutputsEvent.Metadata)
		}
	}})
	return steps, err
}

// refresh has the engine read every resource from its provider.
func (s *Stack) refresh(ctx context.Context) error {
	_, err := s.engine(ctx, "reading back", action{kind: refresh})
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
	_, err = quiet.engine(ctx, "reading back", action{kind: refresh, targets: targets})
	return err
}
