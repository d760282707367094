// Package adapter makes any Django project's images run on Fargate: it adds stages to the project's Dockerfile, in the staged copy
// of the build context, and never changes the project itself.
//
// Two images come from one text. The project's stages are as the project wrote them. A stage on top of the chosen one adds the
// helper, the CA certificates of RDS, the user and the writable paths. Another collects static files, and nginx's takes them from
// there. Both builds have the same text and the same files, so that Docker builds the project's stages once.
package adapter

import (
	"encoding/json"
	"regexp"
	"slices"

	"slipway/internal/image"
)

// An App is what the configuration says about a project's images. Folders are relative to Root.
type App struct {
	Root       string            // the folder of Pulumi.yaml
	Path       string            // the Django project
	Context    string            // the build context
	Dockerfile string            // from Context; "": Dockerfile if there is one, else one is generated
	Target     string            // the stage that runs; "": the last one
	Platform   string            // linux/arm64
	Region     string            // of the database
	Args       map[string]string // build arguments; readable in the image, so never a secret

	Settings string            // the settings module; "": the image's, or manage.py's
	Manage   []string          // what stands for manage.py
	Overlay  []string          // settings that Slipway replaces
	Writable []string          // absolute paths that the app writes, besides /tmp
	Packages []string          // requirements that a generated Dockerfile installs beside those of the project's list
	Env      map[string]string // for collectstatic in the build: names as at run time, values without secrets
	Static   Static

	NginxBase string // the image that nginx's is made of
}

// Static says who serves static files.
type Static struct {
	Serve    string     // "nginx" or "app"
	URL      string     // /static/
	Commands [][]string // arguments for Manage, one list for each command
}

// The paths in an image that Slipway adds.
const (
	home        = "/opt/slipway"
	collected   = "/srv/static"
	imageStatic = home + "/static"
	pythonPath  = home + "/python"
	overlayName = "slipway_settings"
	templateOut = "/etc/nginx/slipway.conf.template"
	cachedOut   = "/etc/nginx/slipway.cached"
)

// Names of added files in the build context.
const (
	helperFile  = image.Own + "/helper"
	userFile    = image.Own + "/user"
	bundleFile  = image.Own + "/global-bundle.pem"
	overlayFile = image.Own + "/" + overlayName + ".py"
	nginxFile   = image.Own + "/slipway.conf.template"
	cachedFile  = image.Own + "/slipway.cached"
)

// collectArgument is the build argument that says how static files are collected. It is no file, because both images are built
// from the same ones, and what it says is about one of them.
const collectArgument = "SLIPWAY_COLLECT"

// HelperFile is the name of the helper in the build context. It is supplied when Docker builds.
const HelperFile = helperFile

const serveNginx = "nginx"

// bakes reports whether the app's own image has the collected static files: a manifest storage and WhiteNoise read them there.
func (a App) bakes() bool { return slices.Contains(a.Overlay, "STATIC_ROOT") }

var regionForm = regexp.MustCompile(`^[a-z]{2}[a-z-]*-[0-9]+$`)

// words is the exec form of an instruction.
func words(all ...string) string {
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // it is made of strings
	}
	return string(text)
}
