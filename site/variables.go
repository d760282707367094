package site

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/config"
	"slipway/datastore"
)

// The database roles, as parts of parameters' names.
const (
	asSite  = "site"
	asOwner = "owner"
)

// gunicornArgs is the one variable of Slipway's that app.env may replace. gunicorn's workers write to a file each second, which
// must be in memory (gunicorn's FAQ, "How do I avoid Gunicorn excessively blocking in os.fchmod?"). Other servers ignore it.
const gunicornArgs = "GUNICORN_CMD_ARGS"

// fixedEnv are variables that every container of the app has, with the same values everywhere.
var fixedEnv = map[string]string{
	"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
	"UV_NO_SYNC": "1", // uv run would change the image's packages, on a disk that is read-only
	"PGSSLMODE":  datastore.SSLMode, "PGSSLROOTCERT": datastore.CABundle,
}

// reserved are the variables that the configuration cannot set, beside AWS's and those that begin with SLIPWAY_.
var reserved = append(slices.Sorted(maps.Keys(fixedEnv)), "DJANGO_SETTINGS_MODULE", "PORT")

// role is the database role of the site's tasks.
func role(stack *config.Stack) string {
	if stack.Database.Role == "owner" {
		return asOwner
	}
	return asSite
}

// templates are those of app.env. config has checked them.
func templates(stack *config.Stack) map[string]config.Template {
	all := map[string]config.Template{}
	for name, value := range stack.App.Env {
		all[name], _ = config.ParseTemplate(value)
	}
	return all
}

// words is a list of words, or of lists of words, as JSON.
func words(list any) pulumi.String {
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // a list of strings can be written
	}
	return pulumi.String(text)
}
