package check

import (
	"path"
	"regexp"
	"strings"
)

// What a secret looks like: names of variables and files, and values.

var (
	samples    = regexp.MustCompile(`(?i)(example|sample|template|dist|default|tpl|\.test|\.ci)`)
	envName    = regexp.MustCompile(`^\.env(\..+|rc)?$|^\.?env\.(prod|production|local|live)$|^(prod|production|local|live)\.env$`)
	sharedName = regexp.MustCompile(`(?i)^\.?env\.(shared|dev|devel|development)$`) // committed on purpose, with values of a laptop
	assigned   = regexp.MustCompile(`(?m)^\s*(?:export\s+)?([A-Za-z_]\w*)\s*[=:]\s*["']?([^\s"'#]+)`)
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)
	accessKey  = regexp.MustCompile(`\bAKIA[0-9A-Z]{16}\b`)
	secretName = regexp.MustCompile(`(?i)(SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE_KEY|API_?KEY|ACCESS_KEY|CREDENTIALS?|_KEY$|DATABASE_URL|DSN$)`)
	npmToken   = regexp.MustCompile(`_authToken\s*=\s*[^\s$]`)
	harmless   = regexp.MustCompile(`(?i)^(dummy|build|builder|changeme|change-me|x+|not-?set|none|unset|placeholder|fake|test|` +
		`ignored?|unused|null|""|''|` +
		`true|false|0|1|.*(dummy|placeholder|not-?used|unused|collectstatic|build-?time|buildkey).*)$`)
)

// secretFile says what secret a file contains, "" if none.
func (t *tree) secretFile(file string) string {
	name, lower := path.Base(file), strings.ToLower(path.Base(file))
	switch {
	case envName.MatchString(lower) && !samples.MatchString(lower):
		for _, m := range assigned.FindAllStringSubmatch(t.text(file), -1) {
			if secretName.MatchString(m[1]) && !harmless.MatchString(m[2]) {
				return "variables with secrets, such as " + m[1]
			}
		}
	case strings.HasSuffix(lower, ".pem"), strings.HasSuffix(lower, ".key"), strings.HasPrefix(lower, "id_rsa"),
		strings.HasPrefix(lower, "id_ed25519"),
		strings.HasPrefix(lower, "id_ecdsa"):
		if privateKey.MatchString(t.text(file)) {
			return "a private key"
		}
	case lower == "credentials" && path.Base(path.Dir(file)) == ".aws", lower == "rootkey.csv", lower == "accesskeys.csv":
		if accessKey.MatchString(t.text(file)) {
			return "AWS access keys"
		}
	case lower == ".npmrc":
		if npmToken.MatchString(t.text(file)) {
			return "a token of a registry"
		}
	case name == ".netrc", name == ".pypirc", name == ".git-credentials", name == ".pgpass", name == ".htpasswd":
		if strings.TrimSpace(t.text(file)) != "" && strings.ContainsAny(t.text(file), ":=") || strings.Contains(t.text(file), "password") {
			return "a password"
		}
	case strings.HasSuffix(lower, ".tfstate"), strings.HasSuffix(lower, ".tfstate.backup"):
		return "a state of Terraform, with all its secrets"
	case strings.HasSuffix(lower, ".json") && (strings.Contains(lower, "service") || strings.Contains(lower, "credential")):
		if text := t.text(file); strings.Contains(text, `"private_key"`) && privateKey.MatchString(text) {
			return "a service account's private key"
		}
	}
	return ""
}
