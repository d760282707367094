package adapter

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// A dockerfile is the project's, read with BuildKit's parser. Its instructions are not checked: a syntax line may name a newer
// frontend, which knows others.
type dockerfile struct {
	text   string
	nodes  []*parser.Node
	escape rune
	stages []stage
	args   map[string]string // of ARG before the first FROM
}

// A stage of a Dockerfile.
type stage struct {
	name, from string // name is in lower case, as Docker compares it
	line       *parser.Node
	user       string // of the last USER
}

func readDockerfile(text string, args map[string]string) (*dockerfile, error) {
	read, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("it cannot be parsed: %w", err)
	}
	d := &dockerfile{text: text, nodes: read.AST.Children, escape: read.EscapeToken, args: map[string]string{}}
	lex := shell.NewLex(d.escape)
	expand := func(word string) string {
		result, err := lex.ProcessWordWithMatches(word, environ(d.args))
		if err != nil {
			return word
		}
		return result.Result
	}
	for _, node := range d.nodes {
		words := wordsOf(node)
		switch {
		case strings.EqualFold(node.Value, command.From) && len(words) > 0:
			s := stage{from: expand(words[0]), line: node}
			if len(words) == 3 && strings.EqualFold(words[1], "as") {
				s.name = strings.ToLower(words[2])
			}
			d.stages = append(d.stages, s)
		case strings.EqualFold(node.Value, command.User) && len(d.stages) > 0 && len(words) > 0:
			d.stages[len(d.stages)-1].user = words[0]
		case strings.EqualFold(node.Value, command.Arg) && len(d.stages) == 0:
			for _, word := range words {
				name, value, set := strings.Cut(word, "=")
				if given, ok := args[name]; ok {
					d.args[name] = given
				} else if set {
					d.args[name] = expand(value)
				}
			}
		}
	}
	if len(d.stages) == 0 {
		return nil, fmt.Errorf("it has no FROM")
	}
	return d, nil
}

func wordsOf(node *parser.Node) (words []string) {
	for n := node.Next; n != nil; n = n.Next {
		words = append(words, n.Value)
	}
	return words
}

type environ map[string]string

func (e environ) Get(name string) (string, bool) { v, ok := e[name]; return v, ok }
func (e environ) Keys() []string                 { return slices.Sorted(maps.Keys(e)) }

// find finds a stage by its name, as Docker's --target does, or by its number, as COPY --from does. Of two stages with one name
// Docker takes the later. "" is the last stage.
func (d *dockerfile) find(target string) (int, error) {
	if target == "" {
		return len(d.stages) - 1, nil
	}
	if i := d.named(target, len(d.stages)); i >= 0 {
		return i, nil
	}
	if i, err := strconv.Atoi(target); err == nil && i >= 0 && i < len(d.stages) {
		return i, nil
	}
	var names []string
	for _, s := range d.stages {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	known := "its stages have no names"
	if len(names) > 0 {
		known = "it has " + strings.Join(names, ", ")
	}
	return 0, fmt.Errorf("app.target: there is no stage %q; %s", target, known)
}

// named is the last stage of a name before another one, or -1.
func (d *dockerfile) named(name string, before int) int {
	for i := before - 1; i >= 0; i-- {
		if d.stages[i].name != "" && strings.EqualFold(d.stages[i].name, name) {
			return i
		}
	}
	return -1
}

// root reports whether a stage runs as root, as far as the Dockerfile says: the user of an image from a registry is not known,
// and is root in the official ones.
func (d *dockerfile) root(i int) bool {
	for i >= 0 {
		if user := d.stages[i].user; user != "" {
			name, _, _ := strings.Cut(strings.Trim(user, `"'`), ":")
			return name == "root" || name == "0"
		}
		i = d.named(d.stages[i].from, i)
	}
	return true
}

// free is a name that no stage has.
func (d *dockerfile) free(name string) string {
	for n, try := 2, name; ; n++ {
		if d.named(try, len(d.stages)) < 0 {
			return try
		}
		try = fmt.Sprintf("%s-%d", name, n)
	}
}

// cut ends the text after a stage. What follows, often tests, cannot be part of it: a stage refers to earlier ones only. A builder
// without BuildKit would run it.
func (d *dockerfile) cut(i int) {
	if i == len(d.stages)-1 {
		return
	}
	next := d.stages[i+1].line.StartLine
	d.text = strings.Join(strings.SplitAfter(d.text, "\n")[:next-1], "")
	d.stages = d.stages[:i+1]
	d.nodes = d.nodes[:slices.IndexFunc(d.nodes, func(n *parser.Node) bool { return n.StartLine == next })]
}

// name gives the last stage a name that FROM can refer to, and returns it.
func (d *dockerfile) name() string {
	s := &d.stages[len(d.stages)-1]
	if s.name == "" {
		s.name = d.free("slipway-project")
		d.rewrite(s.line, s.line.Original+" AS "+s.name)
	}
	return s.name
}

// rewrite replaces an instruction by one on a single line. The lines below keep their numbers, which Docker's messages have.
func (d *dockerfile) rewrite(node *parser.Node, instruction string) {
	lines := strings.SplitAfter(d.text, "\n")
	first, last := node.StartLine-1, node.EndLine
	end := "\n"
	if strings.HasSuffix(lines[first], "\r\n") {
		end = "\r\n"
	}
	fresh := []string{instruction + strings.Repeat(end, last-first)}
	d.text = strings.Join(slices.Concat(lines[:first], fresh, lines[min(last, len(lines)):]), "")
}

// end makes the text end with a whole instruction: Docker accepts a continuation at the end of the file, which would take in what
// is added.
func (d *dockerfile) end() error {
	const probe = "FROM scratch\n"
	whole := func() bool {
		read, err := parser.Parse(strings.NewReader(d.text + probe))
		return err == nil && len(read.AST.Children) == len(d.nodes)+1
	}
	if !strings.HasSuffix(d.text, "\n") {
		d.text += "\n"
	}
	if whole() {
		return nil
	}
	last := d.nodes[len(d.nodes)-1]
	d.rewrite(last, last.Original)
	if !whole() {
		return fmt.Errorf("line %d: the last instruction does not end", last.StartLine)
	}
	return nil
}
