// Package wiring holds the few values that components pass to each other: where the site is deployed (Site), where a
// workload runs (Placement), what a component offers to the app (Offer), and what a workload gets of that (Binding).
package wiring

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// A Site identifies a deployment, its account and its region. Its methods make the physical names of resources that AWS
// or people look up by name.
type Site struct {
	Project, Stack               string
	Partition, Region, AccountID string // "aws", "us-east-1", "123456789012"
	Zones                        []string
	Protect                      bool // stateful resources must not be deleted by mistake
	Snapshot                     bool // deleting the database leaves a final snapshot; always so in a protected stack

	Boundary pulumi.StringPtrInput // ARN of the permissions boundary of every role; nil: none

	Runbook string // where docs/runbook.md is published, to which alarms link; "": the page of this version

	TagPrefix string // of the stack's own tags: nothing, or slipway: beside tags of the same name that the user sets
}

// Tag is the key of one of the tags by which a resource belongs to this stack: Tag("project"), Tag("stack").
func (s Site) Tag(name string) string { return s.TagPrefix + name }

// Name is the physical name of part in this stack: project-stack-part. It is unique among the stacks of an account.
func (s Site) Name(part string) string { return fmt.Sprintf("%s-%s-%s", s.Project, s.Stack, part) }

// Path is the hierarchical name of part, for SSM parameters and log groups: /project/stack/part.
func (s Site) Path(part ...string) string {
	return "/" + strings.Join(append([]string{s.Project, s.Stack}, part...), "/")
}

// ARN is the ARN of a resource in this account and region, such as ARN("logs", "log-group:/x").
func (s Site) ARN(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", s.Partition, service, s.Region, s.AccountID, resource)
}

// A Placement is where a workload runs: subnets without public addresses, and its security groups from the firewall table.
type Placement struct {
	Subnets        pulumi.StringArrayInput
	SecurityGroups pulumi.StringArrayInput
}

// A Binding is what a workload gets: environment variables, secrets by ARN, and permissions.
type Binding struct {
	Env     map[string]pulumi.StringInput // plain environment variables
	Secrets map[string]Secret             // environment variables whose values the program never sees
	Grants  []policy.Statement            // for the workload's task role
}

// A Secret is an SSM SecureString parameter that becomes an environment variable of a container.
type Secret struct {
	ARN     pulumi.StringInput
	KeyARN  pulumi.StringInput // the KMS key that decrypts it
	Version pulumi.IntInput    // increases whenever the value changes
}
