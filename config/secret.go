package config

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// marks are patterns of well-known kinds of secrets.
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
	{"a URL with a password", regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@`)},
	{"a generated Django key", regexp.MustCompile(`django-insecure-`)},
}

// secretText is the kind of secret that a string looks like, or "".
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

// secretName reports whether a setting with this name is a secret: DB_PASSWORD or API_KEY, but not STRIPE_PUBLISHABLE_KEY.
func secretName(name string) bool {
	return secretForm.MatchString(name) && !publicForm.MatchString(name)
}

// printable reports whether a string is valid UTF-8 and prints on one line.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
