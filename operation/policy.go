package operation

import (
	"context"
	"errors"

	"slipway/cicd"
	"slipway/config"
	"slipway/internal/wiring"
)

// modelAccount is the account of a model whose stack names none.
const modelAccount = "123456789012"

// A Policy is an IAM policy for a stack.
type Policy struct {
	Document string
	Account  string
	Modelled bool // no account is known: the model's is in the policy
}

// OnCallPolicy is the IAM policy of a person on call.
func OnCallPolicy(ctx context.Context, t Target) (p Policy, err error) {
	c, err := configure(t)
	if err != nil {
		return p, err
	}
	switch {
	case t.Live:
		a, err := openAccount(ctx, t, c, "policy")
		if err != nil {
			return p, err
		}
		p.Account = a.Identity().Account
		if err := a.Close(); err != nil {
			return p, err
		}
	case len(c.accounts) > 0:
		p.Account = c.accounts[0]
	default:
		p.Account, p.Modelled = modelAccount, true
	}
	backend, err := c.backend(t)
	if err != nil {
		return p, err
	}
	site := wiring.Site{
		Project: c.stack.Project, Stack: c.stack.Name, Partition: config.Partition(c.stack.Region), Region: c.stack.Region,
		AccountID: p.Account, TagPrefix: c.stack.TagPrefix(),
	}
	p.Document, err = cicd.OnCall(cicd.OnCallArgs{
		Site: site, StateBucket: backend.Bucket, StateKeyARN: backend.Key, Database: site.Path("db/password"),
		Psql: c.stack.Database.PsqlImage != "",
	})
	if err == nil && len(p.Document) > inlinePolicyLimit {
		err = errors.New("the policy is longer than a role takes")
	}
	return p, err
}

// backend is where the state of the stack is: as its file says, or as a rehearsed bootstrap made it.
func (c *configuration) backend(t Target) (config.Backend, error) {
	backend := c.stack.Backend
	if t.Live || backend.Bucket != "" {
		return backend, nil
	}
	if err := c.overlay(t.dir()); err != nil {
		return backend, err
	}
	if node := valueOf(c.engine.Node, c.stack.Project+":backend"); node != nil {
		var written struct {
			Bucket string `yaml:"bucket"`
			Key    string `yaml:"key"`
		}
		if err := node.Decode(&written); err != nil {
			return backend, err
		}
		backend.Bucket, backend.Key = written.Bucket, written.Key
	}
	return backend, nil
}

// inlinePolicyLimit is the size of a role's inline policies, without white space; a managed policy takes 6,144 (IAM guide, "IAM and AWS STS
// quotas").
const inlinePolicyLimit = 10240
