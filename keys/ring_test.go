package keys

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/wiring"
)

var site = wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "eu-west-1", AccountID: "123456789012"}

const root = "arn:aws:iam::123456789012:root"

// A statement is one statement of a key policy as AWS reads it.
type statement struct {
	Sid, Effect string
	Principal   map[string]any
	Action      any
	Resource    string
	Condition   map[string]map[string]any
}

func (s statement) actions() []string { return words(s.Action) }

func words(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, e.(string))
		}
		return all
	}
	return nil
}

// record creates a ring and returns its graph, the policies by the key's logical name, and the ARNs by purpose.
func record(t *testing.T, args *Args) (graph.Graph, map[string][]statement, map[Purpose]string) {
	t.Helper()
	arns := map[Purpose]string{}
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		ring, err := New(ctx, "keys", args)
		if err != nil {
			return err
		}
		ctx.Export("arns", pulumi.All(ring.Data, ring.Logs, ring.Settings, ring.Images, ring.Alarms, ring.Disk).ApplyT(func(all []any) int {
			for i, p := range Purposes {
				arns[p] = all[i].(string)
			}
			return len(all)
		}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string][]statement{}
	for _, key := range g.Of("aws:kms/key:Key") {
		var doc struct{ Statement []statement }
		if err := json.Unmarshal([]byte(key.Input("policy").(string)), &doc); err != nil {
			t.Fatalf("%s: %v", key.Name, err)
		}
		policies[key.Name] = doc.Statement
	}
	return g, policies, arns
}

// admitted lists who may encrypt or decrypt with a key, and through which service or for which schedules.
func admitted(statements []statement) []string {
	var all []string
	for _, s := range statements {
		if !slices.ContainsFunc(s.actions(), func(a string) bool { return a == "kms:Decrypt" || a == "kms:*" }) {
			continue
		}
		for kind, names := range s.Principal {
			for _, name := range words(names) {
				via := words(s.Condition["StringEquals"]["kms:ViaService"])
				via = append(via, words(s.Condition["ArnLike"]["kms:EncryptionContext:aws:scheduler:schedule:arn"])...)
				if len(via) == 0 {
					all = append(all, kind+" "+name)
				}
				for _, v := range via {
					all = append(all, fmt.Sprintf("%s %s via %s", kind, name, v))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestKeyAllowsExactlyItsUsers(t *testing.T) {
	via := func(service string) string { return "AWS " + root + " via " + service + ".eu-west-1.amazonaws.com" }
	const (
		logs     = "Service logs.eu-west-1.amazonaws.com"
		sessions = "AWS " + root
	)
	alarms := []string{"Service cloudwatch.amazonaws.com", "Service events.amazonaws.com", "Service events.rds.amazonaws.com",
		"AWS " + root + " via arn:aws:scheduler:eu-west-1:123456789012:schedule/slipway-dev-*"}
	want := map[string][]string{
		"keys-data":     {via("dax"), via("elasticache"), via("rds"), via("s3")},
		"keys-logs":     {via("firehose"), via("s3"), logs, sessions},
		"keys-settings": {via("ssm")},
		"keys-images":   {via("ecr")},
		"keys-alarms":   append([]string{via("scheduler"), via("sns"), via("sqs")}, alarms...),
		"keys-disk":     {via("ec2")},
		"keys-all": append([]string{via("dax"), via("elasticache"), via("rds"), via("s3"), via("firehose"), via("ssm"), via("ecr"),
			via("scheduler"),
			via("sns"), via("sqs"), via("ec2"), logs, sessions}, alarms...),
	}
	_, each, _ := record(t, &Args{Site: site})
	_, shared, _ := record(t, &Args{Site: site, Shared: true})
	each["keys-all"] = shared["keys-all"]
	if len(each) != len(want) || len(shared) != 1 {
		t.Fatalf("want 6 keys and 1 shared one, got %d and %d", len(each)-1, len(shared))
	}
	for name, users := range want {
		slices.Sort(users)
		if diff := cmp.Diff(users, admitted(each[name])); diff != "" {
			t.Errorf("%s: users (-want +got):\n%s", name, diff)
		}
	}
}

// EventBridge and RDS events send KMS no source (SNS guide, Enable compatibility between event sources from AWS services and
// encrypted topics); what they encrypt is bounded by the policies of the topic and the queue.
var sourceless = []string{"events.amazonaws.com", "events.rds.amazonaws.com"}

func TestNoUseOfAKeyIsUnconditional(t *testing.T) {
	for _, shared := range []bool{false, true} {
		_, policies, _ := record(t, &Args{Site: site, Shared: shared})
		for name, statements := range policies {
			for _, s := range statements {
				where := name + " " + s.Sid
				if s.Effect != "Allow" || s.Resource != "*" {
					t.Errorf("%s: want Allow on this key, got %s on %s", where, s.Effect, s.Resource)
				}
				if service, ok := s.Principal["Service"]; ok {
					account := s.Condition["StringEquals"]["aws:SourceAccount"] == site.AccountID
					groups := words(s.Condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"])
					if slices.Contains(sourceless, fmt.Sprint(service)) {
						if s.Condition != nil {
							t.Errorf("%s: %v sends no source, so it cannot meet %v", where, service, s.Condition)
						}
						continue
					}
					if !account && len(groups) == 0 {
						t.Errorf("%s: %v may act for other accounts", where, service)
					}
					for _, g := range groups {
						if !strings.HasPrefix(g, "arn:aws:logs:eu-west-1:123456789012:log-group:") || !strings.Contains(g, "slipway") ||
							!strings.Contains(g, "dev") {
							t.Errorf("%s: allows log groups of another stack: %s", where, g)
						}
					}
				} else if diff := cmp.Diff(map[string]any{"AWS": root}, s.Principal); diff != "" {
					t.Errorf("%s: principal (-want +got):\n%s", where, diff)
				}
				if slices.Contains(s.actions(), "kms:CreateGrant") &&
					(len(s.actions()) != 1 || s.Condition["Bool"]["kms:GrantIsForAWSResource"] != "true") {
					t.Errorf("%s: grants must be for AWS services", where)
				}
			}
		}
	}
}

// Without these the policy could never be changed, nor the key deleted.
func TestAccountKeepsControl(t *testing.T) {
	_, policies, _ := record(t, &Args{Site: site})
	for name, statements := range policies {
		var may []string
		for _, s := range statements {
			if s.Principal["AWS"] == root && s.Condition == nil {
				may = append(may, s.actions()...)
			}
		}
		for _, action := range []string{
			"kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:DescribeKey", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
			"kms:CreateAlias", "kms:DeleteAlias", "kms:TagResource",
		} {
			if !slices.Contains(may, action) {
				t.Errorf("%s: the account may not %s", name, action)
			}
		}
		for _, action := range may {
			if strings.Contains(action, "*") {
				t.Errorf("%s: %s is open-ended", name, action)
			}
		}
	}
}

func TestEveryKeyRotatesAndHasAnAlias(t *testing.T) {
	protected := site
	protected.Protect = true
	for _, test := range []struct {
		args *Args
		want int
	}{
		{&Args{Site: site}, 6},
		{&Args{Site: protected}, 6},
		{&Args{Site: protected, Shared: true}, 1},
	} {
		g, _, arns := record(t, test.args)
		keys := g.Of("aws:kms/key:Key")
		if len(keys) != test.want {
			t.Fatalf("shared %v: want %d keys, got %d", test.args.Shared, test.want, len(keys))
		}
		for _, key := range keys {
			if key.Input("enableKeyRotation") != true || key.Input("deletionWindowInDays") != 30.0 {
				t.Errorf("%s: want rotation and a 30-day window, got %v and %v", key.Name, key.Input("enableKeyRotation"),
					key.Input("deletionWindowInDays"))
			}
			if key.Protect != test.args.Site.Protect {
				t.Errorf("%s: want protect %v", key.Name, test.args.Site.Protect)
			}
			if key.Parent != "keys" {
				t.Errorf("%s: parent %q", key.Name, key.Parent)
			}
			alias := g.Named("aws:kms/alias:Alias", key.Name)
			if want := "alias/slipway-dev-" + strings.TrimPrefix(key.Name, "keys-"); alias.Input("name") != want ||
				alias.Input("targetKeyId") != key.Name+"-id" {
				t.Errorf("%s: want alias %s of it, got %v", key.Name, want, alias.Inputs)
			}
		}
		distinct := map[string]bool{}
		for _, p := range Purposes {
			distinct[arns[p]] = true
			want := "keys-" + string(p)
			if test.args.Shared {
				want = "keys-all"
			}
			if !strings.HasSuffix(arns[p], "/"+want) {
				t.Errorf("%s: want the ARN of %s, got %s", p, want, arns[p])
			}
		}
		if len(distinct) != test.want {
			t.Errorf("want %d different ARNs, got %d", test.want, len(distinct))
		}
	}
}

func TestAllMistakesAreReportedAndNothingIsMade(t *testing.T) {
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := New(ctx, "keys", &Args{Site: wiring.Site{Project: "slipway", AccountID: "12345"}})
		return err
	})
	if err == nil || len(g) != 0 && g[0].Type == Type {
		t.Fatalf("want an error and nothing declared, got %v and %v", err, g)
	}
	for _, part := range []string{
		`account must be 12 digits, got "12345"`, "stack must be given", "partition must be given", "region must be given",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("want %q in: %v", part, err)
		}
	}
}
