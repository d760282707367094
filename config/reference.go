package config

import (
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// The files whose comments the reference quotes.
//
//go:embed stack.go app.go
var sources embed.FS

// A Key is one key of the configuration, as the reference lists it.
type Key struct {
	Path    string // network.zones, workers[].name
	Type    string // string, number, boolean, object, list of ..., map of ...
	Default string // as written in YAML; empty if there is none
	Allowed string
	Means   string // what it does, what it costs, what a change replaces
}

// Reference lists every key in the order of the struct. Its descriptions are the comments of the fields.
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
		return "boolean"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.Struct:
			return "list of objects"
		case reflect.Slice:
			return "list of lists"
		}
		return "list of strings"
	case reflect.Struct:
		return "object"
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "map of strings"
		}
		return "map of secrets"
	}
	return "string"
}

func allowedWords(f field) string {
	f.rule = strings.ReplaceAll(f.rule, "@overlay", strings.Join(Overlays, ", "))
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

// comments returns the comment of every field by its type and name, such as Network.Zones.
func comments() map[string]string {
	all := map[string]string{}
	for _, name := range []string{"stack.go", "app.go"} {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			panic(err) // the same file was compiled
		}
		commentsOf(file, all)
	}
	return all
}

func commentsOf(file *ast.File, all map[string]string) {
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
}

// Markdown formats the reference as a table for docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| key | type | default | allowed | description |\n|---|---|---|---|---|\n")
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

// Embed puts the table between the two markers of doc. It reports whether doc has them.
func Embed(doc string) (string, bool) {
	before, rest, ok := strings.Cut(doc, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return doc, false
	}
	return before + begin + Markdown() + end + after, true
}

const block = "\nconfig:\n"

// Declare writes the config block of Pulumi.yaml anew: the top-level keys, as Pulumi declares them. The block is the last in
// the file. The value of app is the project's own and stays as it is.
func Declare(file string) (string, error) {
	var project struct{ Name string }
	if err := yaml.Unmarshal([]byte(file), &project); err != nil {
		return "", err
	}
	before, old, found := strings.Cut(file, block)
	if !found || project.Name == "" {
		return "", errors.New("the file Pulumi.yaml must have a name, and a config block at its end")
	}
	means := comments()
	var b strings.Builder
	for _, f := range fieldsOf(reflect.TypeFor[Stack]()) {
		declared, def := "string", scalar(f.def)
		switch f.kind() {
		case boolean:
			declared, def = "boolean", f.def
		case list:
			declared, def = "array\n    items:\n      type: object", "[]"
		case object:
			declared, def = "object", "{}"
		}
		first, _, _ := strings.Cut(means["Stack."+f.name], ". ")
		value := " " + def + "\n"
		if own := defaultOf(old, project.Name+":"+f.key); f.key == "app" && own != "" {
			value = own
		}
		fmt.Fprintf(&b, "  %s:%s:\n    type: %s\n    description: %s\n    default:%s",
			project.Name, f.key, declared, scalar(strings.TrimSuffix(first, ".")+"."), value)
	}
	return before + block + b.String(), nil
}

// defaultOf is the default of a key in a config block, as written, with its comments.
func defaultOf(block, key string) string {
	_, rest, _ := strings.Cut("\n"+block, "\n  "+key+":\n")
	var own strings.Builder
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") {
			break // the next key
		}
		if value, begins := strings.CutPrefix(line, "    default:"); begins {
			own.WriteString(value)
		} else if own.Len() > 0 {
			own.WriteString(line)
		}
	}
	return own.String()
}

// scalar is a string in YAML, quoted only where it has to be.
func scalar(text string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text, Tag: "!!str"}
	if text == "" || strings.Contains(text, ": ") {
		n.Style = yaml.DoubleQuotedStyle
	}
	data, err := yaml.Marshal(&n)
	if err != nil {
		panic(err) // a string can be written
	}
	return strings.TrimSuffix(string(data), "\n")
}
