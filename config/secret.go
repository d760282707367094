package config

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// marks are forms by which a secret in plain text gives itself away.
var marks = []struct {
	what string
	form *regexp.Regexp
}{
	{"an AWS access key", regexp.MustCompile(`(AKIA|ASIA)[A-Z0-9]{16}`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`)},
	{"a GitHub token", regexp.MustCompile(`\b(gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{"a Stripe key", regexp.MustCompile(`\b[rs]k_(live|test)_[A-Za-z0-9]{16,}`)},
	{"a JSON web token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.`)},
	{"an address with a password", regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@`)},
	{"a key of Django's own making", regexp.MustCompile(`django-insecure-`)},
}

// secretText says which kind of secret a text looks like, or "".
func secretText(s string) string {
	for _, m := range marks {
		if m.form.MatchString(s) {
			return m.what
		}
	}
	return ""
}

var (
	secretForm = regexp.MustCompile(`(?i)(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|KEY|CREDENTIALS?|APIKEY)$`)
	publicForm = regexp.MustCompile(`(?i)(PUBLIC|PUBLISHABLE)`)
)

// secretName says that a setting of this name holds a secret: DB_PASSWORD, API_KEY, but not STRIPE_PUBLISHABLE_KEY.
func secretName(name string) bool {
	return secretForm.MatchString(name) && !publicForm.MatchString(name)
}

// printable says that a text can stand on one line of anything.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
