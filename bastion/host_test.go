package bastion

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/wiring"
)

const instanceType = "aws:ec2/instance:Instance"

func arguments() *Args {
	return &Args{
		Site: wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: "123456789012"},
		Placement: wiring.Placement{
			Subnets:        pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}),
			SecurityGroups: pulumi.ToStringArray([]string{"sg-bastion"}),
		},
		DiskKeyARN:    pulumi.String("arn:key/disk"),
		SessionKeyARN: pulumi.String("arn:key/logs"),
		LogBucket:     pulumi.String("bucket"),
		LogGroupName:  pulumi.String("/slipway/dev/sessions"),
		LogGroupARN:   pulumi.String("arn:log-group:/slipway/dev/sessions"),
	}
}

func record(t *testing.T, args *Args) graph.Graph {
	t.Helper()
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		host, err := New(ctx, "bastion", args)
		if err != nil {
			return err
		}
		ctx.Export("outputs", pulumi.All(host.InstanceID, host.SessionDocument).ApplyT(func(all []any) []any {
			if diff := cmp.Diff([]any{"bastion-id", "slipway-dev-session"}, all); diff != "" {
				t.Errorf("instance and session document (-want +got):\n%s", diff)
			}
			return all
		}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range g {
		if r.Custom() && (r.Parent != "bastion" || !strings.HasPrefix(r.Name, "bastion")) {
			t.Errorf("%s %s: parent %q", r.Type, r.Name, r.Parent)
		}
	}
	return g
}

func TestOnlySessionManagerReachesTheHost(t *testing.T) {
	g := record(t, arguments())
	host := g.Named(instanceType, "bastion")
	for path, want := range map[string]any{
		"subnetId":                 "subnet-a",
		"vpcSecurityGroupIds":      []any{"sg-bastion"},
		"associatePublicIpAddress": false,
		"keyName":                  nil,
		"iamInstanceProfile":       "slipway-dev-bastion",
	} {
		if diff := cmp.Diff(want, host.Input(path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, r := range g {
		if strings.Contains(r.Type, "ecurityGroup") || strings.Contains(r.Type, "keyPair") || strings.Contains(r.Type, "eip") {
			t.Errorf("%s %s opens a door", r.Type, r.Name)
		}
	}
}

func TestHostIsHardened(t *testing.T) {
	host := record(t, arguments()).Named(instanceType, "bastion")
	for path, want := range map[string]any{
		"instanceType":                 "t4g.nano",
		"ami":                          "ami-0123456789abcdef0",
		"metadataOptions.httpEndpoint": "enabled",
		"metadataOptions.httpTokens":   "required",
		"metadataOptions.httpPutResponseHopLimit": 1.0,
		"rootBlockDevice.encrypted":               true,
		"rootBlockDevice.kmsKeyId":                "arn:key/disk",
		"rootBlockDevice.volumeType":              "gp3",
		"rootBlockDevice.deleteOnTermination":     true,
		"creditSpecification.cpuCredits":          "standard",
		"monitoring":                              true,
		"ebsOptimized":                            true,
		"userDataReplaceOnChange":                 true,
	} {
		if diff := cmp.Diff(want, host.Input(path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if script, _ := host.Input("userData").(string); !strings.HasPrefix(script, "#!/bin/bash\n") {
		t.Errorf("no shell reads the script: %q", script)
	}
	other := arguments()
	other.InstanceType = "t4g.small"
	if got := record(t, other).Named(instanceType, "bastion").Input("instanceType"); got != "t4g.small" {
		t.Errorf("want t4g.small, got %v", got)
	}
}

// pg_dump refuses a server of a newer major, and every client talks to older servers.
func TestTheNewestClientOfTheRepositoryIsInstalled(t *testing.T) {
	from, to := strings.Index(userData, "for major in"), strings.Index(userData, "\ndone\n")
	if from < 0 || to < from {
		t.Fatalf("the script does not look for the newest client:\n%s", userData)
	}
	loop := userData[from : to+len("\ndone\n")]
	for repository, want := range map[string]string{
		"16 17 18": "18", "15 16 17": "17", "15 16": "16", "": "",
	} {
		// The repository of the stub has only these majors.
		shell := exec.Command("bash", "-euc", `dnf() {
			for last; do :; done
			case " $REPOSITORY " in *" ${last#postgresql} "*) echo "${last#postgresql}" ;; *) return 1 ;; esac
		}
		`+loop)
		shell.Env = append(os.Environ(), "REPOSITORY="+repository)
		out, err := shell.Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("of %q it installs %q, want %q: %v", repository, out, want, err)
		}
	}
}

// Amazon publishes an AMI every other week; replacing the instance would end open sessions.
func TestANewAMIDoesNotReplaceTheHost(t *testing.T) {
	host := record(t, arguments()).Named(instanceType, "bastion")
	if !slices.Equal(host.IgnoreChanges, []string{"ami"}) {
		t.Errorf("want changes of ami alone to be ignored, got %v", host.IgnoreChanges)
	}
}

func TestSessionsAreEncryptedAndRecorded(t *testing.T) {
	document := record(t, arguments()).Named("aws:ssm/document:Document", "bastion-session")
	if document.Input("documentType") != "Session" || document.Input("name") != "slipway-dev-session" {
		t.Errorf("document: %v", document.Inputs)
	}
	var content struct {
		SchemaVersion, SessionType string
		Inputs                     map[string]any
	}
	if err := json.Unmarshal([]byte(document.Input("content").(string)), &content); err != nil {
		t.Fatal(err)
	}
	if content.SchemaVersion != "1.0" || content.SessionType != "Standard_Stream" {
		t.Errorf("want a shell session of schema 1.0, got %+v", content)
	}
	for key, want := range map[string]any{
		"kmsKeyId":                    "arn:key/logs",
		"s3BucketName":                "bucket",
		"s3KeyPrefix":                 "sessions",
		"s3EncryptionEnabled":         true,
		"cloudWatchLogGroupName":      "/slipway/dev/sessions",
		"cloudWatchEncryptionEnabled": true,
		"cloudWatchStreamingEnabled":  true,
		"idleSessionTimeout":          "20",
		"maxSessionDuration":          "480",
		"runAsEnabled":                false,
	} {
		if diff := cmp.Diff(want, content.Inputs[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

func TestRoleMayOnlyRecordSessions(t *testing.T) {
	g := record(t, arguments())
	role := g.Named("aws:iam/role:Role", "bastion")
	if trust, _ := role.Input("assumeRolePolicy").(string); !strings.Contains(trust, `"Service":"ec2.amazonaws.com"`) {
		t.Errorf("trust: %s", trust)
	}
	attached := g.Of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
	if len(attached) != 1 || attached[0].Input("policyArn") != "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" ||
		attached[0].Input("role") != "slipway-dev-bastion" {
		t.Errorf("attached policies: %v", attached)
	}
	if profile := g.Named("aws:iam/instanceProfile:InstanceProfile", "bastion"); profile.Input("role") != "slipway-dev-bastion" ||
		profile.Input("name") != "slipway-dev-bastion" {
		t.Errorf("profile: %v", profile.Inputs)
	}
	var doc struct {
		Statement []struct{ Action, Resource any }
	}
	if err := json.Unmarshal([]byte(g.Named("aws:iam/rolePolicy:RolePolicy", "bastion-record").Input("policy").(string)),
		&doc); err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, s := range doc.Statement {
		got = append(got, []any{s.Action, s.Resource})
	}
	want := []any{
		[]any{"s3:PutObject", "arn:aws:s3:::bucket/sessions/*"},
		[]any{[]any{"s3:GetBucketLocation", "s3:GetEncryptionConfiguration"}, "arn:aws:s3:::bucket"},
		[]any{[]any{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			[]any{"arn:log-group:/slipway/dev/sessions", "arn:log-group:/slipway/dev/sessions:*"}},
		[]any{"logs:DescribeLogGroups", "arn:aws:logs:us-east-1:123456789012:log-group:*"},
		[]any{[]any{"kms:Decrypt", "kms:GenerateDataKey"}, "arn:key/logs"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
	host := g.Named(instanceType, "bastion")
	for _, needed := range []string{"bastion-core", "bastion-record"} {
		if !slices.Contains(host.DependsOn, needed) {
			t.Errorf("the host starts before %s lets its agent register: %v", needed, host.DependsOn)
		}
	}
}

func TestAllMistakesAreReportedAndNothingIsMade(t *testing.T) {
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := New(ctx, "bastion", &Args{})
		return err
	})
	if err == nil || len(g.Of(Type)) != 0 {
		t.Fatalf("want an error and nothing declared, got %v and %v", err, g)
	}
	for _, part := range []string{
		"a subnet", "a security group", "key of its disk", "key of its sessions", "a bucket for sessions", "a log group for sessions",
	} {
		if !strings.Contains(err.Error(), part+" must be given") {
			t.Errorf("want %q in: %v", part, err)
		}
	}
}
