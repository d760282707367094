package config

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
)

//go:embed stack.go
var source string

// A Key is one key of the configuration, as the reference tells it.
type Key struct {
	Path    string // network.zones, workers[].name
	Type    string // text, number, true or false, list of ..., map of ...
	Default string // as it would be written; empty when there is none
	Allowed string
	Means   string // what it is for, what it costs, what a change replaces
}

// Reference lists every key in the order of the struct. Its words are the struct's own comments.
func Reference() []Key {
	return reference(reflect.TypeFor[Stack](), "", comments())
}

func reference(t reflect.Type, prefix string, means map[string]string) []Key {
	var all []Key
	for _, f := range fieldsOf(t) {
		path := prefix + f.key
		k := Key{Path: path, Type: describe(f.typ), Default: f.def, Allowed: allowedWords(f), Means: means[t.Name()+"."+f.name]}
		if f.required {
			k.Default = "required"
		}
		all = append(all, k)
		switch inner := f.typ; inner.Kind() {
		case reflect.Struct:
			all = append(all, reference(inner, path+".", means)...)
		case reflect.Slice:
			if inner.Elem().Kind() == reflect.Struct {
				all = append(all, reference(inner.Elem(), path+"[].", means)...)
			}
		}
	}
	return all
}

func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "list of maps"
		}
		return "list of texts"
	case reflect.Struct:
		return "map"
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "map of texts"
		}
		return "map of secrets"
	}
	return "text"
}

func allowedWords(f field) string {
	words := strings.ReplaceAll(f.allowed, "..", " to ")
	if strings.Contains(words, "|") {
		words = either(strings.Split(words, "|"))
	}
	switch {
	case words == "":
		return f.rule
	case f.rule == "":
		return words
	}
	return words + "; " + f.rule
}

// comments reads the comment of every field, by type and field: Network.Zones.
func comments() map[string]string {
	all := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), "stack.go", source, parser.ParseComments)
	if err != nil {
		panic(err) // this very file was compiled
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					all[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
				}
			}
		}
		return false
	})
	return all
}

// Markdown is the reference as a table, for docs/configuration.md and the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| key | type | default | allowed | what it means |\n|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", "\\|", "*", "\\*", "<", "&lt;")
	for _, k := range Reference() {
		def := k.Default
		if def != "" && def != "required" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Path, k.Type, def, cell.Replace(k.Allowed), cell.Replace(k.Means))
	}
	return b.String()
}

const (
	begin = "<!-- config:begin -->\n"
	end   = "<!-- config:end -->"
)

// Embed returns doc with the table between its two markers, and whether it has them.
func Embed(doc string) (string, bool) {
	before, rest, ok := strings.Cut(doc, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return doc, false
	}
	return before + begin + Markdown() + end + after, true
}
