package architecture

import (
	"go/ast"
	"path/filepath"
	"testing"
)

// prescribed are functions whose parameters an interface of another module prescribes.
var prescribed = map[string]bool{"engine CLI.Run": true} // the Automation API's PulumiCommand

// A call with more than five arguments can only be read beside the declaration: related ones belong in a struct.
func TestFunctionsHaveFewParameters(t *testing.T) {
	const most = 5
	root := filepath.Join("..", "..")
	r, functions := newReader(root), 0
	for _, dir := range packageDirs(t, root) {
		s, err := r.read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range s.files {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				functions++
				name := dir + " " + qualified(f)
				switch n := f.Type.Params.NumFields(); {
				case n > most && !prescribed[name]:
					t.Errorf("%s has %d parameters; at most %d", name, n, most)
				case n <= most && prescribed[name]:
					t.Errorf("%s has %d parameters and needs no exception: remove it", name, n)
				}
			}
		}
	}
	if functions < 1000 {
		t.Errorf("only %d functions were read: the test does not see the repository", functions)
	}
}

// qualified is a function's name, with the type of a method before it.
func qualified(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
