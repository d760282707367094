package operation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/joho/godotenv"
	"gopkg.in/yaml.v3"

	"slipway/operation/account/modelaccount"
	"slipway/release"
)

// secretsFile has the values of secrets for stacks that run on this machine. A rehearsal cannot decrypt those of the configuration.
const secretsFile = "slipway.secrets.env"

// asking are the operations that ask for the secrets that the file does not have.
var asking = []string{"up", "rehearse"}

// runs reports whether the stack runs as containers, or is to.
func (t Target) runs(operation, dir string) bool {
	return !t.Live && (t.Containers.Run || operation != "rehearse" && modelaccount.Running(dir))
}

// localSecrets gives the engine the values of the stack's secrets, as far as they are on this machine. The others get stand-ins.
func (c *configuration) localSecrets(ctx context.Context, t Target, operation string) error {
	values, err := readSecrets(ctx, c.root)
	if err != nil {
		return err
	}
	sealed := c.sealed()
	if unknown := without(namesOf(values), namesOf(sealed)); len(unknown) > 0 {
		t.Progress.Logf("%s has %s, which the stack does not use: its secrets are %s.", secretsFile, strings.Join(unknown, ", "),
			strings.Join(append(namesOf(sealed), "no others"), ", "))
	}
	missing := without(namesOf(sealed), namesOf(values))
	if t.Containers.Ask != nil && slices.Contains(asking, operation) {
		for _, name := range missing {
			value, err := t.Containers.Ask(ctx, name)
			if errors.Is(err, context.Canceled) {
				return fmt.Errorf("interrupted at the question for the secret %s; nothing was deployed\n"+
					"its value can be in %s; with --yes the containers get a stand-in", name, secretsFile)
			}
			if err != nil {
				return err
			}
			if value != "" {
				values[name] = value
			}
		}
		missing = without(namesOf(sealed), namesOf(values))
	}
	if len(missing) > 0 {
		t.Progress.Logf("The containers get stand-ins for %s. Put NAME=value into %s for real values.", strings.Join(missing, ", "),
			secretsFile)
	}
	c.engine.Secrets = map[string]string{}
	for name, ciphertext := range sealed {
		if value, known := values[name]; known {
			c.engine.Secrets[ciphertext] = value
		}
	}
	return nil
}

// namesOf are the keys of a map, sorted.
func namesOf(m map[string]string) []string {
	all := make([]string, 0, len(m))
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// without are the names that another list does not have.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(others, name) })
}

// sealed are the ciphertexts of the stack's secrets.
func (c *configuration) sealed() map[string]string {
	return ciphertexts(c.engine.Node, c.stack.Project)
}

// secretsHaveValues refuses to deploy secrets that were only named for rehearsals.
func (c *configuration) secretsHaveValues(t Target) error {
	var lines []string
	sealed := c.sealed()
	for _, name := range namesOf(sealed) {
		if sealed[name] == StandIn {
			lines = append(lines, "\n  slipway secret set "+name+t.Flags())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("stack %s has %s without a value; nothing was done. To set them:%s", t.Stack, some(len(lines), false, "secret"),
		strings.Join(lines, ""))
}

// ciphertexts are those of the secrets in a stack's configuration, by name.
func ciphertexts(config *yaml.Node, project string) map[string]string {
	all := map[string]string{}
	node := valueOf(config, project+":secrets")
	if node == nil {
		return all
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if secure := valueOf(node.Content[i+1], "secure"); secure != nil {
			all[node.Content[i].Value] = secure.Value
		}
	}
	return all
}

// readSecrets reads the file; there may be none. It must neither be committed nor be readable by others. An error has no value in it.
func readSecrets(ctx context.Context, root string) (map[string]string, error) {
	path := filepath.Join(root, secretsFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", secretsFile)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by other users of this machine (mode %04o): chmod 600 %s", secretsFile, mode, secretsFile)
	}
	if err := secretsIgnored(ctx, root); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil { // its error quotes the line, and with it the secret
		return nil, fmt.Errorf("%s is not valid: %s", secretsFile, wrongLine(string(text)))
	}
	return values, nil
}

// secretsIgnored refuses a file of secrets that Git would commit.
func secretsIgnored(ctx context.Context, root string) error {
	ignored, err := release.Ignored(ctx, root, secretsFile)
	if err != nil {
		return fmt.Errorf("whether Git ignores %s is not known: %w", secretsFile, err)
	}
	if !ignored {
		return fmt.Errorf("%s is not ignored by Git, so its secrets would be committed: add /%[1]s to .gitignore, and remove it from the "+
			"index if it is there (git rm --cached %[1]s)", secretsFile)
	}
	return nil
}

var assignment = regexp.MustCompile(`^\s*(export\s+)?[A-Za-z_][A-Za-z0-9_.]*\s*[=:]`)

// wrongLine finds the line that is not NAME=value. It does not distinguish the lines of a value in quotes, so it may be one of those.
func wrongLine(text string) string {
	for n, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !assignment.MatchString(line) {
			return fmt.Sprintf("line %d is not NAME=value", n+1)
		}
	}
	return "a quote is not closed"
}
