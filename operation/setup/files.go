package setup

import (
	"fmt"
	"strings"

	"slipway/check"
	"slipway/internal/version"
	"slipway/internal/yamlmerge"
	"slipway/operation"
)

// from is a comment that says where a value comes from.
func from(k check.Key) string {
	at := k.File
	if at != "" && at == k.Value {
		return "" // the value is the place
	}
	if k.Line > 0 {
		at = fmt.Sprintf("%s:%d", k.File, k.Line)
	}
	switch {
	case at == "" || k.Note == "":
		return comment(at + k.Note)
	}
	return comment(at + ": " + k.Note)
}

// comment is one line of a comment.
func comment(words string) string {
	if words == "" {
		return ""
	}
	return "# " + strings.Join(strings.Fields(words), " ")
}

// projectTree is Pulumi.yaml.
func (i *initializer) projectTree() *yamlmerge.Value {
	app := yamlmerge.Object()
	for _, k := range i.found.Keys {
		i.key(app, k)
	}
	key := i.out.Project + ":app"
	return yamlmerge.Object().
		Below("# Made by `slipway init` from the project beside it. Edit it as you like: running init again only adds what is missing.",
			"name", i.out.Project).
		With("description", "A Django site on AWS Fargate.").
		Below("# The command slipway, which is also the Pulumi program. It has to be on PATH.", "runtime",
			yamlmerge.Object().With("name", "go").With("options", yamlmerge.Object().With("binary", "slipway"))).
		Below("# The same for all stacks; a stack's own value of a key takes precedence. Each value has the place that it comes from.",
			"config", yamlmerge.Object().With(key, yamlmerge.Object().With("type", "object").
				With("description", "The Django project.").With("default", app)))
}

// key puts a key of app into its place.
func (i *initializer) key(app *yamlmerge.Value, k check.Key) {
	in, name := app, k.Name
	if parent, child, nested := strings.Cut(k.Name, "."); nested {
		in, name = app.At(parent), child
	}
	switch value := k.Value.(type) {
	case int:
		in.With(name, yamlmerge.Plain(value, from(k)))
	case []string:
		if k.Items == nil {
			in.With(name, yamlmerge.List(value, from(k)))
			return
		}
		list := yamlmerge.Lines()
		for n, w := range value {
			list.Add("", yamlmerge.Text(w, from(k.Items[n])))
		}
		in.With(name, list)
	default:
		in.With(name, yamlmerge.Text(fmt.Sprint(value), from(k)))
	}
}

// sizes are the settings of the stacks that init writes, which differ as a team's stacks do.
var sizes = map[string]func(web, config *yamlmerge.Value, project string){
	operation.DefaultStack: func(web, config *yamlmerge.Value, project string) {
		web.With("max", 2)
		config.With(project+":network", yamlmerge.Object().With("nat", "single"))
	},
	"dev": func(web, config *yamlmerge.Value, project string) {
		web.With("cpu", 256).With("memory", 512).With("max", 2).With("spot", 100)
		config.With(project+":network", yamlmerge.Object().With("nat", "single")).
			With(project+":database", yamlmerge.Object().With("class", "db.t4g.micro").With("storage", 20).
				With("backupDays", 1)).
			With(project+":logs", yamlmerge.Object().With("days", 7).With("archiveDays", 30))
	},
	"staging": func(web, config *yamlmerge.Value, project string) {
		web.With("cpu", 512).With("memory", 1024).With("max", 4).With("spot", 50)
		config.With(project+":network", yamlmerge.Object().With("nat", "single")).
			With(project+":database", yamlmerge.Object().With("class", "db.t4g.small").With("backupDays", 7))
	},
	"prod": func(web, config *yamlmerge.Value, project string) {
		web.With("cpu", 1024).With("memory", 2048).With("min", 2).With("max", 10)
		config.With(project+":protect", yamlmerge.Plain(true, "# data and keys cannot be deleted")).
			With(project+":network", yamlmerge.Object().With("zones", 3).With("nat", "perZone")).
			With(project+":database", yamlmerge.Object().With("class", "db.m7g.large").With("storage", 100).
				With("multiAz", true).With("backupDays", 14)).
			With(project+":alarms", yamlmerge.Object().With("email", yamlmerge.Text("alarms@example.com", "# FILL IN: who receives alarms")))
	},
}

// abouts are the first lines of the stacks' files.
var abouts = map[string]string{
	operation.DefaultStack: "The default stack: `slipway up` rehearses it in the built-in model of AWS.",
	"dev":                  "Small and cheap, about $90 a month: one NAT gateway, one task on Spot, one key.",
	"staging":              "Like prod, but smaller.",
	"prod":                 "Production: protected, three availability zones with a NAT gateway each, a standby database, at least two tasks.",
}

// stackTree is Pulumi.<stack>.yaml.
func (i *initializer) stackTree(stack string) *yamlmerge.Value {
	project, config, web := i.out.Project, yamlmerge.Object(), yamlmerge.Object()
	config.With("aws:region", "us-east-1")
	if version.Number != "" {
		config.With(project+":version", yamlmerge.Text(version.Number, "# of slipway; an older one refuses the stack"))
	}
	i.domain(config, stack)
	if stack == operation.DefaultStack || stack == "dev" {
		config.With(project+":keys", "shared")
	}
	if h := i.found.Health; h != nil {
		web.With("healthPath", yamlmerge.Text(h.Value.(string), from(*h)))
	}
	size, known := sizes[stack]
	if !known {
		size = sizes["staging"]
	}
	size(web, config, project)
	config.With(project+":web", web)
	if c := i.found.Cache; c != nil {
		node := yamlmerge.Object().With("node", yamlmerge.Text(fmt.Sprint(c.Value), from(*c)))
		if stack == "prod" {
			node.With("replicas", yamlmerge.Plain(1, "# fails over to another zone"))
		}
		config.With(project+":cache", node)
	}
	config.With(project+":workers", i.workers())
	i.secrets(config, stack)
	about := abouts[stack]
	if about == "" {
		about = "The stack " + stack + "."
	}
	return yamlmerge.Object().Below("# "+about, "config", config)
}

// domain sets the domain of stacks that need one.
func (i *initializer) domain(config *yamlmerge.Value, stack string) {
	r := i.found.Redirects
	if r == nil && stack != "prod" {
		return
	}
	why, zone := "# FILL IN: the host name of the site", "# FILL IN: the hosted zone in Route 53 that contains it"
	if stack == operation.DefaultStack {
		why, zone = "# a stand-in for rehearsals", "# the same"
	}
	if r != nil {
		why += fmt.Sprintf("; the site redirects to https (%s:%d)", r.File, r.Line)
	}
	name := stack + ".example.com"
	if stack == "prod" {
		name = "www.example.com"
	}
	config.With(i.out.Project+":domain", yamlmerge.Text(name, why)).
		With(i.out.Project+":zone", yamlmerge.Text("example.com", zone))
}

// workers are the processes beside the web service.
func (i *initializer) workers() *yamlmerge.Value {
	if len(i.found.Processes) == 0 {
		return nil
	}
	list := yamlmerge.Lines()
	for _, p := range i.found.Processes {
		at := from(check.Key{File: p.File, Line: p.Line, Note: p.Note})
		one := yamlmerge.Object().With("name", yamlmerge.Text(p.Name, at)).With("command", yamlmerge.List(p.Command, ""))
		if p.Single {
			one.With("single", yamlmerge.Plain(true, "# never two at once"))
		}
		list.Add(p.Name, one)
	}
	return list
}

// secrets gives a stack stand-ins, so that a rehearsal knows their names. A deployment refuses them until they have values.
func (i *initializer) secrets(config *yamlmerge.Value, stack string) {
	if len(i.found.Secrets) == 0 {
		return
	}
	all := yamlmerge.Object()
	for _, k := range i.found.Secrets {
		all.With(k.Name, yamlmerge.Object().With("secure", yamlmerge.Text(operation.StandIn, from(k))))
	}
	what := "# Without values, which a rehearsal does not need. After the bootstrap: slipway secret set NAME --stack " + stack + " --live"
	if stack == operation.DefaultStack {
		what = "# Without values, which a rehearsal does not need. For containers of this machine: slipway secret set NAME"
	}
	config.Below(what, i.out.Project+":secrets", all)
}
