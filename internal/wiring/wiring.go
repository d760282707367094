// Package wiring holds the few plain values through which components speak to each other: where the site lives (Site),
// where a workload lives (Placement), and what a workload needs in order to use a thing (Binding).
package wiring

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// A Site says which deployment this is and in which account and region; its names are the physical names of resources
// that AWS or people look up by name.
type Site struct {
	Project, Stack               string
	Partition, Region, AccountID string // "aws", "us-east-1", "123456789012"
	Zones                        []string
	Protect                      bool // a stack whose stateful resources must not be deleted by mistake
	Snapshot                     bool // the database leaves a last snapshot when it is deleted; so does that of a protected stack

	Boundary pulumi.StringPtrInput // ARN of the permissions boundary of every role; nil: none
}

// Name is the physical name of part in this stack: project-stack-part. Two stacks of one account never share it.
func (s Site) Name(part string) string { return fmt.Sprintf("%s-%s-%s", s.Project, s.Stack, part) }

// Path is the hierarchical name of part, for SSM parameters and log groups: /project/stack/part.
func (s Site) Path(part ...string) string {
	return "/" + strings.Join(append([]string{s.Project, s.Stack}, part...), "/")
}

// ARN is the name of a resource of this account and region, such as ARN("logs", "log-group:/x").
func (s Site) ARN(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", s.Partition, service, s.Region, s.AccountID, resource)
}

// A Placement is where a workload runs: subnets without a public address, and the security groups that the firewall
// table gives it.
type Placement struct {
	Subnets        pulumi.StringArrayInput
	SecurityGroups pulumi.StringArrayInput
}

// A Binding is what a workload needs in order to use a thing: settings it is told, secrets it is given by ARN, and
// what it is allowed to do. The owner of a thing makes the Binding, because the owner knows what using it takes.
type Binding struct {
	Env     map[string]pulumi.StringInput // plain settings
	Secrets map[string]Secret             // settings whose value is never seen by the program
	Grants  []policy.Statement            // for the workload's task role
}

// A Secret is an SSM SecureString parameter that becomes an environment variable of a container.
type Secret struct {
	ARN     pulumi.StringInput
	KeyARN  pulumi.StringInput // the KMS key that decrypts it
	Version pulumi.IntInput    // counts up whenever the value changes
}

// Join makes one Binding of several. A name that two of them tell differently is a mistake in the program.
func Join(bindings ...Binding) (Binding, error) {
	all := Binding{Env: map[string]pulumi.StringInput{}, Secrets: map[string]Secret{}}
	for _, b := range bindings {
		for name, value := range b.Env {
			if all.has(name) {
				return Binding{}, fmt.Errorf("wiring: %s is told twice", name)
			}
			all.Env[name] = value
		}
		for name, secret := range b.Secrets {
			if all.has(name) {
				return Binding{}, fmt.Errorf("wiring: %s is told twice", name)
			}
			all.Secrets[name] = secret
		}
		all.Grants = append(all.Grants, b.Grants...)
	}
	return all, nil
}

func (b Binding) has(name string) bool {
	_, env := b.Env[name]
	_, secret := b.Secrets[name]
	return env || secret
}
