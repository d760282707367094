package architecture

import (
	"cmp"
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// circleLimits lists the packages where more than half of the files are in one circle, with the size of that circle. It may
// only shrink: a circle that grows fails, and so does a number that is larger than it needs to be.
var circleLimits = map[string]int{}

// A circle is a set of files in one package that all depend on each other, directly or through the others: none of them can
// be understood without the rest. At most half of the files of a package may be in one; packages of fewer than six files are
// small enough to read whole.
func TestFilesOfAPackageAreNotOneCircle(t *testing.T) {
	const smallest = 6
	root := filepath.Join("..", "..")
	r, looked := newReader(root), 0
	for _, name := range packageDirs(t, root) {
		uses := r.usesBetweenFiles(t, name)
		if len(uses) < smallest {
			continue
		}
		looked++
		circle := largestCircle(uses)
		limit, listed := circleLimits[name]
		switch {
		case !listed && len(circle)*2 > len(uses):
			t.Errorf("%s: %d of its %d files depend on each other in a circle; at most half may:\n%s",
				name, len(circle), len(uses), explain(uses, circle))
		case listed && len(circle) > limit:
			t.Errorf("%s: the circle has grown from %d to %d of %d files:\n%s", name, limit, len(circle), len(uses), explain(uses, circle))
		case listed && len(circle)*2 <= len(uses):
			t.Errorf("%s: the circle has %d of %d files and needs no entry in circleLimits any longer: remove it", name, len(circle),
				len(uses))
		case listed && len(circle) < limit:
			t.Errorf("%s: the circle has shrunk from %d to %d files: lower the number in circleLimits", name, limit, len(circle))
		}
		if testing.Verbose() {
			t.Logf("%s: %d of %d", name, len(circle), len(uses))
		}
	}
	for name := range circleLimits {
		if uses := r.usesBetweenFiles(t, name); len(uses) < smallest {
			t.Errorf("circleLimits lists %s, which is not a package of %d files or more: remove it", name, smallest)
		}
	}
	if looked < 5 {
		t.Errorf("only %d packages have %d files or more: the test does not see the repository", looked, smallest)
	}
}

// packageDirs lists the folders of this module that hold Go files.
func packageDirs(t *testing.T, root string) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || file == root {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if nested, _ := filepath.Glob(filepath.Join(file, "go.mod")); len(nested) > 0 {
			return filepath.SkipDir // another module
		}
		if files, _ := filepath.Glob(filepath.Join(file, "*.go")); len(files) > 0 {
			dir, err := filepath.Rel(root, file)
			dirs = append(dirs, filepath.ToSlash(dir))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// A reader type-checks the packages of this module without building what they import from other modules: those are taken as
// empty. The type checker then resolves everything that this module and the standard library declare.
type reader struct {
	root     string
	fset     *token.FileSet
	standard types.Importer
	packages map[string]*source // by import path
}

// A source is one package of this module, without its tests.
type source struct {
	files []*ast.File
	types *types.Package
	info  *types.Info
}

func newReader(root string) *reader {
	fset := token.NewFileSet()
	exported := func(path string) (io.ReadCloser, error) {
		out, err := exec.Command("go", "list", "-export", "-f", "{{.Export}}", path).Output()
		if err != nil {
			return nil, err
		}
		return os.Open(strings.TrimSpace(string(out)))
	}
	return &reader{root, fset, importer.ForCompiler(fset, "gc", exported), map[string]*source{}}
}

// Import implements types.Importer for the packages that the reader has read.
func (r *reader) Import(path string) (*types.Package, error) {
	if dir, ours := strings.CutPrefix(path, module); ours {
		s, err := r.read(dir)
		if err != nil {
			return nil, err
		}
		return s.types, nil
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return r.standard.Import(path)
	}
	p := types.NewPackage(path, guessName(path))
	p.MarkComplete()
	return p, nil
}

var version = regexp.MustCompile(`^v[0-9]+$`)

// guessName is the name that a package of another module has by convention.
func guessName(importPath string) string {
	name := path.Base(importPath)
	if version.MatchString(name) {
		name = path.Base(path.Dir(importPath))
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.ReplaceAll(strings.TrimPrefix(name, "go-"), "-", "")
}

// read reads the package in dir, which is relative to the root. A folder without Go files for this platform is an empty one.
func (r *reader) read(dir string) (*source, error) {
	if s := r.packages[dir]; s != nil {
		return s, nil
	}
	s := &source{info: &types.Info{
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
	}}
	r.packages[dir] = s
	pkg, err := build.ImportDir(filepath.Join(r.root, dir), 0)
	if none := (*build.NoGoError)(nil); errors.As(err, &none) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(r.fset, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	conf := types.Config{Importer: r, Error: func(error) {}} // its errors are about the empty packages
	s.types, _ = conf.Check(module+dir, r.fset, s.files, s.info)
	return s, nil
}

// A useGraph says for each file which other files of its package it uses, and one name that it uses there.
type useGraph map[string]map[string]string

// usesBetweenFiles finds the uses inside one package. A file uses another when it names a package-level identifier, or calls a
// method, that the other declares. Struct fields do not count: who uses a field usually names its type as well.
//
// What a value from another module is stays unknown. So the only uses that go unseen are methods of this package's types that
// are called on a value which another module's generic function returned.
func (r *reader) usesBetweenFiles(t *testing.T, dir string) useGraph {
	t.Helper()
	s, err := r.read(dir)
	if err != nil {
		t.Fatal(err)
	}
	fileOf := func(pos token.Pos) string { return filepath.Base(r.fset.Position(pos).Filename) }
	graph := useGraph{}
	for _, f := range s.files {
		own := fileOf(f.Package)
		graph[own] = map[string]string{}
		ast.Inspect(f, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			o := s.info.Uses[id]
			if !isPackageLevel(o) && !isMethod(o) || o.Pkg() != s.types {
				return true
			}
			if other := fileOf(o.Pos()); other != own {
				graph[own][other] = o.Name()
			}
			return true
		})
	}
	return graph
}

func isPackageLevel(o types.Object) bool {
	return o != nil && o.Pkg() != nil && o.Parent() == o.Pkg().Scope()
}

func isMethod(o types.Object) bool {
	f, ok := o.(*types.Func)
	return ok && f.Signature().Recv() != nil
}

// largestCircle is the largest strongly connected component of the graph, sorted. A file alone is one of size 1.
func largestCircle(graph useGraph) []string {
	index, low, onStack := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack, largest []string
	var visit func(string)
	visit = func(v string) { // Tarjan's algorithm
		index[v], low[v] = len(index), len(index)
		stack, onStack[v] = append(stack, v), true
		for w := range graph[v] {
			if _, seen := index[w]; !seen {
				visit(w)
				low[v] = min(low[v], low[w])
			} else if onStack[w] {
				low[v] = min(low[v], index[w])
			}
		}
		if low[v] != index[v] {
			return
		}
		start := slices.Index(stack, v)
		if len(stack)-start > len(largest) {
			largest = slices.Clone(stack[start:])
		}
		for _, w := range stack[start:] {
			onStack[w] = false
		}
		stack = stack[:start]
	}
	for _, v := range slices.Sorted(maps.Keys(graph)) {
		if _, seen := index[v]; !seen {
			visit(v)
		}
	}
	slices.Sort(largest)
	return largest
}

// explain lists the uses inside a circle, with one name each.
func explain(graph useGraph, circle []string) string {
	type edge struct{ from, to, name string }
	var edges []edge
	for _, from := range circle {
		for to, name := range graph[from] {
			if slices.Contains(circle, to) {
				edges = append(edges, edge{from, to, name})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var b strings.Builder
	for _, e := range edges {
		b.WriteString("  " + e.from + " uses " + e.name + " of " + e.to + "\n")
	}
	return b.String()
}

// The measure must see every way in which a file can use another, or the test above would pass for the wrong reason.
func TestCirclesAreSeen(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, "p", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("package p\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("constant.go", "func two() int { return one * 2 }")
	write("function.go", "const one = 1; func three() int { return two() + value }")
	write("method.go", "var value = thing{}.size()")
	write("type.go", "import \"os\"; type thing struct{ f *os.File }; func (t thing) size() int { t.f.Close(); return three() }")
	write("other.go", "func Close(two int) int { one := two; return one }") // shadows, and shares a name with a method of another package
	write("user.go", "func four() int { return three() }")
	write("user_test.go", "func five() int { return four() }")

	uses := newReader(root).usesBetweenFiles(t, "p")
	want := []string{"constant.go", "function.go", "method.go", "type.go"}
	if got := largestCircle(uses); !slices.Equal(got, want) {
		t.Errorf("expected the circle %v, got %v of %v", want, got, uses)
	}
	if len(uses["other.go"]) > 0 || len(uses["user.go"]) != 1 || len(uses) != 6 {
		t.Errorf("other.go uses nothing, user.go uses function.go, and tests do not count; got %v", uses)
	}
}
