package containers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
)

// last are the last lines of a container's log.
func (r *Run) last(ctx context.Context, name string, lines int) []string {
	return r.since(ctx, name, time.Time{}, lines)
}

// since are the last lines of a container's log that are not older than a moment.
func (r *Run) since(ctx context.Context, name string, at time.Time, lines int) []string {
	args := []string{"logs", "--tail", fmt.Sprint(lines)}
	if !at.IsZero() {
		args = append(args, "--since", at.UTC().Format(time.RFC3339))
	}
	out, err := r.engine.both(ctx, append(args, name)...)
	if err != nil || out == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(r.hide(out), "\n"), "\n")
}

// hide removes the values of the account's secrets from what a container wrote, before this command shows it.
func (r *Run) hide(text string) string {
	const shortest = 6 // a shorter one would be found in other words too
	for _, o := range r.all("aws:ssm/parameter:Parameter") {
		out := cloud.Inputs(o.Outputs)
		if value := out.String("value"); out.String("type") == "SecureString" && len(value) >= shortest {
			text = strings.ReplaceAll(text, value, "[secret]")
		}
	}
	return text
}
