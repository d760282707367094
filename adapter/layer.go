package adapter

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"slipway/internal/fargate/mount"
)

// overlay is the settings module that replaces some of the project's settings.
//
//go:embed slipway_settings.py
var overlay string

// A text is a Dockerfile, and the stages in it that are the two images.
type text struct{ text, django, nginx string }

// stages adds Slipway's stages to the Dockerfile.
func (a App) stages(project, name string) (text, error) {
	d, err := readDockerfile(project, a.Args)
	if err != nil {
		return text{}, err
	}
	at, err := d.find(a.Target)
	if err != nil {
		return text{}, err
	}
	d.cut(at)
	root, target := d.root(at), d.name()
	if err := d.end(); err != nil {
		return text{}, err
	}
	layer, static := d.free("slipway-layer"), d.free("slipway-static")
	t := text{django: d.free("slipway-django"), nginx: d.free(nginxStageName)}
	// In the order in which a builder without BuildKit, which builds every stage above its target, has least to do.
	out := []string{d.text, a.layerStage(layer, target, root)}
	if a.bakes() {
		out = append(out, a.staticStage(static, layer))
	}
	out = append(out, a.djangoStage(t.django, layer, static))
	if a.Static.Serve == serveNginx {
		if !a.bakes() {
			out = append(out, a.staticStage(static, layer))
		}
		out = append(out, a.nginxStage(t.nginx, static))
	}
	t.text = strings.Join(out, "\n")
	return t, nil
}

// layerStage is what every image of the app has. No shell is needed in the image: instructions are in exec form.
func (a App) layerStage(name, target string, root bool) string {
	var b strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&b, format+"\n", values...) }
	line("# The helper's sources have the hash %s.", helperSum()[:20])
	line("FROM %s AS %s", target, name)
	line("COPY %s %s/helper", helperFile, home)
	line("COPY %s %s/user/id", userFile, home)
	// As the image's own user: only a running container knows its numbers.
	line("RUN %s", words(home+"/helper", "whoami"))
	line("USER 0:0")
	install := []string{home + "/helper", "install"}
	for _, at := range a.Writable {
		install = append(install, "--writable="+at)
	}
	line("RUN %s", words(install...))
	line("%s", a.bundleStep())
	line("COPY %s %s/%s.py", overlayFile, pythonPath, overlayName)
	// gunicorn makes its control socket there, or else in the home, which is read-only.
	line("ENV XDG_RUNTIME_DIR=/tmp")
	if root {
		// The image was made for root, whose home the new user cannot write.
		line("ENV HOME=/tmp USER=slipway LOGNAME=slipway")
	}
	if len(a.Overlay) > 0 {
		line("%s", pythonEnv)
	}
	return b.String()
}

const pythonEnv = "ENV PYTHONPATH=" + pythonPath + "${PYTHONPATH:+:$PYTHONPATH}"

// staticStage collects the static files.
func (a App) staticStage(name, layer string) string {
	var b strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&b, format+"\n", values...) }
	line("FROM %s AS %s", layer, name)
	line("ARG %s", collectArgument)
	if len(a.Overlay) == 0 {
		line("%s", pythonEnv)
	}
	line("RUN %s", words(home+"/helper", "collect", "--into="+collected))
	return b.String()
}

// djangoStage is the image of the app. It keeps the ENTRYPOINT, the CMD and the working directory of the project's image.
func (a App) djangoStage(name, layer, static string) string {
	var b strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&b, format+"\n", values...) }
	line("FROM %s AS %s", layer, name)
	if a.bakes() {
		line("COPY --from=%s %s %s", static, collected, imageStatic)
	}
	// Fargate gives a volume the owner and the content that its path has here.
	line("VOLUME %s", words(a.volumes()...))
	line("USER slipway")
	return b.String()
}

func (a App) volumes() []string {
	all := slices.Concat([]string{"/tmp"}, a.Writable, mount.ExecPaths)
	slices.Sort(all)
	return slices.Compact(all)
}
