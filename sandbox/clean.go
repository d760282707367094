//go:build unix

package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// cleanUp removes everything of the run from the account, and looks for what is left. It can be repeated.
func (r *run) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Hour)
	defer cancel()
	var errs []error
	for _, s := range []step{
		{"clean-stacks", "destroy what the stacks still have", minutes(0, 40), (*run).cleanStacks},
		{"clean-account", "remove what bootstrap made, and what AWS made beside the stacks", minutes(0, 3), (*run).cleanAccount},
		{"look", "ask AWS what is left", minutes(0, 6), (*run).look},
	} {
		if err := r.step(ctx, s); err != nil {
			errs = append(errs, err)
			if s.name == "clean-stacks" && r.hasState() {
				// Without its state a stack can no longer be destroyed, so the buckets stay.
				break
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(append(errs, fmt.Errorf("the clean-up is not complete: run it again with: go run ./cmd/sandbox clean"))...)
	}
	r.Clean = true
	r.say("Nothing of the run is left in the account.")
	for _, what := range r.remains {
		r.say("  stays: %s", what)
	}
	return r.Journal.write()
}

// bootstrapped reports whether the stack's file has what bootstrap writes into it at its end.
func (r *run) bootstrapped(stack string) bool {
	text, err := os.ReadFile(filepath.Join(r.dir, "project", "Pulumi."+stack+".yaml"))
	var file struct {
		EncryptedKey string `yaml:"encryptedkey"`
		Config       map[string]any
	}
	return err == nil && yaml.Unmarshal(text, &file) == nil && file.EncryptedKey != "" && file.Config[r.Project+":backend"] != nil
}

func (r *run) hasState() bool { return slices.ContainsFunc(stacks, r.bootstrapped) }

func (r *run) cleanStacks(ctx context.Context) error {
	if _, err := os.Stat(r.Command); err != nil && r.hasState() {
		return fmt.Errorf("the slipway of that run is gone: build one, and say where with --slipway: %w", err)
	}
	return both(func(stack string) error {
		if !r.bootstrapped(stack) {
			r.note("%s has no state: bootstrap did not end", stack)
			return nil
		}
		err := r.cleanStack(ctx, stack)
		if err != nil && ctx.Err() == nil { // deletions of a stopped run may still be under way
			r.note("%s: %v; trying again", stack, err)
			err = r.cleanStack(ctx, stack)
		}
		return err
	})
}

// cleanStack unlocks a stack, settles its pending operations, and destroys it.
func (r *run) cleanStack(ctx context.Context, stack string) error {
	resources, err := r.state(ctx, stack)
	if err != nil {
		return err
	}
	if len(resources.Resources)+len(resources.Pending) == 0 {
		return nil
	}
	// The lock, if there is one, is of this run, which has ended.
	a, err := r.slipway(ctx, 20*time.Minute, "unlock", "--stack", stack, "--force", "--confirm", stack, "--json")
	if err != nil {
		return err
	}
	if a.code != 0 {
		answers, err := r.settle(ctx, stack, resources.Pending)
		if err != nil {
			return err
		}
		unlock := append([]string{"unlock", "--stack", stack, "--force", "--confirm", stack, "--json"}, answers...)
		if _, err := r.must(ctx, 0, nil, unlock...); err != nil {
			return err
		}
	}
	if _, err := r.must(ctx, 0, nil, "destroy", "--stack", stack, "--confirm", stack, "--yes", "--json"); err != nil {
		return err
	}
	if resources, err = r.state(ctx, stack); err == nil && len(resources.Resources)+len(resources.Pending) > 0 {
		err = fmt.Errorf("the state still has %d resources", len(resources.Resources))
	}
	return err
}

// A state is the engine's state of a stack.
type state struct {
	Resources []resource
	Pending   []struct {
		Type     string
		Resource resource
	} `json:"pending_operations"`
}

type resource struct {
	URN, Type, ID string
	Inputs        map[string]any
	Custom        bool
}

// name is the last part of the URN.
func (r resource) name() string { return r.URN[strings.LastIndex(r.URN, "::")+2:] }

func (r *run) state(ctx context.Context, stack string) (state, error) {
	var export struct{ Deployment state }
	_, err := r.must(ctx, 0, &export, "export", "--stack", stack)
	return export.Deployment, err
}

// settle resolves the creates that were under way when the run was killed: which resources exist, with which ID.
func (r *run) settle(ctx context.Context, stack string, pending []struct {
	Type     string
	Resource resource
}) ([]string, error) {
	tagged, err := r.aws.tagged(ctx, r.Project)
	if err != nil {
		return nil, err
	}
	tagged = slices.DeleteFunc(tagged, func(t tag) bool { return t.stack != stack })
	answers := []string{"--not-made"}
	for _, p := range pending {
		if p.Type != "creating" {
			continue
		}
		if id := made(p.Resource, r.aws, tagged); id != "" {
			r.note("%s: %s was being created: %s", stack, p.Resource.name(), id)
			answers = append(answers, "--made", p.Resource.URN+"="+id)
		} else {
			r.note("%s: %s was being created, and AWS has none", stack, p.Resource.name())
		}
	}
	return answers, nil
}

// named are the types whose ID is one of their inputs. The read that follows strikes out one that does not exist.
var named = map[string]string{
	"aws:cloudwatch/dashboard:Dashboard": "dashboardName", "aws:cloudwatch/eventRule:EventRule": "name",
	"aws:cloudwatch/logGroup:LogGroup":       "name",
	"aws:cloudwatch/metricAlarm:MetricAlarm": "name", "aws:ecr/repository:Repository": "name",
	"aws:iam/instanceProfile:InstanceProfile": "name",
	"aws:iam/role:Role":                       "name", "aws:kms/alias:Alias": "name", "aws:rds/eventSubscription:EventSubscription": "name",
	"aws:rds/instance:Instance": "identifier", "aws:rds/parameterGroup:ParameterGroup": "name", "aws:rds/subnetGroup:SubnetGroup": "name",
	"aws:ssm/document:Document": "name", "aws:ssm/parameter:Parameter": "name",
}

// arns are the types whose ID is an ARN that is made of their name.
var arns = map[string]struct{ service, before string }{
	"aws:ecs/cluster:Cluster":                                   {"ecs", "cluster/"},
	"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": {"firehose", "deliverystream/"},
	"aws:sns/topic:Topic":                                       {"sns", ""},
}

// kinds are the types that are found by tag, and what their ARN has before the ID or the name.
var kinds = map[string]string{
	"aws:ec2/eip:Eip": ":elastic-ip/", "aws:ec2/flowLog:FlowLog": ":vpc-flow-log/", "aws:ec2/instance:Instance": ":instance/",
	"aws:ec2/internetGateway:InternetGateway": ":internet-gateway/", "aws:ec2/natGateway:NatGateway": ":natgateway/",
	"aws:ec2/routeTable:RouteTable": ":route-table/", "aws:ec2/securityGroup:SecurityGroup": ":security-group/",
	"aws:ec2/subnet:Subnet": ":subnet/",
	"aws:ec2/vpc:Vpc":       ":vpc/", "aws:ec2/vpcEndpoint:VpcEndpoint": ":vpc-endpoint/", "aws:kms/key:Key": ":key/",
	"aws:lb/loadBalancer:LoadBalancer": ":loadbalancer/app/", "aws:lb/targetGroup:TargetGroup": ":targetgroup/",
	"aws:s3/bucketV2:BucketV2": ":s3:::",
}

// made finds the ID of a resource whose creation was begun: by its name, or by its tags. "" is none: what hangs on another
// resource, such as a rule or an attachment, goes with that.
func made(p resource, a *account, tagged []tag) string {
	text := func(name string) string { s, _ := p.Inputs[name].(string); return s }
	if input, ok := named[p.Type]; ok {
		return text(input)
	}
	if form, ok := arns[p.Type]; ok && text("name") != "" {
		return "arn:" + a.partition + ":" + form.service + ":" + a.region + ":" + a.id + ":" + form.before + text("name")
	}
	switch p.Type {
	case "aws:sqs/queue:Queue":
		return "https://sqs." + a.region + ".amazonaws.com/" + a.id + "/" + text("name")
	case "aws:ecs/service:Service":
		cluster := text("cluster")
		cluster = cluster[strings.LastIndex(cluster, "/")+1:]
		return "arn:" + a.partition + ":ecs:" + a.region + ":" + a.id + ":service/" + cluster + "/" + text("name")
	}
	kind, ok := kinds[p.Type]
	if !ok {
		return ""
	}
	var found []string
	for _, t := range tagged {
		_, rest, ok := strings.Cut(t.arn, kind)
		if !ok {
			continue
		}
		switch {
		case strings.HasPrefix(p.Type, "aws:lb/"):
			if strings.HasPrefix(rest, text("name")+"/") {
				return t.arn
			}
		case p.Type == "aws:s3/bucketV2:BucketV2":
			if strings.HasPrefix(rest, cmp.Or(text("bucket"), text("bucketPrefix"))) {
				found = append(found, rest)
			}
		default:
			tags, _ := p.Inputs["tags"].(map[string]any)
			if name, _ := tags["Name"].(string); name == t.name {
				found = append(found, rest)
			}
		}
	}
	if len(found) != 1 { // none, or ambiguous
		return ""
	}
	return found[0]
}

func (r *run) cleanAccount(ctx context.Context) error {
	var errs []error
	for _, remover := range r.aws.removers() {
		removed, err := remover.remove(ctx, r.Project)
		for _, name := range removed {
			r.note("removed %s %s", remover.kind, name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", remover.kind, err))
		}
	}
	if r.Provider {
		user, err := r.aws.removeProvider(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("OIDC provider: %w", err))
		}
		if user != "" {
			r.note("the OIDC provider for GitHub stays: role %s uses it by now", user)
		}
	}
	return errors.Join(errs...)
}

// lingering are the kinds that AWS lists for about an hour after their deletion (VPC guide, "Delete a NAT gateway"; EC2 guide,
// "Terminate an instance"). All of them live in a VPC, which cannot be deleted before them.
var lingering = []string{":natgateway/", ":vpc-endpoint/", ":instance/", ":network-interface/"}

// look lists what still has the tag of the run. The index of tags is some minutes behind, so it looks several times.
func (r *run) look(ctx context.Context) error {
	var left []string
	for try := range 10 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(lookAgain):
			}
		}
		found, err := r.aws.tagged(ctx, r.Project)
		if err != nil {
			return err
		}
		network := slices.ContainsFunc(found, func(t tag) bool { return strings.Contains(t.arn, ":vpc/") })
		left, r.remains = nil, nil
		for _, t := range found {
			fate, err := r.aws.fate(ctx, t.arn)
			if err != nil {
				return err
			}
			if fate == "" && !network && slices.ContainsFunc(lingering, func(kind string) bool { return strings.Contains(t.arn, kind) }) {
				fate = "it is deleted with its VPC, and AWS lists it for about an hour more"
			}
			if fate != "" {
				r.remains = append(r.remains, t.arn+": "+fate)
			} else {
				left = append(left, t.arn)
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	var errs []error
	for _, arn := range left {
		errs = append(errs, fmt.Errorf("%s is still there", arn))
	}
	return errors.Join(errs...)
}

// lookAgain is how long to wait for the index of tags.
const lookAgain = 20 * time.Second
