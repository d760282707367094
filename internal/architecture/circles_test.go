package architecture

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallest is how many files a package has at least for its files to be measured.
const smallest = 6

// larger are the packages whose largest circle is still more than half of their files. It may only shrink.
var larger = []string{"network", "rehearsal/cloud", "rehearsal/run"}

// TestFilesAreNotOneCircle measures, in every package with six files or more, the largest group of files that use each other's
// package-level names and methods in a circle. It is at most half of the files: then most of a package can be read alone.
func TestFilesAreNotOneCircle(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-export", "-f",
		"{{.ImportPath}}\t{{.Export}}\t{{.Dir}}\t{{join .GoFiles \" \"}}", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	export := map[string]string{}
	var measured []string
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Split(line, "\t")
		export[fields[0]] = fields[1]
		if strings.HasPrefix(fields[0], module) && len(strings.Fields(fields[3])) >= smallest {
			measured = append(measured, line)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) })
	for _, line := range measured {
		fields := strings.Split(line, "\t")
		name, files := strings.TrimPrefix(fields[0], module), strings.Fields(fields[3])
		uses, err := usesOf(fset, imports, fields[0], fields[2], files)
		if err != nil {
			t.Fatal(err)
		}
		circle := largestCircle(files, uses)
		t.Logf("%s: %d of %d files are one circle: %s", name, len(circle), len(files), strings.Join(circle, " "))
		tooLarge := 2*len(circle) > len(files)
		switch excused := slices.Contains(larger, name); {
		case tooLarge && !excused:
			t.Errorf("%s: %d of %d files use each other in a circle, at most half may: %s", name, len(circle), len(files), strings.Join(circle, " "))
		case !tooLarge && excused:
			t.Errorf("%s: %d of %d files use each other in a circle: take it off the list of exceptions", name, len(circle), len(files))
		}
	}
	if len(measured) < 8 {
		t.Errorf("only %d packages were measured", len(measured))
	}
}

// usesOf is, for each file of a package, the other files whose package-level names or methods it uses.
func usesOf(fset *token.FileSet, imports types.Importer, path, dir string, names []string) (map[string][]string, error) {
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: imports}).Check(path, fset, files, info)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	uses := map[string][]string{}
	for ident, object := range info.Uses {
		function, isFunction := object.(*types.Func)
		method := isFunction && function.Signature().Recv() != nil && !types.IsInterface(function.Signature().Recv().Type())
		if object.Pkg() != pkg || object.Parent() != pkg.Scope() && !method {
			continue
		}
		from, to := filepath.Base(fset.Position(ident.Pos()).Filename), filepath.Base(fset.Position(object.Pos()).Filename)
		if from != to && !slices.Contains(uses[from], to) {
			uses[from] = append(uses[from], to)
		}
	}
	return uses, nil
}

// largestCircle is the largest group of files each of which reaches every other.
func largestCircle(files []string, uses map[string][]string) []string {
	reached := map[string]map[string]bool{}
	for _, file := range files {
		seen := map[string]bool{}
		var visit func(string)
		visit = func(at string) {
			for _, next := range uses[at] {
				if !seen[next] {
					seen[next] = true
					visit(next)
				}
			}
		}
		visit(file)
		reached[file] = seen
	}
	var largest []string
	for _, file := range files {
		var circle []string
		for _, other := range files {
			if reached[file][other] && reached[other][file] {
				circle = append(circle, other)
			}
		}
		if len(circle) > len(largest) {
			largest = circle
		}
	}
	return largest
}

func TestLargestCircle(t *testing.T) {
	files := []string{"a", "b", "c", "d", "e"}
	uses := map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}}
	if got := largestCircle(files, uses); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %v", got)
	}
	if got := largestCircle(files, map[string][]string{"a": {"b"}}); len(got) != 0 {
		t.Errorf("without a circle: %v", got)
	}
}
