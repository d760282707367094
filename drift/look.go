package drift

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// A Check is the result of one drift check. The last one is stored beside the state.
type Check struct {
	When    time.Time      `json:"when"`
	Found   int            `json:"found"` // resources that differ from the state
	Classes map[string]int `json:"classes,omitempty"`
	// Taken are differences that an up took into the state because it read the account; see Without.
	Taken []Resource `json:"taken,omitempty"`
}

// NewCheck counts what a check found.
func NewCheck(when time.Time, found []Resource) Check {
	c := Check{When: when.UTC().Truncate(time.Second), Found: len(found), Classes: map[string]int{}}
	for class := Harmless; class <= Missing; class++ {
		c.Classes[class.String()] = 0
	}
	for _, d := range found {
		c.Classes[d.Class.String()]++
	}
	return c
}

func checkKey(project, stack string) string {
	return ".slipway/drift/" + project + "/" + stack + ".json"
}

// Write replaces the last check of a stack, in the bucket of its state.
func (c Check) Write(ctx context.Context, bucket *blob.Bucket, project, stack string) error {
	data, err := json.Marshal(c)
	if err == nil {
		err = bucket.WriteAll(ctx, checkKey(project, stack), data, nil)
	}
	if err != nil {
		return fmt.Errorf("drift: %s: %w", checkKey(project, stack), err)
	}
	return nil
}

// LastCheck is the last drift check of a stack, nil if there was none.
func LastCheck(ctx context.Context, bucket *blob.Bucket, project, stack string) (*Check, error) {
	data, err := bucket.ReadAll(ctx, checkKey(project, stack))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, nil
	}
	var c Check
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("drift: %s: %w", checkKey(project, stack), err)
	}
	return &c, nil
}
