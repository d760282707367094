package operation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/blob"

	"slipway/engine"
)

// notRenamed refuses a stack that has no state while the state of another name lies where its own would be: after the stack
// or the project was renamed. The names are part of every resource's name and of the state's place, so the engine would
// deploy a second site, and no stack would own what exists.
func (s *session) notRenamed(ctx context.Context) error {
	state, err := s.stack.Checkpoint(ctx)
	if err != nil || len(state.Resources) > 0 || len(state.Pending) > 0 {
		return nil // a damaged state is reported where it is needed
	}
	bucket, err := s.stack.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	names, err := statesIn(ctx, bucket)
	if err != nil {
		return err
	}
	for _, n := range names {
		switch {
		case n.project != s.stack.ProjectName() && n.stack == s.target.Stack:
			return fmt.Errorf("stack %s was deployed as project %s, and Pulumi.yaml now names the project %s; nothing was changed\n"+
				"The project's name is part of every resource's name, so this would deploy a second site and forget the first.\n"+
				"Next: set name: %[2]s in Pulumi.yaml. To rename, destroy it under the old name, and deploy it under the new one:\n"+
				"  slipway destroy%[4]s\n  slipway up%[4]s%[5]s",
				s.target.Stack, n.project, s.stack.ProjectName(), s.target.Flags(), s.forgetting(n.stack))
		case n.project == s.stack.ProjectName() && n.stack != s.target.Stack && !s.hasFile(n.stack):
			return s.renamedFrom(n.stack)
		}
	}
	return s.renamedFolder()
}

// renamedFolder is notRenamed for a rehearsed stack, whose state lies in a folder with the stack's name.
func (s *session) renamedFolder() error {
	if s.target.Live {
		return nil
	}
	folders, err := os.ReadDir(filepath.Join(s.target.Root, ".slipway"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		stack := folder.Name()
		data, err := os.ReadFile(filepath.Join(s.target.Root, ".slipway", stack, "state", ".pulumi", "stacks", s.stack.ProjectName(),
			stack+".json"))
		if err == nil && deployed(data) && !s.hasFile(stack) {
			return s.renamedFrom(stack)
		}
	}
	return nil
}

// deployed says whether a state holds any resource.
func deployed(data []byte) bool {
	state, err := engine.ParseState(data)
	return err == nil && state.Deployed()
}

func (s *session) renamedFrom(old string) error {
	return fmt.Errorf("stack %s has no state, and stack %s has one but no Pulumi.%[2]s.yaml any more: it looks renamed; nothing was changed\n"+
		"The stack's name is part of every resource's name, so this would deploy a second site and forget the first.\n"+
		"Next: rename the file back to Pulumi.%[2]s.yaml. To rename: keep both files, slipway up --stack %[1]s, move the data, "+
		"then slipway destroy --stack %[2]s%[3]s", s.target.Stack, old, s.forgetting(old))
}

// forgetting is how a rehearsed stack is forgotten, which loses nothing real.
func (s *session) forgetting(stack string) string {
	if s.target.Live {
		return ""
	}
	return ". To forget what was rehearsed: rm -r .slipway/" + stack
}

func (s *session) hasFile(stack string) bool {
	_, err := os.Stat(filepath.Join(s.target.Root, "Pulumi."+stack+".yaml"))
	return err == nil
}

type stateName struct{ project, stack string }

// statesIn lists the states in the bucket that hold resources.
func statesIn(ctx context.Context, bucket *blob.Bucket) ([]stateName, error) {
	const folder = ".pulumi/stacks/"
	var names []stateName
	for objects := bucket.List(&blob.ListOptions{Prefix: folder}); ; {
		object, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		var data []byte
		if err == nil && strings.HasSuffix(object.Key, ".json") {
			data, err = bucket.ReadAll(ctx, object.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("the states beside that of the stack: %w", err)
		}
		project, stack, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(object.Key, folder), ".json"), "/")
		if ok && deployed(data) {
			names = append(names, stateName{project, stack})
		}
	}
}
