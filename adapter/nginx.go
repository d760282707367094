package adapter

import (
	_ "embed"
	"strings"
)

const nginxStageName = "slipway-nginx"

//go:embed nginx/slipway.conf.template
var nginxTemplate string

// nginxCached is the body of a location whose answers are cached.
//
//go:embed nginx/slipway.cached
var nginxCached string

//go:embed nginx/Dockerfile
var nginxDockerfile string

// nginxStage is the stage of nginx. static is the stage that has collected files; "": there are none.
func (a App) nginxStage(name, static string) string {
	from := "FROM " + a.NginxBase + " AS " + name
	copied := ""
	if static != "" {
		copied = "COPY --from=" + static + " " + collected + " " + collected + "\n"
	}
	_, body, _ := strings.Cut(nginxDockerfile, "FROM nginx\n")
	return from + "\n" + strings.Replace(body, "# STATIC\n", copied, 1)
}
