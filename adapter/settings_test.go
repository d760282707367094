package adapter

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// python3 is one that runs; with a module of the given name if that is not "".
func python3(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "pass").Run() == nil {
			return name
		}
	}
	t.Skip("python3 is not installed")
	return ""
}

// settings imports slipway_settings beside a project's module and returns what it says, in JSON.
func settings(t *testing.T, project, django string, env map[string]string) (map[string]any, string) {
	t.Helper()
	folder := tree(t, map[string]string{
		"project/shop/__init__.py": "", "project/shop/settings.py": project, "slipway_settings.py": overlay,
		"django/__init__.py": "VERSION = " + django + "\n", // only its version counts
	})
	const dump = "import json, slipway_settings as s; print(json.dumps({n: getattr(s, n) for n in dir(s) if n.isupper()}))"
	cmd := exec.Command(python3(t), "-c", dump)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PYTHONPATH="+folder+string(os.PathListSeparator)+filepath.Join(folder, "project"),
		"PYTHONDONTWRITEBYTECODE=1", "SLIPWAY_SETTINGS=shop.settings")
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return nil, words.String()
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got, ""
}

var database = map[string]string{
	"SLIPWAY_DB_HOST": "db", "SLIPWAY_DB_PORT": "5432", "SLIPWAY_DB_NAME": "app", "SLIPWAY_DB_USER": "site", "SLIPWAY_DB_PASSWORD": "p",
}

func TestOverlayReplacesOnlyWhatIsNamed(t *testing.T) {
	const project = `
DEBUG = True
SECRET_KEY = 'literal'
ALLOWED_HOSTS = ['localhost']
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}, 'other': {'NAME': 'x'}}
OWN = {'a': 1}
lower = 'not a setting'
`
	got, words := settings(t, project, "(5, 2)", nil)
	want := map[string]any{
		"DEBUG": true, "SECRET_KEY": "literal", "ALLOWED_HOSTS": []any{"localhost"}, "OWN": map[string]any{"a": 1.0},
		"DATABASES": map[string]any{
			"default": map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}, "other": map[string]any{"NAME": "x"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("nothing replaced (-want +got):\n%s%s", diff, words)
	}
	env := map[string]string{
		"SLIPWAY_OVERLAY":    "DATABASES,SECRET_KEY,DEBUG,ALLOWED_HOSTS,CSRF_TRUSTED_ORIGINS,STATIC_ROOT,SECURE_PROXY_SSL_HEADER",
		"SLIPWAY_SECRET_KEY": "key", "SLIPWAY_HOSTS": "shop.example.com,127.0.0.1", "SLIPWAY_ORIGINS": "https://shop.example.com",
	}
	for name, value := range database {
		env[name] = value
	}
	got, words = settings(t, project, "(5, 2)", env)
	want["DEBUG"], want["SECRET_KEY"], want["ALLOWED_HOSTS"] = false, "key", []any{"shop.example.com", "127.0.0.1"}
	want["CSRF_TRUSTED_ORIGINS"], want["STATIC_ROOT"] = []any{"https://shop.example.com"}, "/opt/slipway/static"
	want["SECURE_PROXY_SSL_HEADER"] = []any{"HTTP_X_FORWARDED_PROTO", "https"}
	want["DATABASES"].(map[string]any)["default"] = map[string]any{
		"ENGINE": "django.db.backends.postgresql", "HOST": "db", "PORT": "5432", "NAME": "app", "USER": "site", "PASSWORD": "p",
		"OPTIONS": map[string]any{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replaced (-want +got):\n%s%s", diff, words)
	}
	if got, _ := settings(t, project, "(5, 2)", map[string]string{"SLIPWAY_OVERLAY": "STATIC_ROOT",
		"SLIPWAY_STATIC_ROOT": "/srv/static"}); got["STATIC_ROOT"] !=
		"/srv/static" {
		t.Errorf("collected into %v", got["STATIC_ROOT"])
	}
}

func TestOverlayKeepsWhatTheProjectSaysAboutPostgres(t *testing.T) {
	const project = `
DATABASES = {'default': {'ENGINE': 'django.contrib.gis.db.backends.postgis', 'CONN_MAX_AGE': 60, 'HOST': 'localhost',
    'OPTIONS': {'sslmode': 'disable', 'service': 'x', 'application_name': 'shop'}}}
`
	env := map[string]string{"SLIPWAY_OVERLAY": "DATABASES"}
	for name, value := range database {
		env[name] = value
	}
	got, words := settings(t, project, "(5, 2)", env)
	want := map[string]any{"DATABASES": map[string]any{"default": map[string]any{
		"ENGINE": "django.contrib.gis.db.backends.postgis", "CONN_MAX_AGE": 60.0, "HOST": "db", "PORT": "5432", "NAME": "app", "USER": "site",
		"PASSWORD": "p", "OPTIONS": map[string]any{"application_name": "shop"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s%s", diff, words)
	}
}

func TestOverlayPutsUploadsIntoTheBucket(t *testing.T) {
	env := map[string]string{"SLIPWAY_OVERLAY": "MEDIA", "SLIPWAY_BUCKET": "media", "AWS_REGION": "eu-west-1"}
	bucket := map[string]any{"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": map[string]any{
		"bucket_name": "media", "region_name": "eu-west-1", "default_acl": nil, "file_overwrite": false,
		"signature_version": "s3v4", "addressing_style": "virtual", "querystring_auth": true, "custom_domain": nil,
		"access_key": nil, "secret_key": nil,
	}}
	static := func(name string) map[string]any { return map[string]any{"BACKEND": name} }
	for _, c := range []struct {
		name, project, django string
		want                  map[string]any
	}{
		{"Django's defaults", "", "(5, 2)",
			map[string]any{"STORAGES": map[string]any{"default": bucket,
				"staticfiles": static("django.contrib.staticfiles.storage.StaticFilesStorage")}}},
		{"the old names", "DEFAULT_FILE_STORAGE = 'a'\nSTATICFILES_STORAGE = 'whitenoise.x'\n", "(4, 2)",
			map[string]any{"STORAGES": map[string]any{"default": bucket, "staticfiles": static("whitenoise.x")}}},
		{"storages of its own", "STORAGES = {'default': {'BACKEND': 'a'}, 'staticfiles': {'BACKEND': 'b'}, 'more': {'BACKEND': 'c'}}\n", "(5, 2)",
			map[string]any{"STORAGES": map[string]any{"default": bucket, "staticfiles": static("b"), "more": static("c")}}},
		{"an old Django", "STATICFILES_STORAGE = 'x'\n", "(3, 2)", map[string]any{
			"STATICFILES_STORAGE": "x", "DEFAULT_FILE_STORAGE": "storages.backends.s3boto3.S3Boto3Storage", "AWS_STORAGE_BUCKET_NAME": "media",
			"AWS_S3_REGION_NAME": "eu-west-1", "AWS_DEFAULT_ACL": nil, "AWS_S3_FILE_OVERWRITE": false,
			"AWS_S3_SIGNATURE_VERSION": "s3v4", "AWS_S3_ADDRESSING_STYLE": "virtual",
			"AWS_QUERYSTRING_AUTH": true, "AWS_S3_CUSTOM_DOMAIN": nil,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, words := settings(t, c.project, c.django, env)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, words)
			}
		})
	}
}

func TestOverlayMistakesAreNamed(t *testing.T) {
	if _, words := settings(t, "", "(5, 2)", map[string]string{"SLIPWAY_OVERLAY": "CACHES"}); !strings.Contains(words,
		"does not replace the setting CACHES") {
		t.Errorf("got %s", words)
	}
	if _, words := settings(t, "import nothing_of_this_name", "(5, 2)", nil); !strings.Contains(words, "nothing_of_this_name") {
		t.Errorf("a mistake of the project's own: %s", words)
	}
	if _, words := settings(t, "", "(5, 2)", map[string]string{"SLIPWAY_OVERLAY": "SECRET_KEY"}); !strings.Contains(words,
		"SLIPWAY_SECRET_KEY") {
		t.Errorf("a missing value: %s", words)
	}
	// Both sides know the same settings.
	for _, name := range overlaySettings {
		if !strings.Contains(overlay, `"`+name+`": lambda`) {
			t.Errorf("slipway_settings.py does not replace %s", name)
		}
	}
}
