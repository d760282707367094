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
	"os"
	"strings"
)

type command struct {
	name string
	run  func(*invocation, *flag.FlagSet, []string) error
}

var commands = []command{
	{"whoami", whoami}, {"install", install}, {"collect", collect}, {"health", health}, {"migrate", migrate}, {"nginx", nginx},
	{"doctor", doctor},
}

func main() {
	os.Exit(run(&invocation{os.Stdout, os.Stderr, currentEnvironment()}, os.Args[1:]))
}

func run(i *invocation, args []string) int {
	var names []string
	for _, c := range commands {
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
