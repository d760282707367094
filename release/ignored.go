package release

import (
	"context"
	"errors"
	"os/exec"
	"strings"
)

// Ignored reports whether Git ignores a file of a folder, so that no commit gets it by accident. A file that is committed already is not
// ignored, whatever .gitignore says. Outside of a repository nothing is committed, and every file counts as ignored.
func Ignored(ctx context.Context, folder, name string) (bool, error) {
	_, err := git{ctx, folder}.run(nil, "", "check-ignore", "-q", "--", name)
	var exit *exec.ExitError
	switch {
	case err == nil, err != nil && strings.Contains(err.Error(), "not a git repository"):
		return true, nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return false, nil
	}
	return false, err
}
