package release

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"
)

// A Look is what the last look for drift came to. It is kept beside the state.
type Look struct {
	When    time.Time      `json:"when"`
	Found   int            `json:"found"` // resources that are not as the state says
	Classes map[string]int `json:"classes,omitempty"`
}

func (s *Stack) lookKey() string { return ".slipway/drift/" + s.project + "/" + s.Stack + ".json" }

// KeepLook keeps a look in the place of the one before it.
func (s *Stack) KeepLook(ctx context.Context, l Look) error {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	data, err := json.Marshal(l)
	if err == nil {
		err = bucket.WriteAll(ctx, s.lookKey(), data, nil)
	}
	if err != nil {
		return fmt.Errorf("release: %s: %w", s.lookKey(), err)
	}
	return nil
}

// LastLook is the last look for drift, nil if nobody has looked.
func (s *Stack) LastLook(ctx context.Context) (*Look, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer bucket.Close()
	data, err := bucket.ReadAll(ctx, s.lookKey())
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	var l Look
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("release: %s: %w", s.lookKey(), err)
	}
	return &l, nil
}

// Deployed says whether the state holds any resource.
func (s *Stack) Deployed(ctx context.Context) (bool, error) {
	state, err := s.readState(ctx)
	for _, r := range state.Resources {
		if r.Custom && r.Type.Package() != "pulumi" {
			return true, err
		}
	}
	return false, err
}
