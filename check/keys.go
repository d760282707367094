package check

import (
	"path"
	"regexp"
	"slices"
)

// An App is what the stack's configuration says under app.* and database.role. The zero value says nothing: a check then finds what it
// can, and takes the defaults for the rest.
type App struct {
	Path       string // Django's folder, from the folder that is checked; "" finds it
	Context    string // from the folder that is checked; "" finds it
	Dockerfile string // from the folder that is checked; "" finds it, or one is generated
	Target     string // stage; "" is the last one
	Args       map[string]string
	Settings   string // DJANGO_SETTINGS_MODULE; "" is what the image or manage.py says
	Manage     []string
	Overlay    []string          // settings that Slipway replaces
	Env        map[string]string // templates by name
	Entrypoint []string          // nil: the image's; empty: none
	Command    []string          // nil: the image's
	Port       int               // 0: the default
	Writable   []string          // absolute paths
	Packages   []string          // that a generated Dockerfile also installs
	Static     Static
	OwnerRole  bool // database.role: the app connects as the owner
	// Own says that the project is the stack's own. Without it, what only a key of app.* would have to say is a warning.
	Own bool
}

// Static says how static files are served.
type Static struct {
	Serve string // nginx or app; "" is nginx
	URL   string // "" is /static/
}

const (
	defaultPort   = 8000
	defaultStatic = "/static/"
)

func (a App) port() int {
	if a.Port == 0 {
		return defaultPort
	}
	return a.Port
}

// replaces reports whether Slipway replaces a setting.
func (a App) replaces(setting string) bool { return slices.Contains(a.Overlay, setting) }

// writes reports whether the app may write to a path of the image.
func (a App) writes(at string) bool {
	for _, w := range append([]string{"/tmp", "/dev"}, a.Writable...) {
		if _, in := under(path.Clean(w), path.Clean(at)); in {
			return true
		}
	}
	return false
}

// Placeholder is the value of a variable that only the user can give.
const Placeholder = "change-me"

// A kind is a sort of variables that Slipway has a value for.
type kind struct {
	name  *regexp.Regexp
	value string
}

const databaseWords = `(DB|DATABASE|POSTGRES|POSTGRESQL|POSTGIS|PG|PSQL|RDS|SQL)`

// kinds are tried in this order.
var kinds = []kind{
	{regexp.MustCompile(`(^|_)(DB|DATABASE|POSTGRES|POSTGRESQL|PG)_?(URL|URI|DSN)$`), "{db.url}"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `_ENGINE$`), "django.db.backends.postgresql"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `(_\w+)?_?(HOST|HOSTNAME|SERVER|ADDRESS|ADDR|ENDPOINT)$`), "{db.host}"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `(_\w+)?_?PORT$`), "{db.port}"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `(_\w+)?_?(USER|USERNAME|LOGIN)$`), "{db.user}"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `(_\w+)?_?(PASSWORD|PASS|PASSWD|PWD)$`), "{db.password}"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `(_\w+)?_?SSL_?MODE$`), "{db.sslmode}"},
	{regexp.MustCompile(`(^|_)` + databaseWords + `(_\w+)?_?(NAME|DB|DATABASE|DBNAME)$`), "{db.name}"},
	{regexp.MustCompile(`^(DJANGO_|SITE_|APP_)?(SECRET_?KEY|KEY)$|(^|_)DJANGO_SECRET(_KEY)?$|_SECRET_KEY_BASE$|^SECRET_KEY_BASE$`), "{key}"},
	{regexp.MustCompile(`(^|_)(ALLOWED_)?HOSTS$`), "{hosts}"},
	{regexp.MustCompile(`(^|_)((ALLOWED|SITE|WEB|PUBLIC)_HOST|HOST_NAME|SERVER_NAME|SITE_DOMAIN)$` +
		`|^((DJANGO|APP|WEB|PUBLIC)_)?DOMAIN(_NAME)?$`), "{host}"},
	{regexp.MustCompile(`(^|_)(CSRF_TRUSTED_|TRUSTED_|ALLOWED_)ORIGINS?$`), "{origins}"},
	{regexp.MustCompile(`(^|_)(SITE|BASE|PUBLIC|SERVER|EXTERNAL|ROOT|WEBSITE)_UR[LI]$`), "{url}"},
	{regexp.MustCompile(`(^|_)(S3|AWS|STORAGE|MEDIA|BUCKET)\w*BUCKET(_NAME)?$|^BUCKET(_NAME)?$|_BUCKET_NAME$`), "{bucket}"},
	{regexp.MustCompile(`(^|_)(AWS|S3)\w*_REGION(_NAME)?$|^AWS_DEFAULT_REGION$`), "{region}"},
	{regexp.MustCompile(`SSL_REDIRECT$|(^|_)(USE_|FORCE_)?(HTTPS|SSL)$`), "{https}"},
}
