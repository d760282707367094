package operation

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/operation/account/modelaccount"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/githubtoken"
	"slipway/rehearsal/iam"
)

// An evaluation is a request that the model decided during the life of a stack.
type evaluation struct {
	life     int // index in lives
	phase    string
	request  iam.Request
	policies iam.Policies
}

// evaluations records each different request once.
type evaluations struct {
	mu    sync.Mutex
	life  int
	phase string
	seen  map[string]bool
	all   []evaluation
}

func (e *evaluations) hooks() ModelHooks {
	return ModelHooks{Opened: func(a *cloud.Account) { a.Evaluated = e.add }}
}

func (e *evaluations) add(r iam.Request, p iam.Policies) {
	documents := []string{}
	for _, d := range slices.Concat(p.Identity, p.Boundaries, p.Endpoint, []*iam.Document{p.Resource}) {
		if d != nil {
			documents = append(documents, d.Name)
		}
	}
	key := fmt.Sprint(r.Principal, r.Action, r.Resource, r.Context, documents)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.seen[key] {
		e.seen[key] = true
		e.all = append(e.all, evaluation{e.life, e.phase, r, p})
	}
}

// tried is the phase of calls that the engine does not make.
const tried = "changes"

// A phase is one operation of a stack's life.
type phase struct {
	name string
	run  func() error
}

// life are the operations of a stack and of the stack that its releases come from, from bootstrap to destroy.
func life(t testing.TB, target Target, from string) []phase {
	t.Helper()
	source := target
	source.Stack, source.Model, source.Overrides = from, ModelHooks{}, nil
	up := func(target Target) error {
		_, err := Up(t.Context(), target, UpArgs{Confirm: anything})
		return err
	}
	return []phase{
		{"bootstrap", func() error {
			_, err := Bootstrap(t.Context(), target)
			return err
		}},
		{"up", func() error { return up(target) }},
		{"second up", func() error { return up(target) }},
		{"preview", func() error {
			_, err := Preview(t.Context(), target, "")
			return err
		}},
		{"drift", func() error {
			_, err := Drift(t.Context(), target, DriftArgs{})
			return err
		}},
		{"release", func() error {
			settings, err := os.OpenFile(filepath.Join(target.Root, "app", "website", "settings.py"), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = settings.WriteString("\n# a release\n")
			}
			if err = errors.Join(err, settings.Close()); err != nil {
				return err
			}
			return up(target)
		}},
		{"rollback", func() error {
			_, err := Rollback(t.Context(), target, "", anything)
			return err
		}},
		{"promotion", func() error {
			if err := up(source); err != nil {
				return err
			}
			_, err := Promote(t.Context(), target, PromoteArgs{From: from, Confirm: anything})
			return err
		}},
		{tried, func() error { return changes(t, target, from) }},
		{"destroy", func() error {
			_, err := Destroy(t.Context(), target, DestroyArgs{Confirm: func(Destruction) error { return nil }})
			return err
		}},
	}
}

// changes tries what a life does not do: an update of every input of every resource, in both directions, Slipway's own calls in a real
// account, and the first deployment in an account without service-linked roles.
func changes(t testing.TB, target Target, other string) error {
	t.Helper()
	account := opened(t, target)
	target.Model.Opened(account)
	deploy := cloud.Caller{Role: "slipway-" + target.Stack + "-deploy"}
	var wrong []error
	for _, o := range account.Made() {
		wrong = append(wrong, account.Try(deploy, "update", o.Type, o.ID))
	}
	wrong = append(wrong, own(account, target.Stack, other), foreign(target, account))
	for _, role := range []string{deploy.Role, "slipway-" + target.Stack + "-read"} {
		wrong = append(wrong, admitsAJob(account, role))
	}
	for _, o := range account.Objects() {
		if o.Type == "aws:iam/serviceLinkedRole:ServiceLinkedRole" {
			_, err := account.Remove(o.Type, o.ID)
			wrong = append(wrong, err)
		}
	}
	for _, o := range account.Made() {
		if o.Type != "aws:kms/key:Key" { // it has an alias now, so that it cannot be tagged as if it were new
			wrong = append(wrong, account.Try(deploy, "create", o.Type, o.ID))
		}
	}
	return errors.Join(wrong...)
}

// foreign decides what another account, to which releases are promoted, asks of this one: the images, and the ledger in the bucket of the
// state.
func foreign(target Target, account *cloud.Account) error {
	caller, err := iam.ParsePrincipal("arn:aws:sts::222222222222:assumed-role/slipway-prod-deploy/slipway")
	if err != nil {
		return err
	}
	everything, err := iam.Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`))
	if err != nil {
		return err
	}
	ask := func(d *iam.Document, resource string, actions ...string) {
		for _, action := range actions {
			c := iam.Context{}
			c.Set("aws:SecureTransport", iam.One("true"))
			c.Set("s3:prefix", iam.One(".slipway/releases/slipway/"+target.Stack+"/"))
			c.Set("kms:ViaService", iam.One("s3."+account.Region+".amazonaws.com"))
			account.Evaluated(iam.Request{Principal: caller, Action: action, Resource: resource, Account: account.AccountID, Context: c},
				iam.Policies{Identity: []*iam.Document{everything}, Resource: d})
		}
	}
	bucket := "arn:aws:s3:::slipway-" + target.Stack + "-state-" + account.AccountID + "-" + account.Region
	for _, d := range account.Policies() {
		switch {
		case strings.HasPrefix(d.Name, "repository policy "):
			ask(d, "arn:aws:ecr:"+account.Region+":"+account.AccountID+":repository/x", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
				"ecr:GetDownloadUrlForLayer")
		case strings.HasPrefix(d.Name, "bucket policy slipway-"):
			ask(d, bucket, "s3:ListBucket")
			ask(d, bucket+"/.slipway/releases/slipway/"+target.Stack+"/1.json", "s3:GetObject")
		case strings.HasPrefix(d.Name, "key slipway-"):
			ask(d, "arn:aws:kms:"+account.Region+":"+account.AccountID+":key/state", "kms:Decrypt")
		}
	}
	return nil
}

// admitsAJob returns why no job of the repository may assume a role.
func admitsAJob(account *cloud.Account, role string) error {
	job := githubtoken.Job{Repository: "example/site", Event: "push", Ref: "refs/heads/main", IDToken: true}
	var wrong []error
	for _, environment := range []string{"", "production"} {
		job.Environment = environment
		token, err := job.Token()
		if err == nil {
			err = account.AssumeWithToken(role, cloud.Token(token))
		}
		if err == nil {
			return nil
		}
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// opened is a copy of the model of a deployed stack.
func opened(t testing.TB, target Target) *cloud.Account {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(target.dir())); err != nil {
		t.Fatal(err)
	}
	account, err := cloud.Open(modelaccount.File(dir), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { account.Close() })
	return account
}

// A removal is an Allow statement, or one action of it, and the request that is refused without it.
type removal struct {
	document, statement, action string // action "": the whole statement
	missed                      *evaluation
	in                          string // the document as the life of missed has it
	stack                       string
}

func (r removal) String() string {
	return strings.TrimSpace(r.document + " " + r.statement + " " + r.action)
}

// removals re-evaluates the requests without each statement, and without each action, of the documents.
func removals(documents map[string][]*iam.Document, recorded []evaluation) []removal {
	missed := map[string]removal{}
	for i := range recorded {
		e := &recorded[i]
		d := iam.Decide(e.request, e.policies)
		if !d.Allowed() {
			continue
		}
		for _, m := range d.By {
			if iam.Decide(e.request, e.policies.Without(m.Statement)).Allowed() {
				continue
			}
			r := removal{document: m.Document.Name, statement: m.Statement.Title(), missed: e, in: m.Document.Name}
			names := []string{ofStack(lives[e.life].stack, r)}
			if actions := m.Statement.ActionsFor(e.request.Action); len(actions) == 1 {
				r.action = actions[0]
				names = append(names, ofStack(lives[e.life].stack, r))
			}
			for _, name := range names {
				// What the engine does is preferred to what is only tried.
				if known := missed[name]; known.missed == nil || known.missed.phase == tried && e.phase != tried {
					missed[name] = r
				}
			}
		}
	}
	var all []removal
	listed := map[string]bool{}
	for _, l := range lives {
		for _, d := range documents[l.name] {
			for _, s := range d.Statements {
				if s.Deny {
					continue
				}
				for _, action := range append([]string{""}, s.Actions()...) {
					r := removal{document: d.Name, statement: s.Title(), action: action}
					key := ofStack(l.stack, r)
					if listed[l.stack+r.String()] {
						continue
					}
					listed[l.stack+r.String()] = true
					found := missed[key]
					r.stack, r.missed, r.in = l.stack, found.missed, found.in
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// ofStack names a removal. The roles of the workflows and the boundary have the same rights in every stack, so that a feature can be turned
// on without a new bootstrap: one of the stacks must need them.
func ofStack(stack string, r removal) string {
	if own := "slipway-" + stack + "-"; strings.Contains(r.document, own) {
		return strings.Replace(r.String(), own, "slipway-*-", 1)
	}
	return stack + " " + r.String()
}

// lives are the configurations whose lives are recorded: prod, staging, and prod with what neither of them has.
var lives = []struct {
	name, stack, from string
	overrides         []string
}{
	{"prod", "prod", "staging", nil},
	{"staging", "staging", "dev", nil},
	{"prod with more", "prod", "staging", []string{`promotion.to=["222222222222"]`, "network.nat=none", "web.spot=50",
		"cache.node=cache.t4g.micro", "cache.replicas=1", `app.env={"REDIS_URL": "{redis.url}"}`}},
}

// recordedLives lives every life, and returns what the model decided, and the policies of each.
func recordedLives(t *testing.T) (recorded []evaluation, documents map[string][]*iam.Document) {
	t.Helper()
	var mu sync.Mutex
	documents = map[string][]*iam.Document{}
	t.Run("lives", func(t *testing.T) {
		for i, l := range lives {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				e := &evaluations{life: i, seen: map[string]bool{}}
				target := Target{Root: checkout(t), Stack: l.stack, Overrides: l.overrides, Throwaway: true, Progress: logged{t}, Model: e.hooks()}
				var held []*iam.Document
				for _, p := range life(t, target, l.from) {
					if p.name == "destroy" {
						held = opened(t, target).Policies()
					}
					e.phase = p.name
					if err := p.run(); err != nil {
						t.Fatalf("%s: %v", p.name, err)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				recorded, documents[l.name] = append(recorded, e.all...), held
			})
		}
	})
	return recorded, documents
}

// TestEveryStatementAndActionIsNeeded: the removal of any Allow statement of any policy of prod and staging, and of any single action in
// it, makes AWS refuse a request of the life of one of them. What none of the recorded requests needs is in spare, with a reason.
func TestEveryStatementAndActionIsNeeded(t *testing.T) {
	recorded, documents := recordedLives(t)
	if t.Failed() {
		return
	}
	perPhase := map[string]int{}
	for _, one := range recorded {
		perPhase[one.phase]++
	}
	t.Log(len(recorded), "requests:", perPhase)
	all := removals(documents, recorded)
	used := map[int]bool{}
	statements, actions := tally{}, tally{}
	for _, r := range all {
		count := statements
		if r.action != "" {
			count = actions
		}
		count["removed"]++
		if r.missed != nil {
			count["refused"]++
			continue
		}
		if i := sparedBy(r); i >= 0 {
			used[i] = true
			count["named"]++
			continue
		}
		t.Errorf("no request of %s needs %s: delete it, or name it in spare with a reason", r.stack, r)
	}
	for i, s := range spare {
		if !used[i] {
			t.Errorf("spare: %s %s is needed, or no longer there", s.statements, s.actions)
		}
	}
	t.Log("statements:", statements, "actions:", actions)
	t.Run("in the engine", func(t *testing.T) { confirmInEngine(t, all) })
}

type tally map[string]int

// confirmedByDefault is how many removals go test confirms with the engine; SLIPWAY_REMOVALS sets another number.
const confirmedByDefault = 2

// confirmInEngine removes statements and actions at random, as they are made, and lives the life of a stack until the operation that
// the sweep named: it must fail, and name the action. SLIPWAY_SEED repeats a run.
func confirmInEngine(t *testing.T, all []removal) {
	t.Helper()
	seed, count := uint64(7), confirmedByDefault
	if os.Getenv("SLIPWAY_DEEP") != "" { // go test repeats one sample
		seed = uint64(time.Now().UnixNano())
	}
	if n, err := strconv.ParseUint(os.Getenv("SLIPWAY_SEED"), 10, 64); err == nil {
		seed = n
	}
	if n, err := strconv.Atoi(os.Getenv("SLIPWAY_REMOVALS")); err == nil {
		count = n
	}
	t.Logf("SLIPWAY_SEED=%d SLIPWAY_REMOVALS=%d", seed, count)
	all = slices.DeleteFunc(slices.Clone(all), func(r removal) bool {
		// The provider makes these calls in the same operation that creates the key, before a test can change the key's policy.
		atOnce := r.missed != nil && strings.HasPrefix(r.document, "key ") &&
			slices.Contains(atCreation, r.missed.request.Action)
		return r.missed == nil || atOnce || r.missed.phase == tried || r.missed.phase == "bootstrap"
	})
	chance := rand.New(rand.NewPCG(seed, 0))
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, r := range all[:count] {
		t.Run(r.stack+" "+r.String(), func(t *testing.T) {
			t.Parallel()
			r.confirm(t)
		})
	}
}

// confirm lives a life without what r removes.
func (r removal) confirm(t *testing.T) {
	l := lives[r.missed.life]
	target := Target{Root: checkout(t), Stack: l.stack, Overrides: l.overrides, Throwaway: true, Progress: logged{t}}
	var account *cloud.Account
	removed := 0
	remove := func() {
		for _, o := range account.Objects() {
			for _, path := range []string{"policy", "assumeRolePolicy", "policyDocument"} {
				text, _ := o.Outputs[path].(string)
				less, ok := r.without(o, text)
				if !ok {
					continue
				}
				removed++
				if err := account.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Outputs[path] = less }); err != nil {
					t.Error(err)
				}
			}
		}
	}
	bootstrapped := false
	target.Model = ModelHooks{
		Opened: func(a *cloud.Account) {
			account = a
			if bootstrapped {
				remove()
			}
		},
		// A policy of the site loses its statement before anything can use it.
		Done: func(e rehearsal.Event) {
			if strings.HasSuffix(r.in, " "+e.URN[strings.LastIndex(e.URN, ":")+1:]) {
				remove()
			}
		},
	}
	for _, p := range life(t, target, l.from) {
		// A check for drift would find the change, and the next up revert it.
		if p.name == tried || p.name == "drift" && r.missed.phase != "drift" {
			continue
		}
		err := p.run()
		bootstrapped = true
		if err != nil {
			if removed == 0 || !strings.Contains(err.Error(), r.missed.request.Action) {
				t.Errorf("%s failed for another reason than %s (%d removed): %v", p.name, r.missed.request.Action, removed, err)
			}
			t.Logf("%s: %s on %s is refused", p.name, r.missed.request.Action, r.missed.request.Resource)
			return
		}
		if p.name == r.missed.phase {
			break
		}
	}
	t.Errorf("%s: nothing failed, although %s on %s needs it (%d removed)", r.missed.phase, r.missed.request.Action, r.missed.request.Resource,
		removed)
}

// without is the policy of an object less what r removes; ok is false if the object does not have it.
func (r removal) without(o *cloud.Object, text string) (less string, ok bool) {
	if last := o.URN[strings.LastIndex(o.URN, ":")+1:]; !strings.HasSuffix(r.in, " "+last) || text == "" {
		return "", false
	}
	var document struct {
		Version   string
		ID        string `json:"Id,omitempty"`
		Statement []map[string]any
	}
	if json.Unmarshal([]byte(text), &document) != nil {
		return "", false
	}
	for i, s := range document.Statement {
		if s["Sid"] != r.statement {
			continue
		}
		if r.action == "" {
			document.Statement = slices.Delete(document.Statement, i, i+1)
		} else {
			actions, several := s["Action"].([]any)
			if !several {
				actions = []any{s["Action"]}
			}
			n := len(actions)
			actions = slices.DeleteFunc(actions, func(a any) bool {
				return strings.EqualFold(fmt.Sprint(a), r.action) || a == "*" && r.action == "*:*" // the sweep's name of every action
			})
			if len(actions) == n {
				return "", false
			}
			if s["Action"] = actions; len(actions) == 0 {
				document.Statement = slices.Delete(document.Statement, i, i+1)
			}
		}
		edited, err := json.Marshal(document)
		return string(edited), err == nil
	}
	return "", false
}

// atCreation are calls with which a key is created and read back, before a test can change its policy.
var atCreation = []string{"kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
	"kms:ListResourceTags", "kms:TagResource"}
