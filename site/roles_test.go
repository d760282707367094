package site

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/cicd"
	"slipway/internal/catalog"
	"slipway/internal/graph"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// The tables of docs/security.md by role are written from the catalog and from the policies of prod.

const (
	rolesBegin = "<!-- The rest of this section is written by go test ./site -run TestTheDocumentShowsTheRoles -update. -->\n"
	rolesEnd   = "<!-- End of the tables by role. -->"
)

// reasons are for the statements of the roles that no resource asks for.
var reasons = map[string]string{
	"WidenBoundRoles":             "makes roles and widens them, only within the boundary: else it could do anything",
	"NeverChangeItself":           "a person has to widen what a workflow may do, or who may read",
	"NeverManageStateBuckets":     "the old versions in the bucket are the only copies of a damaged state",
	"NeverManageStateKeys":        "without the key nothing in the state can be read",
	"NeverManageStateKeysByAlias": "the same for the keys of the project's other stacks, by their alias",
	"NeverManageBootstrapKeys":    "the same by the tag that bootstrap puts on a key",
	"PullReleases":                "a promotion copies the images of another stack",
	"FindState":                   "Pulumi's backend lists the state and its locks",
	"KeepState":                   "Pulumi's backend keeps the state and its locks; the ledger of releases is beside them",
	"ReadSecretConfiguration":     "Pulumi opens and seals what is secret in the state and in the stack's file",
	"ReadReleases":                "a promotion reads the ledger of the stack that a release comes from",
	"FindReleases":                "a promotion reads the ledger of the stack that a release comes from",
	"OpenReleases":                "the ledger of another account or region is encrypted with a key of that one",
	"ReadState":                   "a preview compares with the state",
	"KeepLook":                    "a drift check records when it ran and what it found; the only object that the role writes",
	"OpenState":                   "a preview opens what is secret in the state",
	"SealLook":                    "the record is encrypted with the key of the state, through S3 only",
	"OpenParameters":              "a preview compares the stack's parameters, which SSM opens with the stack's key",
	"NeverUseStateKeys":           "the ciphertext of secrets is in the stack's file, which the whole repository can read",
	"NeverUseBootstrapKeys":       "the same by the tag that bootstrap puts on a key",
}

// purposes say why a role of the site exists and what it cannot do, by the end of its logical name.
var purposes = map[string]string{
	"bastion": "People reach the database through it. Each session is recorded in a log group and in the archive, and it can write nothing " +
		"else. It can read no secret, no media and no recording.",
	"database-monitoring": "RDS writes the operating system's metrics of the database into the log group RDSOSMetrics.",
	"-starter": "Scheduler starts the tasks of this one job with it, hands them the site's roles, and reports a start that failed. It " +
		"cannot start anything else.",
	"-execution": "ECS has it before a container starts: it pulls the images, fetches the secrets that the task names, and opens the log " +
		"streams. The containers never have it, so the code of the site cannot read other secrets than it is given.",
	"migration-roles-task": "The code of the migration has this role, and no permission: it needs the database and no call of AWS.",
	"network-flow":         "VPC flow logs are written to one log group.",
	"site-roles-task": "The code of the site has this role: it lists, reads, writes and deletes uploads in the media bucket. The statements " +
		"named Exec are for a shell by ECS Exec, which is recorded. It can read no secret and no log.",
	"subscription-role": "Firehose writes the log lines into the archive bucket, and its errors into a log group. It cannot " +
		"delete an object.",
	"subscription-writer": "CloudWatch Logs hands log lines to the delivery stream, and does nothing else.",
}

func TestTheDocumentShowsTheRoles(t *testing.T) {
	file := filepath.Join("..", "docs", "security.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(page), rolesBegin)
	was, after, ended := strings.Cut(rest, rolesEnd)
	if !begun || !ended {
		t.Fatalf("docs/security.md has no %s", rolesBegin)
	}
	want := rolesDocument(t)
	if *update {
		if err := os.WriteFile(file, []byte(before+rolesBegin+want+rolesEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, was); diff != "" {
		t.Errorf("the tables by role are out of date: go test ./site -run TestTheDocumentShowsTheRoles -update (-want +got):\n%s", diff)
	}
}

// shownStack is the stack that the document shows.
var shownStack = wiring.Site{
	Project: "slipway", Stack: "prod", Partition: "aws", Region: "us-east-1", AccountID: "123456789012", Protect: true,
}

func rolesDocument(t *testing.T) string {
	t.Helper()
	facts := Catalog(shownStack)
	deploy, read, err := (&cicd.DeployerArgs{
		Site: shownStack, Facts: facts, Repository: "example/site", Environments: []string{"production"}, ReadBranches: []string{"main"},
		StateBucket: "slipway-prod-state-123456789012-us-east-1", StateKeyARN: "arn:aws:kms:us-east-1:123456789012:key/STATE",
	}).RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	w := &rolesWriter{t: t, asks: asking(facts), used: map[string]bool{}}
	assumed := func(title string, r *cicd.RoleSpec) {
		w.printf("\n### %s\n\n`%s`, assumed by %s for at most %d minutes.\n", title, r.Name, subjects(t, r.Trust), r.SessionSeconds/60)
	}
	assumed("The deploy role", deploy)
	for _, p := range deploy.Policies {
		area := strings.TrimPrefix(p.Name, deploy.Name+"-")
		w.printf("\n#### %s%s\n\n", strings.ToUpper(area[:1]), area[1:])
		w.table(parsed(t, p.Document))
	}

	assumed("The read role", read)
	inherited, own := map[string]bool{}, []policy.ParsedStatement{}
	deployed := map[string]bool{}
	for _, p := range deploy.Policies {
		for _, s := range parsed(t, p.Document) {
			for _, action := range s.Action {
				deployed[s.Sid+" "+action] = true
			}
		}
	}
	for _, p := range read.Policies {
		for _, s := range parsed(t, p.Document) {
			isOwn := strings.HasSuffix(p.Name, "-state")
			for _, action := range s.Action {
				isOwn = isOwn || !deployed[s.Sid+" "+action]
			}
			if isOwn {
				own = append(own, s)
				continue
			}
			for _, action := range s.Action {
				inherited[action] = true
			}
		}
	}
	w.printf("\nOf the deploy role's statements it has the %d actions that only describe, get or list settings, on the same resources and "+
		"under the same conditions. None of them returns objects, log lines or images. Besides:\n\n", len(inherited))
	w.table(own)

	w.printf("\n### The boundary\n\n`slipway-prod-boundary`. It grants nothing: it is the most that any role of the stack can do, " +
		"whatever its policies say.\n\n")
	w.asks = bounding(facts)
	w.table(parsed(t, (&cicd.BoundaryArgs{Site: shownStack, Facts: facts}).PolicySpec().Document))

	w.printf("\n### The site's own roles\n\nAll of them within the boundary.\n")
	w.asks = nil
	w.siteRoles(declared(t, "prod", nil))

	for _, name := range slices.Concat(slices.Collect(maps.Keys(reasons)), slices.Collect(maps.Keys(purposes))) {
		if !w.used[name] {
			t.Errorf("reasons and purposes: no role or statement is called %s", name)
		}
	}
	return w.text.String() + "\n"
}

type rolesWriter struct {
	t    *testing.T
	text strings.Builder
	asks map[string][]string // the resource types that a statement is for, by Sid; nil: the statements say it themselves
	used map[string]bool     // the reasons that were
}

func (w *rolesWriter) printf(format string, args ...any) { fmt.Fprintf(&w.text, format, args...) }

// table writes statements.
func (w *rolesWriter) table(statements []policy.ParsedStatement) {
	if w.asks == nil {
		w.printf("| statement | may | on | only if |\n|---|---|---|---|\n")
	} else {
		w.printf("| statement | may | on | only if | why |\n|---|---|---|---|---|\n")
	}
	for _, s := range statements {
		actions := byService(s.Action)
		if s.Effect == "Deny" {
			actions = "**never** " + actions
		}
		var on []string
		for _, r := range s.Resource {
			on = append(on, "`"+short(r)+"`")
		}
		w.printf("| %s | %s | %s | %s |", s.Sid, actions, strings.Join(on, ", "), onlyIf(s.Condition))
		if w.asks != nil {
			w.printf(" %s |", w.why(s.Sid))
		}
		w.printf("\n")
	}
}

// why is what needs a statement.
func (w *rolesWriter) why(sid string) string {
	if reason := reasons[sid]; reason != "" {
		w.used[sid] = true
		return reason
	}
	types := w.asks[sid]
	if len(types) == 0 {
		w.t.Errorf("no resource asks for statement %s: give a reason for it in reasons", sid)
	}
	return strings.Join(types, ", ")
}

// siteRoles writes the roles that the program makes for services and tasks.
func (w *rolesWriter) siteRoles(g graph.Graph) {
	for _, r := range g {
		trust, _ := r.Inputs["assumeRolePolicy"].(string)
		if r.Type != "aws:iam/role:Role" || strings.Contains(trust, "WebIdentity") {
			continue
		}
		if r.Inputs["permissionsBoundary"] == nil {
			w.t.Errorf("role %s has no boundary", r.Name)
		}
		name := fmt.Sprint(r.Inputs["name"])
		w.printf("\n#### %s\n\n%s Assumed by ", r.Name, w.purpose(r.Name))
		for i, s := range parsed(w.t, trust) {
			if i > 0 {
				w.printf(" and ")
			}
			w.printf("`%s`", strings.Join(s.Principal["Service"], "`, `"))
			if condition := onlyIf(s.Condition); condition != "" {
				w.printf(" if %s", condition)
			}
		}
		w.printf(".\n")
		for _, a := range g {
			if a.Type == "aws:iam/rolePolicyAttachment:RolePolicyAttachment" && a.Inputs["role"] == name {
				w.printf("It has AWS's own policy `%s`, of which the boundary leaves what is above.\n",
					strings.TrimPrefix(fmt.Sprint(a.Inputs["policyArn"]), "arn:aws:iam::aws:policy/"))
			}
		}
		for _, p := range g {
			if p.Type == "aws:iam/rolePolicy:RolePolicy" && (p.Inputs["role"] == name || p.Inputs["role"] == r.Name+"-id") {
				w.printf("\n")
				w.table(parsed(w.t, fmt.Sprint(p.Inputs["policy"])))
			}
		}
	}
}

// purpose is the purpose of a role of the site; the longest end of its name counts.
func (w *rolesWriter) purpose(role string) string {
	longest := ""
	for end := range purposes {
		if strings.HasSuffix(role, end) && len(end) > len(longest) {
			longest = end
		}
	}
	if longest == "" {
		w.t.Errorf("purposes says nothing about role %s", role)
	}
	w.used[longest] = true
	return purposes[longest]
}

// asking are the resource types whose facts fill a statement of the deploy role, by Sid; bounding those of the boundary.
func asking(facts catalog.Catalog) map[string][]string {
	return bySid(facts, func(r catalog.Resource) (sids []string) {
		for _, g := range r.Deploy {
			sids = append(sids, g.Sid)
		}
		return sids
	})
}

func bounding(facts catalog.Catalog) map[string][]string {
	return bySid(facts, func(r catalog.Resource) (sids []string) {
		for _, s := range r.Bound {
			sids = append(sids, s.Sid)
		}
		return sids
	})
}

func bySid(facts catalog.Catalog, sidsOf func(catalog.Resource) []string) map[string][]string {
	all := map[string][]string{}
	for _, r := range facts {
		for _, sid := range sidsOf(r) {
			if name := r.Type[strings.LastIndex(r.Type, ":")+1:]; !slices.Contains(all[sid], name) {
				all[sid] = append(all[sid], name)
			}
		}
	}
	for _, types := range all {
		slices.Sort(types)
	}
	return all
}

func parsed(t *testing.T, document string) []policy.ParsedStatement {
	t.Helper()
	all, err := policy.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// subjects are the tokens that a trust policy admits.
func subjects(t *testing.T, trust string) string {
	t.Helper()
	var all []string
	for _, s := range parsed(t, trust) {
		for key, values := range s.Condition["StringEquals"] {
			if strings.HasSuffix(key, ":sub") {
				all = append(all, values...)
			}
		}
	}
	if len(all) == 0 {
		t.Errorf("a trust policy names no subject: %s", trust)
	}
	return "jobs of GitHub Actions with the subject `" + strings.Join(all, "` or `") + "`"
}

// byService lists actions, each service once.
func byService(actions []string) string {
	names := map[string][]string{}
	for _, action := range actions {
		service, name, _ := strings.Cut(action, ":")
		names[service] = append(names[service], name)
	}
	var all []string
	for _, service := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[service])
		all = append(all, "`"+service+"`: "+strings.Join(names[service], ", "))
	}
	return strings.Join(all, "; ")
}

// own is the part of an ARN that every resource of the stack has.
var own = regexp.MustCompile(`^arn:aws:([a-z0-9-]+):(?:us-east-1)?:(?:123456789012)?:`)

// standIns are the kinds in the ARNs of the recorded graph, whose resources have no ARN of AWS's yet.
var standIns = strings.NewReplacer("cloudwatch:logGroup/", "logs:group ", "s3:bucketV2/", "s3:bucket ", "kinesis:firehoseDeliveryStream/",
	"firehose:stream ", "sqs:queue/", "sqs:queue ", "kms:key/keys-", "kms:key ", "ecr:repository/images-", "ecr:repository ",
	"ssm:parameter/settings-", "ssm:parameter ", "iam:role/site-", "iam:role site-", "s3:archive-logs-bucket", "s3:bucket archive-logs",
	"cluster/cluster", "cluster/site", "task/cluster/", "task/site/")

// short is an ARN without what follows from the stack.
func short(arn string) string {
	if plain := own.ReplaceAllString(arn, "$1:"); plain != arn {
		return standIns.Replace(plain)
	}
	return arn
}

// operators are words for IAM's condition operators: between key and value.
var operators = map[string]string{
	"StringEquals": "is", "StringLike": "is like", "ArnEquals": "is", "ArnLike": "is like", "Bool": "is", "StringNotEquals": "is not",
	"StringEqualsIfExists": "is absent or", "ForAnyValue:StringLike": "has one like",
}

// onlyIf are conditions in words.
func onlyIf(conditions map[string]map[string]policy.Many) string {
	var all []string
	for _, operator := range slices.Sorted(maps.Keys(conditions)) {
		for _, key := range slices.Sorted(maps.Keys(conditions[operator])) {
			values := conditions[operator][key]
			var shown []string
			for _, value := range values {
				shown = append(shown, "`"+short(value)+"`")
			}
			switch word := operators[operator]; {
			case operator == "Null" && values[0] == "true":
				all = append(all, "`"+key+"` is absent")
			case operator == "Null":
				all = append(all, "`"+key+"` is present")
			case word == "":
				all = append(all, operator+" `"+key+"` "+strings.Join(shown, " or "))
			default:
				all = append(all, "`"+key+"` "+word+" "+strings.Join(shown, " or "))
			}
		}
	}
	return strings.Join(all, "; ")
}
