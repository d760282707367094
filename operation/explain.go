package operation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// tooNew matches answers of AWS that are wrong for some seconds after a role or policy was created: IAM is eventually consistent (IAM
// User Guide, "Troubleshoot IAM"). The provider retries most of them by itself, for two minutes.
var tooNew = regexp.MustCompile(`(?i)unable to assume|cannot be assumed|must allow AWS EventBridge Scheduler|Invalid principal in policy|` +
	`Invalid IAM Instance Profile|ENHANCED_MONITORING|WAFLogDestinationPermissionIssueException|Could not deliver test message|` +
	`Invalid repository policy provided`)

// reasoned is in errors of the model, which says itself why a call is refused. There IAM is consistent, unless --faults says otherwise.
const reasoned = "\n  why: "

// Explain adds to an error of the file system, or of a change that AWS does not see yet, what it means for the stack, and what to do.
// Errors inside the engine reach it as text only, so it reads that too.
func Explain(err error) error {
	var path *fs.PathError
	where := ""
	if errors.As(err, &path) {
		where = " " + filepath.Dir(path.Path)
	}
	is := func(number syscall.Errno) bool {
		return errors.Is(err, number) || strings.Contains(err.Error(), ": "+number.Error())
	}
	switch {
	case is(syscall.ENOSPC), is(syscall.EDQUOT):
		return fmt.Errorf("%w\nThe disk is full. Nothing is lost: each file is replaced as a whole, so the state is the last complete one. "+
			"Free some space and run the same command again; it continues from there", err)
	case is(syscall.EROFS):
		return fmt.Errorf("%w\nThe file system of%s is read-only. Nothing is lost: what is there stays as it is. "+
			"Slipway keeps its data in .slipway, beside Pulumi.yaml: make that writable, or copy the project to where it is",
			err, cmp.Or(where, " the project"))
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nThis user has no permission to use %s. Nothing is lost: what is there stays as it is. "+
			"Give this user permission, or run as the user who owns it: ls -ld %s", err, path.Path, filepath.Dir(path.Path))
	case tooNew.MatchString(err.Error()) && !strings.Contains(err.Error(), reasoned):
		return fmt.Errorf("%w\nIf the role or policy is new, AWS may not see it yet. Run the same command again; it continues from there. "+
			"If it fails again, the role or policy is wrong", err)
	}
	return err
}
