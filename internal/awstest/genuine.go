package awstest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// above returns a path relative to the repository's root, seen from the folder of the running test.
func above(path ...string) string {
	dir := "."
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir}, path...)...)
		}
		if whole, err := filepath.Abs(dir); err != nil || whole == filepath.Dir(whole) {
			return filepath.Join(path...)
		}
		dir = filepath.Join(dir, "..")
	}
}

// realaws returns where plugins and moto are, on a machine that has them.
func realaws(name string) string { return above("..", "shared", "realaws", name) }

// ProviderPlugin is the real AWS provider, in the engine's plugin folder.
const ProviderPlugin = "resource-aws-v6.83.2"

// plugins are the plugins that must be installed there.
var plugins = []string{ProviderPlugin, "resource-docker-v4.10.0", "resource-random-v4.19.0"}

// Plugins finds the provider plugins: the user's, or those of realaws, which it unpacks into the user's cache the first
// time.
func Plugins() (string, error) {
	var looked []string
	for _, home := range []string{os.Getenv("PULUMI_HOME"), userFile(os.UserHomeDir, ".pulumi"),
		userFile(os.UserCacheDir, "slipway", "plugins")} {
		if home == "" {
			continue
		}
		folder := filepath.Join(home, "plugins")
		if installed(folder) {
			return folder, nil
		}
		looked = append(looked, folder)
	}
	script := realaws("install.sh")
	if _, err := os.Stat(script); err != nil {
		return "", fmt.Errorf("the provider plugins are not installed: %v not all in one of %v", plugins, looked)
	}
	home := userFile(os.UserCacheDir, "slipway", "plugins")
	if out, err := exec.Command("sh", script, home).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return filepath.Join(home, "plugins"), nil
}

func userFile(base func() (string, error), below ...string) string {
	dir, err := base()
	if err != nil {
		return ""
	}
	return filepath.Join(append([]string{dir}, below...)...)
}

func installed(folder string) bool {
	for _, plugin := range plugins {
		if _, err := os.Stat(filepath.Join(folder, plugin)); err != nil {
			return false
		}
	}
	return true
}

// Genuine starts the moto that the real provider is tested against, with the fixes of conformance/serve.py, until the test
// ends, and returns its URL. env is added to its environment. Without moto the test is skipped.
func Genuine(t *testing.T, env ...string) string {
	t.Helper()
	script := realaws("moto_plus.py")
	if _, err := os.Stat(script); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no moto at %s", script)
	}
	if out, err := exec.Command("python3", "-c", "import moto, boto3, flask").CombinedOutput(); err != nil {
		t.Skipf("python3 has no moto: %s", bytes.TrimSpace(out))
	}
	return serve(t, append([]string{"MOTO_ACM_VALIDATION_WAIT=1"}, env...), above("conformance", "serve.py"), filepath.Dir(script))
}
