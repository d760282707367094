package commandline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Schemas are JSON Schemas of what commands write. A definition of a command has the command's name; one that begins with - is part of
// others.
type Schemas []byte

// Of is the schema of what a command writes, complete in itself.
func (s Schemas) Of(command string) ([]byte, error) {
	var all struct {
		Schema string                     `json:"$schema"`
		Defs   map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(s, &all); err != nil {
		return nil, err
	}
	if known := s.Names(); !slices.Contains(known, command) {
		return nil, fmt.Errorf("no command %q writes JSON; these do: %s", command, strings.Join(known, ", "))
	}
	used := map[string]json.RawMessage{}
	var use func(name string)
	use = func(name string) {
		if _, done := used[name]; done {
			return
		}
		used[name] = all.Defs[name]
		for other := range all.Defs {
			if strings.Contains(string(all.Defs[name]), `"#/$defs/`+other+`"`) {
				use(other)
			}
		}
	}
	use(command)
	text, err := json.MarshalIndent(map[string]any{
		"$schema": all.Schema, "title": "slipway " + command + " --json",
		"$ref": "#/$defs/" + strings.ReplaceAll(command, " ", "%20"), "$defs": used,
	}, "", "  ")
	return append(text, '\n'), err
}

// Names are what there are schemas of, sorted: commands, and the error of any.
func (s Schemas) Names() []string {
	var all struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	_ = json.Unmarshal(s, &all) // TestEveryCommandHasASchema reads it
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all.Defs)), func(name string) bool { return strings.HasPrefix(name, "-") })
}
