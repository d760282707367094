package verdict

import (
	"testing"
	"time"
)

// SetPoll changes how long Judge waits between two reads, until the test ends.
func SetPoll(t *testing.T, d time.Duration) {
	before := poll
	poll = d
	t.Cleanup(func() { poll = before })
}
