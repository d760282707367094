package operation

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"gopkg.in/yaml.v3"

	"slipway/config"
	"slipway/engine"
	"slipway/site"
)

// A configuration is what is known about a stack before anything is started.
type configuration struct {
	root     string // the folder of Pulumi.yaml
	project  []byte // Pulumi.yaml
	stack    *config.Stack
	older    string // the older slipway that the stack was set up with; "": this one, or it does not say
	file     string // the stack's
	engine   engine.Config
	seal     seal     // what encrypts its secrets, when it is deployed for real
	profile  string   // of the shared AWS configuration: aws:profile
	accounts []string // the accounts that the stack may be deployed to
}

// FindRoot finds the folder of Pulumi.yaml: the working directory or the nearest one above it.
func FindRoot() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "Pulumi.yaml")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no Pulumi.yaml in %s or above it: run this in your project's folder, or write one: slipway init", here)
		}
	}
}

// A stackFile is what stands in a stack's file. Nothing of it is checked.
type stackFile struct {
	source config.Source
	path   string
	node   *yaml.Node // of the key config
	seal   seal
}

// read reads the stack's file.
func (t Target) read() (*stackFile, error) {
	path, err := config.StackFile(t.Root, t.Stack)
	if err != nil {
		return nil, Mistakes(t.Stack, err)
	}
	f := &stackFile{path: path}
	if f.source, err = config.FromProject(t.Root, t.Stack); err != nil {
		return nil, Mistakes(t.Stack, err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if f.node, err = configOf(written); err == nil {
		f.seal, err = sealOf(written)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// configure reads and checks the stack's configuration, so that every mistake is reported before anything is created.
func configure(t Target) (*configuration, error) {
	file, err := t.read()
	if err != nil {
		return nil, err
	}
	source, node := file.source, file.node
	c := &configuration{root: t.Root, file: file.path, older: source.Older(), seal: file.seal}
	if c.project, err = os.ReadFile(filepath.Join(t.Root, "Pulumi.yaml")); err != nil {
		return nil, err
	}
	for _, words := range t.Overrides {
		if err := override(node, source, words); err != nil {
			path, _, _ := strings.Cut(words, "=") // the value may be a secret that does not belong there
			return nil, UsageError{fmt.Errorf("--config %s: %w", path, err)}
		}
	}
	c.engine.Node = node
	if c.stack, err = site.Load(source); err != nil {
		return nil, sinceVersion(c.older, onCommandLine(t, source.Project, err))
	}
	c.profile, c.accounts = c.stack.AWS.Profile, c.stack.AWS.AllowedAccountIDs
	return c, nil
}

// Mistakes lists everything that is wrong with the configuration of a stack.
func Mistakes(stack string, err error) error {
	var all config.Mistakes
	if !errors.As(err, &all) || len(all) == 0 {
		return err
	}
	lines := make([]string, len(all))
	for i, one := range all {
		lines[i] = "\n  " + one.String()
	}
	what := "a mistake"
	if len(all) > 1 {
		what = fmt.Sprintf("%d mistakes", len(all))
	}
	return fmt.Errorf("the configuration of stack %s has %s; nothing was started:%s", stack, what, strings.Join(lines, ""))
}

// onCommandLine makes a usage error of the mistakes that are in settings for this run. Those of the file follow.
func onCommandLine(t Target, project string, err error) error {
	var all, rest config.Mistakes
	if !errors.As(err, &all) {
		return err
	}
	var lines []string
	for _, one := range all {
		at := slices.IndexFunc(t.Overrides, func(words string) bool {
			path, _, _ := strings.Cut(words, "=")
			path = strings.TrimPrefix(path, project+":")
			key := strings.TrimPrefix(one.Key, project+":")
			return key == path || under(key, path) || under(path, key)
		})
		if at < 0 {
			rest = append(rest, one)
			continue
		}
		one.File, one.Key = "", strings.TrimPrefix(one.Key, project+":")
		parent := one.Key[:strings.LastIndexAny(one.Key, ".:")+1]
		lines = append(lines, "--config "+strings.Replace(one.String(), "unknown key, did you mean ", "did you mean "+parent, 1))
	}
	if len(lines) == 0 {
		return Mistakes(t.Stack, err)
	}
	if len(rest) > 0 {
		lines = append(lines, Mistakes(t.Stack, rest).Error())
	}
	return UsageError{errors.New(strings.Join(lines, "\n"))}
}

// under says whether a key is inside of what another one names.
func under(key, of string) bool {
	return of != "" && (strings.HasPrefix(key, of+".") || strings.HasPrefix(key, of+"["))
}

// configOf is the mapping under config of a stack's file, empty if there is none.
func configOf(data []byte) (*yaml.Node, error) {
	var file struct{ Config yaml.Node }
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if file.Config.Kind != yaml.MappingNode {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	return &file.Config, nil
}

// override makes one setting of key=value, in the node and in the source. The key is a path, as in `pulumi config set --path`;
// a key without a namespace is the project's. The type of the key says how the value is read: a string as it is, quotes and #
// included; a list or an object as YAML or JSON.
func override(node *yaml.Node, source config.Source, words string) error {
	path, value, ok := strings.Cut(words, "=")
	if !ok || path == "" {
		return errors.New("expected key=value, such as web.max=6")
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	key := path[:end]
	if !strings.Contains(key, ":") {
		key = source.Project + ":" + key
	}
	if key == source.Project+":secrets" {
		return errors.New("a secret does not belong on a command line: " + source.SetSecret("NAME"))
	}
	rest, err := resource.ParsePropertyPath(strings.TrimPrefix(path[end:], "."))
	if err != nil {
		return err
	}
	kind, err := config.Find(source.Project, key, rest)
	if err != nil {
		return err
	}
	given, err := setting(kind, value)
	if err != nil {
		return err
	}
	if written, inherited := source.Values[key]; inherited && len(rest) > 0 && valueOf(node, key) == nil { // from Pulumi.yaml
		if err := fill(node, key, written.Text); err != nil {
			return err
		}
	}
	at, err := child(node, key)
	if err != nil {
		return err
	}
	for _, step := range rest {
		if at, err = child(at, step); err != nil {
			return err
		}
	}
	*at = *given
	source.Values[key], err = raw(valueOf(node, key))
	return err
}

// setting is a value of the command line as a node.
func setting(kind config.Kind, value string) (*yaml.Node, error) {
	given := &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	switch kind {
	case config.Composite:
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(value), &document); err != nil {
			return nil, fmt.Errorf("the value is not YAML or JSON: %w", err)
		}
		if len(document.Content) == 1 && document.Content[0].Kind != yaml.ScalarNode {
			return document.Content[0], nil
		}
	case config.Plain: // a number or a boolean; anything else is refused with the rest of the configuration
		var plain any
		if err := yaml.Unmarshal([]byte(value), &plain); err == nil && fmt.Sprint(plain) == value {
			return given, nil
		}
	}
	given.Tag, given.Style = "!!str", yaml.DoubleQuotedStyle
	return given, nil
}

// fill puts a value that was JSON into a mapping.
func fill(node *yaml.Node, key, text string) error {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return err
	}
	at, err := child(node, key)
	if err == nil && len(document.Content) == 1 {
		*at = *document.Content[0]
	}
	return err
}

// child is the value under a key of a mapping or at an index of a list, made if it is not there.
func child(node *yaml.Node, step any) (*yaml.Node, error) {
	switch step := step.(type) {
	case string:
		if node.Kind == 0 || node.Tag == "!!null" {
			*node = yaml.Node{Kind: yaml.MappingNode}
		}
		if node.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%q: its parent is not an object", step)
		}
		if found := valueOf(node, step); found != nil {
			return found, nil
		}
		made := &yaml.Node{}
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: step, Tag: "!!str"}, made)
		return made, nil
	case int:
		if node.Kind == 0 || node.Tag == "!!null" {
			*node = yaml.Node{Kind: yaml.SequenceNode}
		}
		if node.Kind != yaml.SequenceNode || step < 0 || step > len(node.Content) {
			return nil, fmt.Errorf("there is no place %d in a list of %d", step, len(node.Content))
		}
		if step == len(node.Content) {
			node.Content = append(node.Content, &yaml.Node{})
		}
		return node.Content[step], nil
	}
	return nil, fmt.Errorf("%v is neither a key nor a place in a list", step)
}

// valueOf is the value of a key of a mapping, nil if it is not there.
func valueOf(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// raw is a value as the engine would pass it.
func raw(node *yaml.Node) (config.RawValue, error) {
	if node.Kind == yaml.ScalarNode {
		return config.RawValue{Text: node.Value}, nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return config.RawValue{}, err
	}
	text, err := json.Marshal(value)
	return config.RawValue{Text: string(text)}, err
}

// A seal is the secrets provider in Pulumi.<stack>.yaml.
type seal struct {
	Provider     string `yaml:"secretsprovider"`
	EncryptedKey string `yaml:"encryptedkey"`
	Salt         string `yaml:"encryptionsalt"`
}

// sealOf reads the secrets provider of a stack's file.
func sealOf(data []byte) (seal, error) {
	var s seal
	err := yaml.Unmarshal(data, &s)
	return s, err
}

// allowed is the accounts that a stack may be deployed to: those that it names, or the one that its state is in.
func (c *configuration) allowed() []string {
	if key := strings.Split(c.stack.Backend.Key, ":"); len(c.accounts) == 0 && len(key) > 4 {
		return []string{key[4]}
	}
	return c.accounts
}
