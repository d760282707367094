package adapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"slipway/internal/image"
)

// Builds are the builds of the two images. An error is about the project or its configuration, and says what to do.
func (a App) Builds() (image.Builds, error) {
	if err := errors.Join(a.checkWords()...); err != nil {
		return image.Builds{}, err
	}
	context, name, err := a.find()
	if err != nil {
		return image.Builds{}, err
	}
	text, err := a.project(context, name)
	if err != nil {
		return image.Builds{}, err
	}
	whole, err := a.stages(text, name)
	if err != nil {
		return image.Builds{}, fmt.Errorf("%s: %w", path.Join(filepath.ToSlash(a.Context), name), err)
	}
	collect, err := a.collect()
	if err != nil {
		return image.Builds{}, err
	}
	added := a.added()
	b := image.Build{Root: a.Root, Context: a.Context, Dockerfile: name, Platform: a.Platform, Args: a.Args, Text: whole.text, Added: added}
	django, nginx := b, b
	django.Target, nginx.Target = whole.django, whole.nginx
	nginx.Args = maps.Clone(a.Args)
	if nginx.Args == nil {
		nginx.Args = map[string]string{}
	}
	nginx.Args[collectArgument] = collect
	if a.bakes() {
		django.Args = nginx.Args
	}
	if a.Static.Serve != serveNginx {
		nginx = image.Build{Platform: a.Platform, Text: a.nginxStage(nginxStageName, ""), Target: nginxStageName, Bare: true,
			Added: slices.DeleteFunc(slices.Clone(added), func(f image.Added) bool {
				return f.Name != helperFile && f.Name != nginxFile && f.Name != cachedFile
			})}
	}
	return image.Builds{Django: django, Nginx: nginx}, nil
}

// Top is the top folder of the Git repository that root is in, or root itself. Paths of the configuration stay inside of it.
func Top(root string) string {
	at, err := filepath.Abs(root)
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	if err != nil {
		return root
	}
	for folder := at; ; folder = filepath.Dir(folder) {
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			return at
		}
	}
}

// find finds the context and the name of the Dockerfile in it; the name is "" if one is to be generated.
func (a App) find() (context, name string, err error) {
	context = filepath.Join(a.Root, a.Context)
	if err := a.inside(a.Context, "folder "+a.Context, true); err != nil {
		return "", "", err
	}
	name = a.Dockerfile
	if name == "" {
		name = "Dockerfile"
		if _, err := os.Stat(filepath.Join(context, name)); errors.Is(err, fs.ErrNotExist) {
			return context, "", a.inside(a.Path, "folder "+a.Path, true)
		}
	}
	at := filepath.Join(a.Context, name)
	return context, filepath.ToSlash(name), a.inside(at, "Dockerfile "+filepath.ToSlash(at), false)
}

// inside checks that a path from the project exists, is of the kind that is wanted, and lies in the repository. A link on the way
// may lead elsewhere: that is the choice of its author.
func (a App) inside(at, what string, folder bool) error {
	info, err := os.Stat(filepath.Join(a.Root, at))
	var why *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist", what)
	case errors.As(err, &why):
		return fmt.Errorf("%s cannot be read: %w", what, why.Err)
	case err != nil:
		return fmt.Errorf("%s cannot be read: %w", what, err)
	case folder && !info.IsDir():
		return fmt.Errorf("%s is not a folder", what)
	case !folder && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", what)
	}
	root, err := filepath.Abs(a.Root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return err
	}
	if from, err := filepath.Rel(Top(root), filepath.Join(root, at)); err != nil || from != "." && !filepath.IsLocal(from) {
		return fmt.Errorf("%s is outside of the repository: Slipway reads only files that a commit can have", what)
	}
	return nil
}

// project is the text of the project's Dockerfile, or a generated one.
func (a App) project(context, name string) (string, error) {
	if name == "" {
		return a.generate(context)
	}
	text, err := os.ReadFile(filepath.Join(context, filepath.FromSlash(name)))
	return string(text), err
}

// checkWords checks what becomes part of a Dockerfile.
func (a App) checkWords() (wrong []error) {
	add := func(format string, values ...any) { wrong = append(wrong, fmt.Errorf(format, values...)) }
	if !regionForm.MatchString(a.Region) {
		add("%q is not a region", a.Region)
	}
	if a.NginxBase == "" || strings.ContainsAny(a.NginxBase, " \t\r\n$\"'\\`") {
		add("app.nginx.base %q is not the name of an image", a.NginxBase)
	}
	for _, at := range a.Writable {
		switch {
		case !path.IsAbs(at) || path.Clean(at) != at || at == "/":
			add("app.writable: %q is not the absolute path of a folder, without a slash at its end", at)
		case strings.ContainsAny(at, "$\"'\\`,:") || strings.ContainsFunc(at, func(r rune) bool { return r < ' ' || r == 0x7f }):
			add("app.writable: %q has a character that a volume's path cannot have", at)
		case reserved(at):
			add("app.writable: %s belongs to the system or to Slipway", at)
		}
	}
	for _, name := range a.Overlay {
		if !slices.Contains(overlaySettings, name) {
			add("app.overlay: %q is not one of %s", name, strings.Join(overlaySettings, ", "))
		}
	}
	return wrong
}

// overlaySettings are the settings that slipway_settings.py knows.
var overlaySettings = []string{"DATABASES", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "STATIC_ROOT",
	"SECURE_PROXY_SSL_HEADER", "MEDIA"}

func reserved(at string) bool {
	for _, own := range []string{home, "/proc", "/sys", "/dev", path.Dir(image.CABundle)} {
		if at == own || strings.HasPrefix(at, own+"/") || strings.HasPrefix(own, at+"/") {
			return true
		}
	}
	return false
}

// added are the files that the images need besides the project's.
func (a App) added() []image.Added {
	return []image.Added{
		{Name: helperFile, Mode: 0o755, Sum: helperSum()},
		{Name: userFile, Mode: 0o666}, // the image's own user, any user, writes its number into it
		{Name: bundleFile, Mode: 0o644, Content: bundle},
		{Name: overlayFile, Mode: 0o644, Content: overlay},
		{Name: nginxFile, Mode: 0o644, Content: nginxTemplate},
		{Name: cachedFile, Mode: 0o644, Content: nginxCached},
	}
}

// collect says in JSON which commands collect static files, and with which environment.
func (a App) collect() (string, error) {
	env := maps.Clone(a.Env)
	if env == nil {
		env = map[string]string{}
	}
	names := slices.Clone(a.Overlay)
	if !slices.Contains(names, "STATIC_ROOT") {
		names = append(names, "STATIC_ROOT")
	}
	env["SLIPWAY_OVERLAY"], env["SLIPWAY_STATIC_ROOT"] = strings.Join(names, ","), collected
	if a.Settings != "" {
		env["DJANGO_SETTINGS_MODULE"], env["SLIPWAY_SETTINGS"] = overlayName, a.Settings
	}
	text, err := json.Marshal(map[string]any{"manage": a.Manage, "commands": a.Static.Commands, "env": env})
	return string(text), err
}
