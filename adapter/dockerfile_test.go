package adapter

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// someApp is an app without anything in particular.
func someApp() App {
	return App{Path: "app", Context: "app", Platform: "linux/arm64", Region: "us-east-1", NginxBase: "nginx:1",
		Manage: []string{"python", "manage.py"},
		Static: Static{Serve: "nginx", URL: "/static/", Commands: [][]string{{"collectstatic", "--noinput"}}}}
}

// A built Dockerfile is read as BuildKit does before it builds.
func stagesOf(t *testing.T, text string) []instructions.Stage {
	t.Helper()
	read, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	stages, _, err := instructions.Parse(read.AST, linter.New(&linter.Config{}))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return stages
}

// after is the project's part of the text and the stage that Slipway's first stage begins with.
func after(t *testing.T, text, django string) (base string) {
	t.Helper()
	stages := stagesOf(t, text)
	at, ok := instructions.HasStage(stages, django)
	if !ok {
		t.Fatalf("there is no stage %s in\n%s", django, text)
	}
	layer, ok := instructions.HasStage(stages[:at], stages[at].BaseName)
	if !ok {
		t.Fatalf("%s begins with %s", django, stages[at].BaseName)
	}
	return stages[layer].BaseName
}

func TestStagesAreAddedToAnyDockerfile(t *testing.T) {
	for _, c := range []struct {
		name, project, target string
		args                  map[string]string
		base                  string // what the layer begins with
		keeps                 string // how the text begins
		root                  bool
	}{
		{"one stage without a name", "FROM python:3.13\nCOPY . .\nCMD [\"x\"]\n", "", nil,
			"slipway-project", "FROM python:3.13 AS slipway-project\nCOPY . .\nCMD [\"x\"]\n", true},
		{"no line break at the end", "FROM python:3.13 AS app\nUSER 1000", "", nil, "app", "FROM python:3.13 AS app\nUSER 1000\n", false},
		{"a target before the last stage", "FROM python AS release\nUSER app\nFROM release AS tests\nUSER root\n", "release", nil,
			"release", "FROM python AS release\nUSER app\n\n", false},
		{"a target in other letters", "FROM python AS Release\nFROM scratch\n", "RELEASE", nil, "release", "FROM python AS Release\n\n", true},
		{"a target by number", "FROM python\nFROM scratch AS last\n", "0", nil,
			"slipway-project", "FROM python AS slipway-project\n\n", true},
		{"two stages of a name, the first of them", "FROM a AS app\nUSER web\nFROM b AS app\nRUN x\n", "0", nil, "app",
			"FROM a AS app\nUSER web\n\n", false},
		{"two stages of a name", "FROM a AS app\nUSER web\nFROM b AS app\nRUN x\n", "app", nil, "app", "FROM a AS app\nUSER web\nFROM b", true},
		{"our name is one of a later stage", "FROM a\nFROM b AS slipway-project\n", "0", nil, "slipway-project",
			"FROM a AS slipway-project\n\n", true},
		{"a name that is a number in the list comes first", "FROM python AS a\nFROM scratch AS b\n", "b", nil, "b", "FROM python AS a\n", true},
		{"a syntax line and an ARG", "# syntax=docker/dockerfile:1.7-labs\nARG PY=3.13\nFROM python:${PY}\nRUN --security=insecure x\n", "", nil,
			"slipway-project", "# syntax=docker/dockerfile:1.7-labs\nARG PY=3.13\nFROM python:${PY} AS slipway-project\n", true},
		{"our names are taken", "FROM a AS slipway-project\nFROM b AS slipway-layer\nFROM c AS slipway-django\nFROM d AS slipway-nginx\n" +
			"FROM e AS slipway-static\nFROM f\n", "", nil, "slipway-project-2", "FROM a AS slipway-project\n", true},
		{"Windows line endings", "FROM python \\\r\n  AS app\r\nRUN a \\\r\n  b\r\nUSER web\r\n", "", nil, "app", "FROM python \\\r\n", false},
		{"Windows line endings without a name", "FROM \\\r\n  python\r\nUSER web\r\n", "", nil,
			"slipway-project", "FROM   python AS slipway-project\r\n\r\nUSER web\r\n", false},
		{"a byte order mark", "\ufeffFROM python\nUSER web\n", "", nil, "slipway-project", "FROM python AS slipway-project\nUSER web\n", false},
		{"another escape character", "# escape=`\nFROM python:3 `\n  AS app\nRUN dir C:\\\n", "", nil, "app", "# escape=`\nFROM python:3 `\n",
			true},
		{"a comment in a continued FROM", "FROM --platform=linux/arm64 \\\n# why\n\n  python\nUSER web\n", "", nil, "slipway-project",
			"FROM --platform=linux/arm64   python AS slipway-project\n\n\n\nUSER web\n", false},
		{"a heredoc with a FROM in it", "FROM python\nRUN <<EOF\nFROM evil AS evil\nUSER evil\nEOF\n", "", nil, "slipway-project",
			"FROM python AS slipway-project\nRUN <<EOF\nFROM evil AS evil\n", true},
		{"a heredoc at the end", "FROM python AS app\nCOPY <<\"A\" <<B /\na\nA\nFROM b\nB", "", nil, "app",
			"FROM python AS app\nCOPY <<\"A\" <<B /\n", true},
		{"a continuation at the end", "FROM python AS app\nCMD a \\\n  b \\\n", "", nil, "app", "FROM python AS app\nCMD a   b \n", true},
		{"a continuation and a comment at the end", "FROM python AS app\nRUN a \\\n# done\n", "", nil, "app", "FROM python AS app\nRUN a \n",
			true},
		{"a FROM that is a stage with a user", "FROM python AS base\nUSER web\nFROM base\nCMD x\n", "", nil,
			"slipway-project", "FROM python AS base\nUSER web\nFROM base AS slipway-project\n", false},
		{"a FROM that an argument chooses", "ARG E=dev\nFROM a AS dev\nUSER root\nFROM a AS prod\nUSER web\nFROM ${E} AS app\n", "",
			map[string]string{"E": "prod"}, "app", "ARG E=dev\n", false},
		{"its default", "ARG E=dev\nFROM a AS dev\nUSER root\nFROM a AS prod\nUSER web\nFROM $E AS app\n", "", nil, "app", "ARG E=dev\n", true},
		{"a user and root again", "FROM a\nUSER web\nRUN x\nUSER 0:0\n", "", nil, "slipway-project", "FROM a AS slipway-project\n", true},
		{"a user from an argument", "FROM a\nARG UID=1000\nUSER ${UID}\n", "", nil, "slipway-project", "FROM a AS slipway-project\n", false},
		{"small letters", "from python as app\nuser web\n", "", nil, "app", "from python as app\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := someApp()
			a.Target, a.Args = c.target, c.args
			got, err := a.stages(c.project, "Dockerfile")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(got.text, c.keeps) {
				t.Errorf("the text begins\n%q\nwant\n%q", got.text[:min(len(got.text), len(c.keeps)+40)], c.keeps)
			}
			if strings.Contains(c.project, "--security") { // this parser does not know it, and the syntax line's does
				got.text = strings.Replace(got.text, "--security=insecure ", "", 1)
			}
			if base := after(t, got.text, got.django); base != c.base {
				t.Errorf("the layer begins with %s, want %s", base, c.base)
			}
			stages := stagesOf(t, got.text)
			if _, ok := instructions.HasStage(stages, got.nginx); !ok {
				t.Errorf("there is no stage %s", got.nginx)
			}
			if len(stages) < 5 || stages[len(stages)-5].Name != c.base {
				t.Errorf("not four stages follow %s:\n%s", c.base, got.text)
			}
			if root := strings.Contains(got.text, "ENV HOME=/tmp USER=slipway LOGNAME=slipway"); root != c.root {
				t.Errorf("the image is root's: %t, want %t", root, c.root)
			}
		})
	}
}

// A line of Docker's message about the project's own Dockerfile is the line in the project.
func TestLinesKeepTheirNumbers(t *testing.T) {
	const project = "FROM --platform=linux/arm64 \\\n  python:3.13\n\nRUN line four\nFROM scratch\n"
	got, err := someApp().stages(project, "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(got.text, "\n"); lines[3] != "RUN line four" {
		t.Errorf("line 4 is %q", lines[3])
	}
	a := someApp()
	a.Target = "0"
	if got, err = a.stages(project, "Dockerfile"); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(got.text, "\n"); lines[3] != "RUN line four" || !strings.HasSuffix(lines[0], " AS slipway-project") {
		t.Errorf("lines 1 and 4 are %q, %q", lines[0], lines[3])
	}
}

func TestDockerfilesThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct{ name, project, target, want string }{
		{"nothing", "", "", "it cannot be parsed: file with no instructions"},
		{"no FROM", "RUN x\n", "", "it has no FROM"},
		{"an open heredoc", "FROM a\nRUN <<EOF\nx\n", "", "it cannot be parsed"},
		{"no such target", "FROM a AS build\nFROM b AS release\n", "prod", `app.target: there is no stage "prod"; it has build, release`},
		{"no target at all", "FROM a\n", "prod", `app.target: there is no stage "prod"; its stages have no names`},
		{"a number too high", "FROM a\n", "1", `app.target: there is no stage "1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := someApp()
			a.Target = c.target
			if _, err := a.stages(c.project, "Dockerfile"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWhatTheStagesDo(t *testing.T) {
	a := someApp()
	a.Writable, a.Overlay, a.Settings = []string{"/app/media", "/app/with space"}, []string{"DEBUG", "STATIC_ROOT"}, "shop.settings"
	got, err := a.stages("FROM python AS app\nENTRYPOINT [\"x\"]\n", "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, ours, _ := strings.Cut(got.text, "FROM app AS slipway-layer\n")
	const want = `COPY .slipway/helper /opt/slipway/helper
COPY .slipway/user /opt/slipway/user/id
RUN ["/opt/slipway/helper","whoami"]
USER 0:0
RUN ["/opt/slipway/helper","install","--writable=/app/media","--writable=/app/with space"]
COPY .slipway/global-bundle.pem /etc/ssl/rds/global-bundle.pem
COPY .slipway/slipway_settings.py /opt/slipway/python/slipway_settings.py
ENV XDG_RUNTIME_DIR=/tmp
ENV HOME=/tmp USER=slipway LOGNAME=slipway
ENV PYTHONPATH=/opt/slipway/python${PYTHONPATH:+:$PYTHONPATH}

FROM slipway-layer AS slipway-static
ARG SLIPWAY_COLLECT
RUN ["/opt/slipway/helper","collect","--into=/srv/static"]

FROM slipway-layer AS slipway-django
COPY --from=slipway-static /srv/static /opt/slipway/static
VOLUME ["/app/media","/app/with space","/managed-agents","/tmp","/var/lib/amazon/ssm","/var/log/amazon/ssm"]
USER slipway

FROM nginx:1 AS slipway-nginx
`
	if !strings.HasPrefix(ours, want) {
		t.Errorf("got\n%s\nwant\n%s", ours, want)
	}
	for _, stage := range stagesOf(t, got.text)[1:4] {
		for _, command := range stage.Commands {
			if name := command.Name(); name == "ENTRYPOINT" || name == "CMD" || name == "WORKDIR" {
				t.Errorf("%s sets the project's %s", stage.Name, name)
			}
		}
	}
	a.Region = "il-central-1"
	if got, err = a.stages("FROM python AS app\n", "Dockerfile"); err != nil || !strings.Contains(got.text,
		"\nADD --chmod=0644 https://truststore.pki.rds.amazonaws.com/il-central-1/il-central-1-bundle.pem /etc/ssl/rds/global-bundle.pem\n") {
		t.Errorf("a region without certificates: %v\n%s", err, got.text)
	}
}
