package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/esc"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"slipway/internal/version"
)

// A Source is a stack's configuration before it is decoded.
type Source struct {
	Project string              // the project's name
	Stack   string              // the stack's name
	File    string              // named in mistakes; empty when there is no file
	Root    string              // the folder of Pulumi.yaml, which contains the app; empty if unknown
	Values  map[string]RawValue // by full key, such as slipway:network or aws:region

	// Reserved are the environment variables that the stack sets itself (see site.Load).
	Reserved []string

	// Names are the names that templates of app.env may use, and whether the value of each is a secret (see site.Load).
	Names map[string]bool

	// Connections is how many connections a database of a class takes from the site's tasks (see site.Load). Nil: unknown, and
	// not checked.
	Connections func(class string) int

	sealed    bool            // secret values are encrypted and stay unread
	mistakes  Mistakes        // found while reading
	lines     map[string]int  // the lines of keys in File, by path
	inherited map[string]bool // full keys whose values come from Pulumi.yaml
	plain     map[string]bool
}

// DefaultStack is the stack that is meant if none is named. It is there to be rehearsed.
const DefaultStack = "local"

// SetSecret is the command that sets a secret of the stack: in its account, if it has a key there, else for its rehearsals.
func (s Source) SetSecret(name string) string {
	command := "slipway secret set " + name
	if s.Stack != DefaultStack {
		command += " --stack " + s.Stack
	}
	if _, bootstrapped := s.Values[s.Project+":backend"]; bootstrapped {
		command += " --live"
	}
	return command
}

// A RawValue is one value as the engine passes it: a scalar as a string, anything else as JSON.
type RawValue struct {
	Text   string
	Secret bool // the value, or part of it, is encrypted in the stack's configuration

	tree *node // the same value with its types, if it was read from a file
}

// String hides secrets, so that printing a Source never shows one.
func (v RawValue) String() string {
	if v.Secret {
		return masked
	}
	return v.Text
}

// GoString hides secrets too.
func (v RawValue) GoString() string { return v.String() }

// FromPulumi reads the configuration that the engine passes to the running program.
//
// Under `pulumi up` it sees every key, misspelt ones included, because the engine puts all of them into the environment. An
// inline program (Automation API) gets no list of its keys, so only known keys are read there. The caller runs
// Load(FromFile(...)) first, which finds the rest.
func FromPulumi(ctx *pulumi.Context) (Source, error) {
	s := Source{Project: ctx.Project(), Stack: ctx.Stack(), Root: ctx.RootDirectory(), Values: map[string]RawValue{}}
	for _, key := range append(listed(ctx), known(s.Project)...) {
		if text, ok := ctx.GetConfig(key); ok {
			s.Values[key] = RawValue{Text: text, Secret: ctx.IsConfigSecret(key)}
		}
	}
	if s.Root != "" {
		s.locate()
	}
	return s, nil
}

// listed returns the keys in the environment, if they belong to this run.
func listed(ctx *pulumi.Context) []string {
	if os.Getenv(pulumi.EnvProject) != ctx.Project() || os.Getenv(pulumi.EnvStack) != ctx.Stack() {
		return nil
	}
	var all map[string]string
	if json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &all) != nil {
		return nil
	}
	keys := make([]string, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	return keys
}

// known returns the full keys that Load reads or refuses.
func known(project string) []string {
	var keys []string
	for _, key := range append(keysOf(reflect.TypeFor[AWS]()), slices.Sorted(maps.Keys(unreadAWS))...) {
		keys = append(keys, "aws:"+key)
	}
	for _, key := range keysOf(reflect.TypeFor[Stack]()) {
		keys = append(keys, project+":"+key)
	}
	for _, former := range slices.Sorted(maps.Keys(renamed)) {
		if key, top := strings.CutPrefix(former, "."); top {
			keys = append(keys, project+":"+key)
		}
	}
	return keys
}

// locate reads from the stack's file what the engine does not pass on: the line of each key, which secrets are in plain text
// next to encrypted ones, and which values are not what was written.
func (s *Source) locate() {
	file, err := FromProject(s.Root, s.Stack)
	if err != nil {
		return
	}
	s.File, s.lines, s.mistakes, s.inherited = file.File, file.lines, file.mistakes, file.inherited
	s.plain = map[string]bool{}
	if secrets := file.Values[s.Project+":secrets"].tree; secrets != nil && secrets.kind == object {
		for _, f := range secrets.fields {
			s.plain[f.key] = !f.value.secret
		}
	}
}

const versionKey = "version"

// writtenFor is the version of slipway that a stack was set up with; "" if it does not say, or not in the form of a version.
func (s Source) writtenFor() string {
	raw := s.Values[s.Project+":"+versionKey]
	of := raw.Text
	if raw.tree != nil {
		of = raw.tree.text
	}
	if !version.Valid(of) {
		return ""
	}
	return of
}

// Older is the version of an older slipway that a stack was set up with; "": it was set up with this one, or does not say.
func (s Source) Older() string {
	if of := s.writtenFor(); version.Older(of) {
		return of
	}
	return ""
}

const largest = 1 << 20 // bytes of a stack's file; a real one has a few thousand

var stackFile = regexp.MustCompile(`^Pulumi\.(.+)\.yaml$`)

// StackFile is the path of a stack's file: in the folder of Pulumi.yaml, or in the one that stackConfigDir names there.
func StackFile(root, stack string) (string, error) {
	project, err := readProject(root)
	if err != nil {
		return "", err
	}
	return filepath.Join(root, project.StackConfigDir, "Pulumi."+stack+".yaml"), nil
}

// FromProject reads the file of a stack of the project in the folder root (see FromFile).
func FromProject(root, stack string) (Source, error) {
	project, err := readProject(root)
	if err != nil {
		return Source{}, err
	}
	return fromFile(project, root, filepath.Join(root, project.StackConfigDir, "Pulumi."+stack+".yaml"))
}

// FromFile reads Pulumi.<stack>.yaml, beside Pulumi.yaml, without an engine. Keys that are not in it get the values that
// Pulumi.yaml gives them, as the engine does it. It recognizes encrypted values and does not decrypt them. Its error is a
// Mistakes with file and line.
func FromFile(path string) (Source, error) {
	dir, _ := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return fromFile(nil, filepath.Clean(dir), path)
}

// fromFile reads a stack's file. Without a project it reads that of the folder root, once the file itself could be read.
func fromFile(project *workspace.Project, root, path string) (Source, error) {
	dir, base := filepath.Split(path)
	wrong := func(line int, rule string, args ...any) (Source, error) {
		return Source{}, Mistakes{{File: base, Line: line, Rule: fmt.Sprintf(rule, args...)}}
	}
	name := stackFile.FindStringSubmatch(base)
	if name == nil {
		return wrong(0, "must be named Pulumi.<stack>.yaml")
	}
	data, err := readSmall(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrong(0, "no such file%s", present(dir, name[1]))
	case errors.Is(err, errLarge):
		return wrong(1, "is larger than %d bytes", largest)
	case err != nil:
		return wrong(0, "cannot be read: %v", errors.Unwrap(err))
	}
	if project == nil {
		if project, err = readProject(root); err != nil {
			return Source{}, err
		}
	}
	tree, err := parseYAML(base, data)
	if err != nil {
		return Source{}, err
	}
	s := Source{Project: string(project.Name), Stack: name[1], File: base, Root: filepath.Clean(root), Values: map[string]RawValue{},
		sealed: true, lines: map[string]int{}, inherited: map[string]bool{}}
	s.read(tree)
	if err := s.inherit(project); err != nil {
		return Source{}, err
	}
	return s, nil
}

// inherit adds the values that Pulumi.yaml gives to keys which the stack's file does not have.
func (s *Source) inherit(project *workspace.Project) error {
	merged := pulumiconfig.Map{}
	for full := range s.Values {
		if key, err := pulumiconfig.ParseKey(full); err == nil {
			merged[key] = pulumiconfig.NewValue("")
		}
	}
	own := maps.Clone(merged)
	err := workspace.ApplyProjectConfig(context.Background(), s.Stack, project, esc.Value{}, merged, pulumiconfig.NopEncrypter,
		pulumiconfig.NopDecrypter)
	if err != nil {
		return projectMistake(err)
	}
	for key, value := range merged {
		if _, ok := own[key]; ok {
			continue
		}
		text, err := value.Value(pulumiconfig.NopDecrypter)
		if err != nil {
			return projectMistake(err)
		}
		s.Values[key.String()], s.inherited[key.String()] = RawValue{Text: text}, true
	}
	return nil
}

const projectFile = "Pulumi.yaml"

func projectMistake(err error) error {
	return Mistakes{{File: projectFile, Rule: strings.Join(strings.Fields(err.Error()), " ")}}
}

// readProject reads Pulumi.yaml of a folder with the engine's own loader.
func readProject(root string) (*workspace.Project, error) {
	data, err := readSmall(filepath.Join(root, projectFile))
	if err != nil {
		return nil, projectMistake(fmt.Errorf("cannot be read: %w", errors.Unwrap(err)))
	}
	project, err := workspace.LoadProjectBytes(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), projectFile, encoding.YAML)
	if err != nil {
		words := strings.TrimPrefix(err.Error(), "could not validate 'Pulumi.yaml': ")
		return nil, projectMistake(errors.New(strings.TrimPrefix(words, "could not unmarshal 'Pulumi.yaml': ") + otherProject(words, data)))
	}
	return project, nil
}

var notNamespaced = regexp.MustCompile(`Configuration key '[^':]+:(\w+)' is not namespaced by the project`)

// otherProject adds the right key to a mistake about a key that begins with another name than the project's.
func otherProject(words string, data []byte) string {
	var project struct{ Name string }
	key := notNamespaced.FindStringSubmatch(words)
	if key == nil || yaml.Unmarshal(data, &project) != nil || project.Name == "" ||
		!slices.Contains(keysOf(reflect.TypeFor[Stack]()), key[1]) {
		return ""
	}
	return fmt.Sprintf(": the project's name is %s, so its key is %s:%s", project.Name, project.Name, key[1])
}

var errLarge = errors.New("too large")

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largest+1))
	if err == nil && len(data) > largest {
		err = fmt.Errorf("%s: %w", filepath.Base(path), errLarge)
	}
	return data, err
}

// present lists the stacks of a folder, and says which one a name is like.
func present(dir, name string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "Pulumi.*.yaml"))
	var stacks []string
	for _, f := range files {
		if m := stackFile.FindStringSubmatch(filepath.Base(f)); m != nil {
			stacks = append(stacks, m[1])
		}
	}
	if len(stacks) == 0 {
		return ""
	}
	slices.Sort(stacks)
	hint := ""
	if near := nearest(name, stacks); near != "" {
		hint = "; did you mean stack " + near + "?"
	}
	return hint + "; the stacks are " + strings.Join(stacks, ", ")
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// parseYAML parses one document into a node. Its error is a Mistakes with the line.
func parseYAML(file string, data []byte) (*node, error) {
	wrong := func(line int, rule string) (*node, error) {
		return nil, Mistakes{{File: file, Line: line, Rule: rule}}
	}
	for _, bom := range []string{"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"} {
		if strings.HasPrefix(string(data), bom) {
			return wrong(1, "starts with a byte order mark: save it as UTF-8 without one")
		}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return &node{kind: object, line: 1}, nil
	}
	if err != nil {
		return wrong(explain(err, data))
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return wrong(second.Line, "is a second YAML document: a stack file has one")
	} else if !errors.Is(err, io.EOF) {
		return wrong(explain(err, data))
	}
	root, m := fromYAML(doc.Content[0], 0)
	if m != nil {
		m.File = file
		return nil, Mistakes{*m}
	}
	if root.kind == null {
		return &node{kind: object, line: 1}, nil
	}
	if root.kind != object {
		return wrong(root.line, "must be an object of keys and values")
	}
	return root, nil
}

// explain extracts the line and the message from the parser's error. The line is sometimes off by one, never by more, so it is
// worth showing.
func explain(err error, data []byte) (int, string) {
	for i, line := range strings.Split(string(data), "\n") {
		if indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(indent, "\t") {
			return i + 1, "is indented with a tab: YAML allows only spaces"
		}
	}
	words := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := yamlLine.FindStringSubmatch(words); m != nil {
		fmt.Sscan(m[1], &line)
		words = strings.Replace(words, m[0], "", 1)
	}
	return line, "is not valid YAML: " + words
}

// read collects the keys of the stack's file.
func (s *Source) read(root *node) {
	twice := root.repeats()
	for i, f := range root.fields {
		switch f.key {
		case "config", "encryptionsalt", "encryptedkey", "secretsprovider":
		case "environment":
			s.mistake(f.key, f.line, "is not read by Slipway: Pulumi ESC needs Pulumi Cloud. Put the values under config")
		default:
			s.mistake(f.key, f.line, "unknown key; put configuration under config")
		}
		switch {
		case twice[i]:
			s.mistake(f.key, f.line, "duplicate key")
		case f.key != "config" || f.value.kind == null:
		case f.value.kind != object:
			s.mistake("config", f.line, "must be an object of keys and values")
		default:
			s.config(f.value)
		}
	}
}

func (s *Source) config(all *node) {
	twice := all.repeats()
	for i, f := range all.fields {
		if twice[i] {
			s.mistake(f.key, f.line, "duplicate key")
			continue
		}
		s.Values[f.key] = RawValue{Text: f.value.text, Secret: f.value.holdsSecret(), tree: f.value}
		s.lines[f.key] = f.line
		if key, ok := strings.CutPrefix(f.key, s.Project+":"); ok {
			s.place(key, f)
		} else if strings.HasPrefix(f.key, "aws:") {
			s.place(f.key, f)
		}
	}
}

// place records the lines of a key and of everything inside it. For a duplicate key the last one counts.
func (s *Source) place(path string, p pair) {
	s.lines[path] = p.line
	if p.value.kind == date && !strings.HasPrefix(path, "secrets") {
		s.mistakes = append(s.mistakes, Mistake{Key: path, Rule: unquoted(p.value), File: s.File, Line: p.line})
	}
	for _, f := range p.value.fields {
		s.place(step(path, f.key), f)
	}
	for i, item := range p.value.items {
		s.place(fmt.Sprintf("%s[%d]", path, i), pair{line: item.line, value: item})
	}
}

func (s *Source) mistake(key string, line int, rule string) {
	if !plainKey.MatchString(key) || secretText(key) != "" {
		key = quoted(key)
	}
	s.mistakes = append(s.mistakes, Mistake{Key: key, Rule: rule, File: s.File, Line: line})
}
