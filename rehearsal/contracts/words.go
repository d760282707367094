package contracts

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// The words of a shell command, as far as a container's variables say them.

// unknownWord reports whether a word still has something in it that only a shell knows.
func unknownWord(word string) bool { return strings.ContainsAny(word, "$`") }

// assigned are the variables that a script sets itself. "*" means that it may set any.
func assigned(file *syntax.File) map[string]bool {
	own := map[string]bool{}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			if n.Name != nil {
				own[n.Name.Value] = true
			}
		case *syntax.CallExpr:
			if len(n.Args) > 0 {
				switch n.Args[0].Lit() {
				case ".", "source", "eval", "read":
					own["*"] = true
				}
			}
		}
		return true
	})
	return own
}

// expanded is a word of a command after expansion: none, one or several. A word that cannot be expanded stays as it is written.
func expanded(text string, w *syntax.Word, env variables, own map[string]bool) []string {
	e := expansion{env: env, own: own, ok: true}
	value := e.parts(w.Parts)
	switch {
	case !e.ok:
		return []string{plain(text, w)}
	case e.split: // an unquoted variable
		return strings.Fields(value)
	}
	return []string{value}
}

// An expansion replaces the variables of a word.
type expansion struct {
	env   variables
	own   map[string]bool
	split bool
	ok    bool
}

func (e *expansion) parts(all []syntax.WordPart) string {
	value := ""
	for _, part := range all {
		switch part := part.(type) {
		case *syntax.Lit:
			value += strings.ReplaceAll(part.Value, `\`, "")
		case *syntax.SglQuoted:
			value += part.Value
		case *syntax.DblQuoted:
			split := e.split
			value += e.parts(part.Parts)
			e.split = split
		case *syntax.ParamExp:
			e.split = true
			value += e.parameter(part)
		default:
			e.ok = false
		}
	}
	return value
}

// parameter is the value of $NAME, ${NAME}, ${NAME-default} or ${NAME:-default}.
func (e *expansion) parameter(p *syntax.ParamExp) string {
	if p.Param == nil || p.Excl || p.Length || p.Width || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 ||
		e.own[p.Param.Value] || strings.ContainsAny(p.Param.Value, "@*#?$!-0123456789") {
		e.ok = false
		return ""
	}
	value, set := e.env[p.Param.Value]
	switch {
	case unknownWord(value), !set && e.own["*"]:
		e.ok = false
	case p.Exp == nil:
	case p.Exp.Op == syntax.DefaultUnset || p.Exp.Op == syntax.DefaultUnsetOrNull:
		if (!set || value == "" && p.Exp.Op == syntax.DefaultUnsetOrNull) && p.Exp.Word != nil {
			value = e.parts(p.Exp.Word.Parts)
		}
	default:
		e.ok = false
	}
	return value
}

// plain is a word without its quotes.
func plain(text string, w *syntax.Word) string {
	if lit := w.Lit(); lit != "" {
		return strings.ReplaceAll(lit, `\`, "")
	}
	if len(w.Parts) == 1 {
		switch q := w.Parts[0].(type) {
		case *syntax.SglQuoted:
			return q.Value
		case *syntax.DblQuoted:
			if len(q.Parts) == 1 {
				if lit, ok := q.Parts[0].(*syntax.Lit); ok {
					return lit.Value
				}
			}
		}
	}
	return strings.Trim(text[w.Pos().Offset():w.End().Offset()], `"`)
}

func words(text string) []string { return strings.Fields(text) }

// variables are the environment of a program. The value of a secret is not known.
type variables map[string]string

// secretValue stands for the value of a secret. A word with a dollar sign is not known.
const secretValue = "$"
