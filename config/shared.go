package config

import (
	"fmt"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
)

// A shared is what Pulumi.yaml says about app, for all stacks. The engine passes on a stack's own value of a key or that of the
// project, never both; so the merge is made here, from the file, for the engine's runs as well.
type shared struct {
	node     *node // nil: nothing
	lines    map[string]int
	mistakes Mistakes
}

// readShared reads app from Pulumi.yaml of a folder. A file that cannot be read has none: reading the project reports that.
func readShared(root, project string) shared {
	var s shared
	if root == "" {
		return s
	}
	data, err := readSmall(filepath.Join(root, projectFile))
	if err != nil {
		return s
	}
	var file struct{ Config yaml.Node }
	if yaml.Unmarshal(data, &file) != nil {
		return s
	}
	for i := 0; i+1 < len(file.Config.Content); i += 2 {
		if key := file.Config.Content[i].Value; key == project+":app" || key == "app" {
			s.declared(file.Config.Content[i+1])
		}
	}
	return s
}

// AppText is the text that a key of app has in the stack's file, or else in Pulumi.yaml, also in a configuration with mistakes.
func (s Source) AppText(key string) string {
	for _, app := range []*node{s.Values[s.Project+":app"].tree, readShared(s.Root, s.Project).node} {
		if app == nil {
			continue
		}
		for _, f := range app.fields {
			if f.key == key && f.value != nil && f.value.kind == text && !f.value.secret {
				return f.value.text
			}
		}
	}
	return ""
}

// declared reads {type: object, default: {...}} or {value: {...}}, the two forms in which Pulumi.yaml gives a value.
func (s *shared) declared(declaration *yaml.Node) {
	for i := 0; i+1 < len(declaration.Content); i += 2 {
		key := declaration.Content[i].Value
		if key != "default" && key != "value" {
			continue
		}
		n, m := fromYAML(declaration.Content[i+1], 0)
		if m != nil {
			m.File, m.Key = projectFile, "app"
			s.mistakes = append(s.mistakes, *m)
			return
		}
		s.node, s.lines = n, map[string]int{}
		s.place("app", pair{line: declaration.Content[i].Line, value: n})
	}
	for i := 0; i+1 < len(declaration.Content); i += 2 {
		if declaration.Content[i].Value == "secret" && declaration.Content[i+1].Value == "true" && s.node != nil {
			s.node = &node{kind: text, secret: true}
		}
	}
}

// place records the lines of a key and of everything inside it.
func (s *shared) place(path string, p pair) {
	s.lines[path] = p.line
	if p.value.kind == date {
		s.mistakes = append(s.mistakes, Mistake{Key: path, Rule: unquoted(p.value), File: projectFile, Line: p.line})
	}
	for _, f := range p.value.fields {
		s.place(step(path, f.key), f)
	}
	for i, item := range p.value.items {
		s.place(fmt.Sprintf("%s[%d]", path, i), pair{line: item.line, value: item})
	}
}

// lineOf is the line of a key in Pulumi.yaml; ok is false if it is not there.
func (s *shared) lineOf(path string) (line int, ok bool) {
	line, ok = s.lines[path]
	return line, ok
}

// env is app.env as Pulumi.yaml has it; nil if it has no app. What is not text there is one of the mistakes.
func (s *shared) env() map[string]string {
	if s.node == nil || s.node.kind != object {
		return nil
	}
	all := map[string]string{}
	if env := s.node.child("env"); env != nil {
		for _, f := range env.fields {
			if f.value.kind == text && !f.value.secret {
				all[f.key] = f.value.text
			}
		}
	}
	return all
}

// merged is app of the stack over that of Pulumi.yaml: objects key by key, anything else replaced.
func (d *decoder) merged(own *node) *node {
	for _, m := range d.shared.mistakes {
		if !d.invalid(m.Key) {
			d.bad[m.Key] = true
			d.mistakes = append(d.mistakes, m)
		}
	}
	if d.shared.node == nil || own == nil {
		return own
	}
	return merge(d.shared.node, own)
}

func merge(base, over *node) *node {
	if base.kind != object || over.kind != object || base.secret || over.secret {
		return over
	}
	all := &node{kind: object, line: over.line, fields: slices.Clone(base.fields)}
	seen := map[string]bool{} // keys of over; a second one stays, as a mistake
	for _, f := range over.fields {
		at := slices.IndexFunc(all.fields, func(b pair) bool { return b.key == f.key })
		if at < 0 || seen[f.key] {
			all.fields = append(all.fields, f)
		} else {
			all.fields[at] = pair{f.key, f.line, merge(all.fields[at].value, f.value)}
		}
		seen[f.key] = true
	}
	return all
}
