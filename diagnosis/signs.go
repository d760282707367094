package diagnosis

import "regexp"

// A sign is a pattern in the words of ECS, of a load balancer, or of a log, and the kind that it points to.
type sign struct {
	words *regexp.Regexp
	kind  Kind
}

func words(expression string) *regexp.Regexp { return regexp.MustCompile(`(?is)` + expression) }

const unreachable = `(timeout|timed out|deadline exceeded|dial tcp|connection (refused|reset)|no route|check your task network)`

// signs are in the order in which they are tried. AWS's words are those of the ECS guide, "Stopped task error messages", and of the
// Elastic Load Balancing guide, "Health check reason codes"; Postgres's are those of libpq.
var signs = []sign{
	{words(`exec format error|no matching manifest|image Manifest does not contain descriptor matching platform|does not match the ` +
		`(specified|detected) .*platform`), ImageProcessor},
	{words(`CannotPull\w*.*` + unreachable), RegistryUnreachable},
	{words(`CannotPull\w*.*(AccessDenied|not authorized|403|denied)`), ImageDenied},
	{words(`CannotPull\w*.*(not found|does not exist|manifest unknown)`), ImageMissing},
	{words(`ResourceInitializationError.*(secret|ssm|parameter|registry auth).*` + unreachable), SecretsUnreachable},
	{words(`ResourceInitializationError.*(secret|ssm|parameter).*(AccessDenied|not authorized|kms)`), SecretDenied},
	{words(`ResourceInitializationError.*(secret|ssm|parameter)`), SecretMissing},
	{words(`ResourceInitializationError.*(log group|logger|awslogs)`), LogGroup},
	{words(`could not translate host name|Name or service not known|nodename nor servname|Temporary failure in name resolution|` +
		`failed to resolve host`), WrongHost},
	{words(`password authentication failed`), Password},
	{words(`no pg_hba\.conf entry|SSL (is required|error)|certificate verify failed|server does not support SSL`), TLS},
	{words(`FATAL:? +database "[^"]*" does not exist`), NoDatabase},
	{words(`role "[^"]*" (does not exist|is not permitted to log in)|permission denied for (database|schema)`), Role},
	{words(`remaining connection slots|too many clients already|too many connections`), Connections},
	{words(`connection (to server|failed).*(timeout expired|timed out|No route to host|unreachable)|connection timeout expired`), NoRoute},
	{words(`connection (to server|failed).*Connection refused`), PortRefused},
	{words(`relation "[\w."]+" does not exist|UndefinedTable|no such table`), Tables},
	{words(`ImproperlyConfigured|KeyError: '[A-Z_]+'|No module named|ModuleNotFoundError|ImportError`), Settings},
	{words(`OutOfMemory|\bOOM\b|exit code 137.*memory`), Memory},
	{words(`these codes: \[[34]\d\d\]|answered [34]\d\d`), HealthPath},
}

// KindOf is the kind that words point to, those of AWS before those of a log; otherwise if there is no sign.
func KindOf(reported, log []string, otherwise Kind) Kind {
	for _, s := range signs {
		for _, lines := range [][]string{reported, log} {
			for _, line := range lines {
				if s.words.MatchString(line) {
					return s.kind
				}
			}
		}
	}
	return otherwise
}
