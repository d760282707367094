// Package whatif changes what a program registers, on its way to the engine: it leaves resources or policy statements out, edits
// properties, and adds resources. A rehearsal then judges the site with the change, and the program stays as it is.
//
// A Record knows what the program registers without a change. Parse reads the changes, On checks them against a Record, and Run stands
// between the program and the engine:
//
//	record := whatif.NewRecord()                    // the Monitor of an up of the program as it is
//	changes, err := whatif.Parse(whatif.Flags{Without: []string{"keys-disk#Disks"}})
//	plan, err := changes.On(record)
//	monitor := plan.Run()                           // the Monitor of one run of the program with the changes
//
// # What the program sees of a resource that is left out
//
// It gets the outputs that the resource has in the Record: an ID and an ARN of the right form, of something that is not there. So the
// program runs to its end, and the model refuses what refers to the resource, as AWS would. What is in a component goes with it. The
// engine never hears of either, so dependencies on them are dropped.
package whatif

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Flags are the changes as they are written on a command line.
type Flags struct {
	Without []string // [TYPE::]NAME, or [TYPE::]NAME#Sid for one policy statement
	With    []string // [TYPE::]NAME.path=value; the value is JSON, null deletes
	Add     []string // files with additional resources
}

// Changes are what is to be different.
type Changes struct {
	without []removal
	with    []assignment
	added   []*addition
}

// A removal leaves out a resource, or a statement of its policy.
type removal struct {
	flag         string
	target, stmt string
}

// An assignment sets the value at a path.
type assignment struct {
	flag   string // without its value
	target string // the name and the path, which only a Record can tell apart
	value  any
	delete bool
}

// Parse reads changes and the files that they name. It does not know the program yet.
func Parse(f Flags) (*Changes, error) {
	c := &Changes{}
	for _, text := range f.Without {
		target, stmt, named := strings.Cut(text, "#")
		if target == "" || named && stmt == "" {
			return nil, fmt.Errorf("--without %s: expected [TYPE::]NAME or [TYPE::]NAME#Sid", text)
		}
		c.without = append(c.without, removal{"--without " + text, target, stmt})
	}
	for _, text := range f.With {
		a, err := parseAssignment(text)
		if err != nil {
			return nil, err
		}
		c.with = append(c.with, a)
	}
	for _, file := range f.Add {
		added, err := readAdditions(file)
		if err != nil {
			return nil, fmt.Errorf("--add %s: %w", file, err)
		}
		c.added = append(c.added, added...)
	}
	return c, nil
}

func parseAssignment(text string) (assignment, error) {
	at := assignedAt(text)
	if at <= 0 {
		return assignment{}, fmt.Errorf("--with %s: expected [TYPE::]NAME.path=value", text)
	}
	a := assignment{flag: "--with " + text[:at], target: text[:at]}
	written := strings.TrimSpace(text[at+1:])
	if err := json.Unmarshal([]byte(written), &a.value); err != nil {
		hint := ""
		if !strings.ContainsAny(written, `"[]{}`) {
			quoted, _ := json.Marshal(written)
			hint = fmt.Sprintf("; for a string write '%s=%s'", text[:at], quoted)
		}
		return assignment{}, fmt.Errorf("%s: %s is not JSON%s", a.flag, written, hint)
	}
	a.delete = a.value == nil
	return a, nil
}

// assignedAt is the place of the first = that is not in brackets.
func assignedAt(text string) int {
	depth, quoted := 0, false
	for i, r := range text {
		switch {
		case r == '"' && depth > 0:
			quoted = !quoted
		case quoted:
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '=' && depth == 0:
			return i
		}
	}
	return -1
}
