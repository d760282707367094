package operation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"slipway/operation/account"
)

// A client is a psql that talks to servers of the database's version.
type client struct {
	path  string // of psql, or of docker
	image string // "": psql of this machine
	what  string // for people
}

var psqlVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// findClient finds psql on this machine, or takes it from an image: of the stack's own registry, or the official one. Its commands about
// the server need psql to be at least as new as that (PostgreSQL documentation, psql, Notes).
func (e *entrance) findClient(ctx context.Context, note func(string)) (client, error) {
	server := e.layout.postgres
	major, _, _ := strings.Cut(server, ".")
	wanted, err := strconv.Atoi(major)
	if err != nil {
		return client{}, fmt.Errorf("the version of the database is %q", server)
	}
	why := "psql is not on PATH"
	if path, err := exec.LookPath("psql"); err == nil {
		out, err := exec.CommandContext(ctx, path, "--version").Output()
		if err != nil {
			return client{}, fmt.Errorf("%s --version: %w", path, err)
		}
		said := psqlVersion.FindSubmatch(out)
		if said != nil {
			if has, _ := strconv.Atoi(string(said[1])); has >= wanted {
				return client{path: path, what: strings.TrimSpace(string(out))}, nil
			}
		}
		why = fmt.Sprintf("%s is %s, older than the database", path, strings.TrimSpace(string(out)))
	}
	docker, err := exec.LookPath("docker")
	if err != nil {
		return client{}, fmt.Errorf("%s, and neither is Docker there to run it from an image: install a client of Postgres %s or later",
			why, major)
	}
	var public account.Image
	for _, image := range e.sessions.PostgresImages(e.layout.psql, major) {
		if !image.Own {
			public = image
			break
		}
		wrong := fetch(ctx, docker, image, note)
		if ctx.Err() != nil {
			return client{}, ctx.Err()
		}
		if wrong == nil {
			return client{path: docker, image: image.Name, what: "psql from the image " + image.Name + ", of the stack's own registry"}, nil
		}
		note(fmt.Sprintf("The image %s of the stack's own registry cannot be used: %v.", image.Name, wrong))
	}
	return client{path: docker, image: public.Name, what: "psql from the image " + public.Name}, nil
}

// fetch pulls an image, unless this machine has it. The tag is immutable, so what was pulled before is still the same.
func fetch(ctx context.Context, docker string, image account.Image, note func(string)) error {
	if exec.CommandContext(ctx, docker, "image", "inspect", image.Name).Run() == nil {
		return nil
	}
	pull := exec.CommandContext(ctx, docker, "pull", "--quiet", image.Name)
	if image.Login != nil {
		login, err := image.Login(ctx)
		if err != nil {
			return err
		}
		registry, _, _ := strings.Cut(image.Name, "/")
		folder, err := dockerSettings(registry, login)
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		pull.Env = append(os.Environ(), "DOCKER_CONFIG="+folder)
	}
	note("Docker pulls " + image.Name + " ...")
	var said strings.Builder
	pull.Stderr = &said
	if err := pull.Run(); err != nil {
		return pullError(said.String(), err)
	}
	return nil
}

// pullError is the last line that docker wrote, which has the cause.
func pullError(said string, err error) error {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if strings.Contains(last, "no matching manifest") {
		return errors.New("it is for linux/amd64 and linux/arm64, and Docker's processor here is another")
	}
	if last != "" {
		err = errors.New(last)
	}
	return fmt.Errorf("docker pull: %w", err)
}

// dockerSettings makes a folder of settings with a login, for one docker command, and returns its name. The user's own settings stay as
// they are: docker login would keep the password in them, or in the keychain of this machine, which it chooses by itself also for an
// empty folder. Which engine docker talks to is taken over: the name of the context is in the settings, and the contexts are in a folder
// beside them.
func dockerSettings(registry string, login account.Login) (folder string, err error) {
	own := os.Getenv("DOCKER_CONFIG")
	if own == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		own = filepath.Join(home, ".docker")
	}
	var settings struct {
		CurrentContext string `json:"currentContext"`
	}
	if text, err := os.ReadFile(filepath.Join(own, "config.json")); err == nil {
		if err := json.Unmarshal(text, &settings); err != nil {
			return "", fmt.Errorf("%s: %w", filepath.Join(own, "config.json"), err)
		}
	}
	auth := base64.StdEncoding.EncodeToString([]byte(login.User + ":" + login.Password))
	text, err := json.Marshal(map[string]any{
		"auths": map[string]any{registry: map[string]string{"auth": auth}}, "currentContext": settings.CurrentContext,
	})
	if err != nil {
		return "", err
	}
	if folder, err = os.MkdirTemp("", "slipway-docker-"); err != nil {
		return "", err
	}
	err = os.WriteFile(filepath.Join(folder, "config.json"), text, 0o600)
	if contexts := filepath.Join(own, "contexts"); err == nil {
		if _, there := os.Stat(contexts); there == nil {
			if contexts, err = filepath.Abs(contexts); err == nil {
				err = os.Symlink(contexts, filepath.Join(folder, "contexts"))
			}
		}
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}
