package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// overlayModule is the settings module that replaces some of the project's settings.
const overlayModule = "slipway_settings"

// collectVariable has the content of --from if there is no file: a build argument, which is in no image.
const collectVariable = "SLIPWAY_COLLECT"

// A collection is what collect needs to know of the project.
type collection struct {
	Manage   []string          `json:"manage"`
	Commands [][]string        `json:"commands"`
	Env      map[string]string `json:"env"` // also dummies for what the settings demand
}

// collect collects the project's static files in the build of an image. A project without staticfiles has none, which is no error.
func collect(i *invocation, flags *flag.FlagSet, args []string) error {
	into := flags.String("into", "", "folder for the files")
	from := flags.String("from", "", "JSON file with manage, commands and env")
	manage := flags.String("manage", "", "what stands for manage.py, a JSON list (SLIPWAY_MANAGE)")
	commands := flags.String("commands", `[["collectstatic","--noinput"]]`, "arguments of each command, a JSON list of lists")
	var env texts
	flags.Var(&env, "env", "NAME=VALUE for the commands; may be repeated")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	if !filepath.IsAbs(*into) {
		return usage("--into must be an absolute path, got %q", *into)
	}
	c, err := newCollection(i, *from, *manage, *commands)
	if err != nil {
		return err
	}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		c.Env[name] = value
	}
	if err := os.MkdirAll(*into, 0o755); err != nil {
		return err
	}
	if err := c.run(i, *into); err != nil {
		return err
	}
	return finish(*into)
}

func newCollection(i *invocation, from, manage, commands string) (*collection, error) {
	c := &collection{}
	text := []byte(i.env[collectVariable])
	if from != "" {
		var err error
		if text, err = os.ReadFile(from); err != nil {
			return nil, err
		}
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, c); err != nil {
			return nil, usage("%s: %v", cmp.Or(from, collectVariable), err)
		}
	}
	if manage != "" {
		if err := json.Unmarshal([]byte(manage), &c.Manage); err != nil {
			return nil, usage("--manage: %v", err)
		}
	}
	if len(c.Manage) == 0 {
		own, err := i.manage()
		if err != nil {
			return nil, err
		}
		c.Manage = own
	}
	if c.Commands == nil {
		if err := json.Unmarshal([]byte(commands), &c.Commands); err != nil {
			return nil, usage("--commands: %v", err)
		}
	}
	if c.Env == nil {
		c.Env = map[string]string{}
	}
	return c, nil
}

// run runs the commands with settings that collect into the folder.
func (c *collection) run(i *invocation, into string) error {
	env := maps.Clone(i.env)
	delete(env, collectVariable)
	maps.Copy(env, c.Env)
	settings := env["SLIPWAY_SETTINGS"]
	if module := env["DJANGO_SETTINGS_MODULE"]; settings == "" && module != overlayModule {
		settings = module
	}
	if settings = cmp.Or(settings, settingsOf(c.Manage)); settings == "" {
		return fmt.Errorf("cannot find the settings module in %s: set app.settings", strings.Join(c.Manage, " "))
	}
	overlay := strings.FieldsFunc(env["SLIPWAY_OVERLAY"], func(r rune) bool { return r == ',' || r == ' ' })
	if !slices.Contains(overlay, "STATIC_ROOT") {
		overlay = append(overlay, "STATIC_ROOT")
	}
	env["DJANGO_SETTINGS_MODULE"], env["SLIPWAY_SETTINGS"] = overlayModule, settings
	env["SLIPWAY_OVERLAY"], env["SLIPWAY_STATIC_ROOT"] = strings.Join(overlay, ","), into
	p := &project{manage: c.Manage, env: env.list(), out: i.out, hide: hiding()}
	for _, args := range c.Commands {
		r := p.run(context.Background(), args, nil)
		if r.err == nil {
			continue
		}
		command := strings.Join(slices.Concat(c.Manage, args), " ")
		if len(args) > 0 && args[0] == "collectstatic" && strings.Contains(r.errs, "Unknown command: 'collectstatic'") {
			fmt.Fprintln(i.out, "The project does not use django.contrib.staticfiles: it has no static files.")
			return nil
		}
		return fmt.Errorf("%s: %s", command, r.reason)
	}
	return nil
}

var setDefault = regexp.MustCompile(`setdefault\(\s*["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']`)

// settingsOf is the settings module that manage.py chooses if no other is set.
func settingsOf(manage []string) string {
	for _, word := range manage {
		text, err := os.ReadFile(word)
		if err != nil || !strings.HasSuffix(word, ".py") {
			continue
		}
		if found := setDefault.FindSubmatch(text); found != nil {
			return string(found[1])
		}
	}
	return ""
}

// finish makes the files readable for nginx's user, and compresses what nginx would compress for every request.
func finish(into string) error {
	return filepath.WalkDir(into, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode().Perm(); {
		case d.IsDir():
			return chmod(file, mode, 0o055)
		case !d.Type().IsRegular():
			return nil
		default:
			if err := chmod(file, mode, 0o044); err != nil {
				return err
			}
		}
		if slices.Contains([]string{".css", ".js", ".svg"}, filepath.Ext(file)) && info.Size() > 1024 {
			return compress(file, info)
		}
		return nil
	})
}

func chmod(file string, mode, more fs.FileMode) error {
	if mode&more == more {
		return nil
	}
	err := os.Chmod(file, mode|more)
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%s is not readable for nginx: %w", file, err)
	}
	return err
}

// compress writes file.gz without a name and a time, so that equal files make equal images.
func compress(file string, info fs.FileInfo) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, _ = z.Write(text)
	if err := z.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(file+".gz", b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Chtimes(file+".gz", info.ModTime(), info.ModTime())
}
