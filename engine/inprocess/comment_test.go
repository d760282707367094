package inprocess_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The package comment is where a move to another version of Pulumi begins, so its list must be complete.
func TestPackageCommentListsWhatIsUsedOfPulumi(t *testing.T) {
	const unstable = "github.com/pulumi/pulumi/pkg/v3/"
	files := token.NewFileSet()
	var comment string
	used := map[string]token.Pos{}
	sources, err := filepath.Glob("*.go")
	must(t, err)
	below, err := filepath.Glob("passphrase/*.go")
	must(t, err)
	for _, name := range append(sources, below...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		must(t, err)
		if file.Doc != nil && file.Name.Name == "inprocess" {
			comment += file.Doc.Text()
		}
		local := map[string]bool{}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			must(t, err)
			if !strings.HasPrefix(imported, unstable) {
				continue
			}
			if spec.Name != nil {
				local[spec.Name.Name] = true
			} else {
				local[path.Base(imported)] = true
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Obj == nil && local[x.Name] {
					used[s.Sel.Name] = s.Pos()
				}
			}
			return true
		})
	}
	if len(used) < 30 {
		t.Errorf("only %d names are used: %v", len(used), used)
	}
	for name, at := range used {
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(comment) {
			t.Errorf("%s: the package comment does not list %s", files.Position(at), name)
		}
	}
}
