// Helper is the one program that Slipway adds to the images of a Django project, as /opt/slipway/helper. It is static and needs
// neither a shell nor Python, so that it runs in any image. Subcommands:
//
//	whoami    notes the image's user while the image is built; runs as that user
//	install   makes the user slipway, the writable paths and the folders of ECS Exec while the image is built; runs as root
//	collect   collects the static files in the build of the nginx image
//	health    asks the app or nginx whether it responds: the health check of a container
//	migrate   runs the project's migrations once per release, then maintains the lesser database role
//	nginx     publishes the static files of this release, serves those of earlier ones, and runs nginx
//	doctor    says why the app cannot reach its database
//
// Exit codes: 0 if all went well, 1 if not, 2 for wrong usage or a wrong environment, and for migrate 3 if the limit was reached,
// 4 if another migration kept the lock, 143 if SIGTERM stopped it. nginx exits with the code of nginx.
//
// # Environment
//
// health sends SLIPWAY_HOST as the Host.
//
// migrate reads
//
//	SLIPWAY_MANAGE         what stands for manage.py, a JSON list; ["python", "manage.py"]
//	SLIPWAY_MIGRATE        the arguments of each command, a JSON list of lists; [["migrate", "--noinput"]]
//	SLIPWAY_MIGRATE_LIMIT  seconds from the start of the helper until it ends the commands; 900
//	SLIPWAY_DB_HOST, SLIPWAY_DB_PORT, SLIPWAY_DB_NAME
//	SLIPWAY_DB_OWNER, SLIPWAY_DB_OWNER_PASSWORD  the owner of the database
//	SLIPWAY_DB_ROLE, SLIPWAY_DB_ROLE_PASSWORD    the role that the app logs in as; both empty if that is the owner
//	PGSSLMODE, PGSSLROOTCERT                     as libpq
//
// The commands do not see the two passwords under these names. They get PGOPTIONS with a lock_timeout of 15 s and no
// statement_timeout; libpq ignores PGOPTIONS if the settings have an OPTIONS["options"] of their own.
//
// nginx reads SLIPWAY_STATIC_BUCKET (empty: neither publishes nor serves), AWS_REGION, AWS_ENDPOINT_URL_S3,
// AWS's usual credentials, and every SLIPWAY_ variable that the template names.
//
// collect reads SLIPWAY_MANAGE, DJANGO_SETTINGS_MODULE, SLIPWAY_SETTINGS and SLIPWAY_OVERLAY, and sets the last three and
// SLIPWAY_STATIC_ROOT for the project's commands.
//
// doctor reads SLIPWAY_DB_HOST, SLIPWAY_DB_PORT, SLIPWAY_DB_NAME, SLIPWAY_DB_USER and SLIPWAY_DB_PASSWORD, or what migrate reads.
// Without them it takes the first variable that holds a postgres:// URL, and without one it asks Django. SLIPWAY_MANAGE as above.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Exit codes.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitLimit   = 3
	exitLocked  = 4
	exitStopped = 143
)

// A failure ends the program with a code. Text may be empty if everything was said already.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func usage(format string, args ...any) error {
	return &failure{exitUsage, fmt.Sprintf(format, args...)}
}

// An invocation is one run of the program.
type invocation struct {
	out, err io.Writer
	env      environment
}

// An environment is the environment variables of the process.
type environment map[string]string

func currentEnvironment() environment {
	env := environment{}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	return env
}

// list is the environment in the form of os/exec, without the names in without.
func (e environment) list(without ...string) []string {
	var lines []string
	for name, value := range e {
		if !slices.Contains(without, name) {
			lines = append(lines, name+"="+value)
		}
	}
	slices.Sort(lines)
	return lines
}

func (e environment) or(name, instead string) string {
	if value := e[name]; value != "" {
		return value
	}
	return instead
}

type command struct {
	name string
	run  func(*invocation, *flag.FlagSet, []string) error
}

// commands is a function because doctor and migrate print their own help through it.
func commands() []command {
	return []command{
		{"whoami", whoami}, {"install", install}, {"collect", collect}, {"health", health},
		{"migrate", migrate}, {"nginx", nginx}, {"doctor", doctor},
	}
}

func main() {
	os.Exit(run(&invocation{os.Stdout, os.Stderr, currentEnvironment()}, os.Args[1:]))
}

func run(i *invocation, args []string) int {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
		if len(args) == 0 || args[0] != c.name {
			continue
		}
		flags := flag.NewFlagSet("helper "+c.name, flag.ContinueOnError)
		flags.SetOutput(i.err)
		return exitCode(i, c.name, c.run(i, flags, args[1:]))
	}
	fmt.Fprintf(i.err, "usage: helper %s [flags]\n", strings.Join(names, "|"))
	return exitUsage
}

func exitCode(i *invocation, name string, err error) int {
	var f *failure
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case !errors.As(err, &f):
		f = &failure{exitFailed, err.Error()}
	}
	if f.text != "" {
		fmt.Fprintf(i.err, "helper %s: %s\n", name, f.text)
	}
	return f.code
}

// parse parses flags; a mistake is a failure with exit code 2, which the flag package has printed already.
func parse(flags *flag.FlagSet, args []string, positional int) error {
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return &failure{code: exitUsage}
	}
	if flags.NArg() > positional {
		return usage("unexpected argument %q", flags.Arg(positional))
	}
	return nil
}

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, " ") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }
