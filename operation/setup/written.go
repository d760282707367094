package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/config"
	"slipway/operation"
)

// stacks are those whose files are written.
func (i *initializer) stacks() []string {
	return append([]string{operation.DefaultStack}, i.o.Stacks...)
}

// exist reports whether there is a file of the configuration already.
func (i *initializer) exist() bool {
	return !i.fresh || slices.ContainsFunc(i.stacks(), func(stack string) bool {
		_, err := os.Stat(filepath.Join(i.root, stackFile(stack)))
		return !errors.Is(err, fs.ErrNotExist)
	})
}

func stackFile(stack string) string { return "Pulumi." + stack + ".yaml" }

// refuseMistakes refuses files with mistakes that are still there after init has added what is missing. Beside a misspelt key it would
// add a second one.
func (i *initializer) refuseMistakes() error {
	var wrong config.Mistakes
	for _, stack := range i.stacks() {
		before, err := i.mistakes(stack, func(f File) []byte {
			if f.Did == Created {
				return f.text
			}
			return f.before
		})
		if err != nil {
			return err
		}
		if len(before) == 0 {
			continue
		}
		after, err := i.mistakes(stack, func(f File) []byte { return f.text })
		if err != nil {
			return err
		}
		for _, m := range before {
			stays := slices.ContainsFunc(after, func(a config.Mistake) bool { return a.Key == m.Key && a.Rule == m.Rule })
			if stays && !slices.Contains(wrong, m) { // those of Pulumi.yaml are every stack's
				wrong = append(wrong, m)
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return mistaken(wrong)
}

// unreadable are the mistakes of the files as they are, from which not even app can be read.
func (i *initializer) unreadable() (wrong config.Mistakes) {
	for _, stack := range i.stacks() {
		if _, err := os.Stat(filepath.Join(i.root, stackFile(stack))); err == nil && len(wrong) == 0 {
			wrong, _ = operation.Written(i.root, stack, i.root) // an error of its own says less than the one that is there
		}
	}
	return wrong
}

func mistaken(wrong config.Mistakes) error {
	what := "a mistake"
	if len(wrong) > 1 {
		what = fmt.Sprintf("%d mistakes", len(wrong))
	}
	return fmt.Errorf("the configuration here has %s; nothing was written:\n  %s\nCorrect it, and run init again",
		what, strings.ReplaceAll(wrong.Error(), "\n", "\n  "))
}

// mistakes are those of a stack's files with these texts.
func (i *initializer) mistakes(stack string, text func(File) []byte) (config.Mistakes, error) {
	dir, err := os.MkdirTemp("", "slipway-init-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, f := range i.out.Files {
		at := filepath.Join(dir, f.Name)
		switch f.Name {
		case "Pulumi.yaml": // the first one: it says where those of the stacks are
		case stackFile(stack):
			if at, err = config.StackFile(dir, stack); err != nil {
				return operation.Written(dir, stack, i.root)
			}
		default:
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, text(f), 0o600)); err != nil {
			return nil, err
		}
	}
	return operation.Written(dir, stack, i.root)
}
