package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Template is a value of app.env: text, and names in braces for which Slipway puts in a value.
type Template []Part

// A Part of a Template is text or a name, never both.
type Part struct{ Text, Name string }

// A syntaxError is a mistake in a template. It never contains the template's text, which may be a secret by mistake.
type syntaxError struct {
	position int // of the brace, in characters from 1
	rule     string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at character %d", e.rule, e.position) }

// ParseTemplate splits a value into its parts: {name} is a name, {{ and }} are braces.
func ParseTemplate(value string) (Template, error) {
	var t Template
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t = append(t, Part{Text: plain.String()})
			plain.Reset()
		}
	}
	runes := []rune(value)
	for i := 0; i < len(runes); i++ {
		double := i+1 < len(runes) && runes[i+1] == runes[i]
		switch c := runes[i]; {
		case (c == '{' || c == '}') && double:
			plain.WriteRune(c)
			i++
		case c == '}':
			return nil, &syntaxError{i + 1, "has a } without {: write }} for a brace"}
		case c == '{':
			end := slices.Index(runes[i:], '}')
			if end < 0 {
				return nil, &syntaxError{i + 1, "has a { without }: write {{ for a brace"}
			}
			name := string(runes[i+1 : i+end])
			if !templateName(name) {
				return nil, &syntaxError{i + 1, "has braces without a name in them: write {{ and }} for braces"}
			}
			flush()
			t = append(t, Part{Name: name})
			i += end
		default:
			plain.WriteRune(c)
		}
	}
	flush()
	return t, nil
}

// templateName reports whether a text has the form of a name: db.url, secret.API_KEY.
func templateName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.')
	})
}

// Names are the names in a template, in its order.
func (t Template) Names() []string {
	var names []string
	for _, p := range t {
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	return names
}

// literal is the text of a template with a neutral word for each name. Where the value is a secret the word ends what the
// patterns of secrets look for: postgres://{db.user}:{db.password}@{db.host} holds no password itself.
func (t Template) literal(secret func(name string) bool) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.Name == "":
			b.WriteString(p.Text)
		case secret(p.Name):
			b.WriteString("/")
		default:
			b.WriteString("x")
		}
	}
	return b.String()
}
