package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"slipway/bootstrap"
	"slipway/cicd"
	"slipway/engine"
	"slipway/internal/wiring"
	"slipway/operation/account/awsaccount"
)

func (t *tool) bootstrapCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bootstrap",
		Short: "Make what a stack needs in its account before it can be deployed",
		Long: `Bootstrap makes, once, what must be in an account before a stack can be deployed to it: a bucket for the state
(versioned, encrypted, private, TLS only), a KMS key that encrypts the state and the secrets in it, and, if the stack
names a GitHub repository, the account's OIDC provider for GitHub, the deploy role, the read role for whoever the stack
says may only look, and the permissions boundary of all other roles of the stack. With --live it then writes the stack's
settings into Pulumi.<stack>.yaml.

It can be run again at any time: what is there is found, what is missing is made, what somebody changed is put right and
told. What belongs to somebody else is refused. In the rehearsal all of it happens in the model, and the file is left as
it is. None of it is deleted by destroy.

Cost: $1 a month for the key.`,
		Example: `  slipway bootstrap --stack prod
  slipway bootstrap --stack prod --live`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.bootstrap(cmd.Context()) },
	}
}

// A setting is one thing that bootstrap writes into Pulumi.<stack>.yaml.
type setting struct {
	Path  []string `json:"path"`
	Value any      `json:"value"`
}

func (s setting) String() string { return strings.Join(s.Path, " ") + " = " + shown(s.Value) }

func (t *tool) bootstrap(ctx context.Context) (err error) {
	c, err := t.configure()
	if err != nil {
		return err
	}
	var ground bootstrap.Account
	var where *place
	if t.live {
		if err := t.foreignSecrets(c); err != nil {
			return err
		}
		if where, err = t.findPlace(ctx, c); err != nil {
			return err
		}
		if err := t.agree("bootstrap", where); err != nil {
			return err
		}
		ground = awsaccount.NewBootstrap(where.aws)
	} else {
		s, err := t.open(ctx, c, stackDir(c.root, t.stack), "bootstrap", false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		account := s.model.Account
		where = &place{account: account.AccountID, region: c.stack.Region, caller: "arn:" + account.Partition + ":iam::" + account.AccountID + ":root"}
		ground = modelGround{account}
	}

	laid, err := t.foundation(c, where).Apply(ctx, ground)
	for _, p := range laid.Outcomes {
		t.say("%s", p)
	}
	if err != nil {
		return fmt.Errorf("%w\nwhat was made before it stays; run bootstrap again when this is settled", err)
	}
	settings, err := t.settings(ctx, c, where, laid, ground)
	if err != nil {
		return err
	}
	file := filepath.Join(c.root, "Pulumi."+t.stack+".yaml")
	if t.live {
		if len(settings) > 0 {
			if err := writeSettings(file, settings); err != nil {
				return err
			}
		}
		if err := t.begin(ctx); err != nil {
			return err
		}
	} else if err := writeSettings(overlayFile(stackDir(c.root, t.stack)), settings); err != nil {
		return err
	}
	t.sayBootstrapped(where, file, settings)
	return t.print(struct {
		Stack   string `json:"stack"`
		Live    bool   `json:"live"`
		Account string `json:"account"`
		Region  string `json:"region"`
		bootstrap.Result
		Settings []setting `json:"settings"` // that were not in the stack's file, and in a rehearsal are not yet
	}{t.stack, t.live, where.account, where.region, laid, append([]setting{}, settings...)}, func() {})
}

func (t *tool) sayBootstrapped(where *place, file string, settings []setting) {
	name := filepath.Base(file)
	switch {
	case !t.live:
		t.say("This was the model of AWS. With --live, %s would get:", name)
	case len(settings) > 0:
		t.say("%s got:", name)
	default:
		t.say("%s has all its settings.", name)
	}
	for _, s := range settings {
		t.say("  %s", s)
	}
	if t.live {
		t.say("Stack %s can be deployed to %s. Next:\n"+
			"  pulumi login '%s': then pulumi config set --secret works, see README.md\n"+
			"  slipway preview%[4]s --live\n"+
			"  git commit %[5]s: everybody who deploys needs these settings; none of them is secret", t.stack, where, t.backendURL, t.stackFlag(), name)
	}
}

// foundation is what the stack needs in a place.
func (t *tool) foundation(c *configuration, where *place) *bootstrap.Spec {
	partition := strings.Split(where.caller, ":")[1]
	here := wiring.Site{Project: c.stack.Project, Stack: c.stack.Name, Partition: partition, Region: where.region, AccountID: where.account}
	f := &bootstrap.Spec{
		Stack: c.stack.Project + "-" + c.stack.Name, Account: where.account, Partition: partition, Region: where.region,
		// The names of buckets are one space for the whole world.
		Bucket: cmp.Or(c.stack.Backend.Bucket, here.Name("state")+"-"+where.account+"-"+where.region),
		Alias:  "alias/" + here.Name("state"), Readers: c.stack.Promotion.To,
	}
	if github := c.stack.GitHub; github.Repository != "" {
		f.Boundary = t.boundaryOf(here, github.Boundary)
		f.RolesFor = func(keyARN string) (deploy, read *bootstrap.Role, err error) {
			deployer, reader, err := (&cicd.DeployerArgs{
				Site: here, Repository: github.Repository, Environments: github.Environments, Branches: github.Branches,
				ReadBranches: github.ReadBranches, ReadPullRequests: github.ReadPullRequests,
				ProviderARN: github.Provider, Sources: c.stack.Promotion.From, BoundaryARN: github.Boundary, StateBucket: f.Bucket, StateKeyARN: keyARN,
			}).Papers()
			if err != nil {
				return nil, nil, err
			}
			return t.roleOf(deployer, "the deploy role", "github.role", github.Role), t.roleOf(reader, "the read role", "github.readRole", github.ReadRole), nil
		}
	}
	return f
}

// roleOf is the role that a paper describes, nil if there is no paper or the stack names a role of its owner's in its
// place.
func (t *tool) roleOf(paper *cicd.Paper, what, key, named string) *bootstrap.Role {
	if paper == nil {
		return nil
	}
	if named != "" && !strings.HasSuffix(named, "/"+paper.Name) {
		t.say("%s is %s, a role of your own: it is left as it is.", key, named)
		return nil
	}
	role := &bootstrap.Role{
		What: what, Name: paper.Name, Description: paper.Description, SessionSeconds: int32(paper.SessionSeconds),
		Issuer: paper.Issuer, ProviderARN: paper.ProviderARN, Trust: paper.Trust,
	}
	for _, p := range paper.Policies {
		role.Policies = append(role.Policies, bootstrap.Policy(p))
	}
	return role
}

// boundaryOf is the permissions boundary of a stack's roles, nil if the stack names one of its owner's in its place.
func (t *tool) boundaryOf(here wiring.Site, named string) *bootstrap.Policy {
	paper := (&cicd.BoundaryArgs{Site: here}).Paper()
	if named != "" && !strings.HasSuffix(named, "/"+paper.Name) {
		t.say("github.boundary is %s, a policy of your own: it is left as it is.", named)
		return nil
	}
	policy := bootstrap.Policy(paper)
	return &policy
}

// foreignSecrets refuses a file with secrets that another provider has encrypted: with the key that bootstrap makes nobody
// could read them.
func (t *tool) foreignSecrets(c *configuration) error {
	var names []string
	var look func(path string, n *yaml.Node)
	look = func(path string, n *yaml.Node) {
		if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "secure" {
			names = append(names, path)
			return
		}
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			look(strings.TrimPrefix(path+"."+n.Content[i].Value, "."), n.Content[i+1])
		}
	}
	look("", c.engine.Node)
	if len(names) == 0 || c.seal.Provider != "" && c.seal.EncryptedKey != "" {
		return nil
	}
	return fmt.Errorf("file Pulumi.%s.yaml has secrets that were encrypted for another backend: %s\n"+
		"nothing was done; take them out, bootstrap, and set them again: pulumi config set --path --secret", t.stack, strings.Join(names, ", "))
}

// settings are what the stack's file must say and does not yet.
func (t *tool) settings(ctx context.Context, c *configuration, where *place, laid bootstrap.Result, ground bootstrap.Account) ([]setting, error) {
	var all []setting
	want := func(has bool, value any, path ...string) {
		if !has {
			all = append(all, setting{path, value})
		}
	}
	if aws, ok := ground.(*awsaccount.Bootstrap); ok {
		provider := engine.KMS(laid.Key, where.region)
		t.backendURL = engine.S3(laid.Bucket, where.region, c.profile)
		if c.seal.Provider != "" && c.seal.Provider != provider {
			return nil, fmt.Errorf("file Pulumi.%s.yaml says secretsprovider: %s, and bootstrap's key is %s\n"+
				"nothing was written; change it with: pulumi stack change-secrets-provider '%[3]s'", t.stack, c.seal.Provider, provider)
		}
		if c.seal.EncryptedKey == "" {
			key, err := aws.DataKey(ctx, laid.Key)
			if err != nil {
				return nil, err
			}
			want(c.seal.Provider == provider, provider, "secretsprovider")
			want(false, key, "encryptedkey")
		}
	}
	project := c.stack.Project
	backend := c.stack.Backend
	want(backend.Bucket == laid.Bucket && backend.Key == laid.Key, map[string]string{"bucket": laid.Bucket, "key": laid.Key}, "config", project+":backend")
	if laid.Provider != "" {
		want(c.stack.GitHub.Provider == laid.Provider, laid.Provider, "config", project+":github", "provider")
	}
	if laid.Role != "" {
		want(c.stack.GitHub.Role == laid.Role, laid.Role, "config", project+":github", "role")
	}
	if laid.ReadRole != "" {
		want(c.stack.GitHub.ReadRole == laid.ReadRole, laid.ReadRole, "config", project+":github", "readRole")
	}
	if laid.Boundary != "" {
		want(c.stack.GitHub.Boundary == laid.Boundary, laid.Boundary, "config", project+":github", "boundary")
	}
	want(len(c.accounts) > 0, []string{where.account}, "config", "aws:allowedAccountIds")
	return all, nil
}

// writeSettings puts settings into a YAML file, made if it is not there. Comments stay where they are.
func writeSettings(file string, settings []setting) error {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(document.Content) == 0 {
		document = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	for _, s := range settings {
		at := document.Content[0]
		for _, step := range s.Path {
			if at, err = child(at, step); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		head, line, foot := at.HeadComment, at.LineComment, at.FootComment
		if err := at.Encode(s.Value); err != nil {
			return err
		}
		at.HeadComment, at.LineComment, at.FootComment = head, line, foot
		if s.Path[len(s.Path)-1] == "aws:allowedAccountIds" { // an account is a text, not a number
			for _, id := range at.Content {
				id.Style = yaml.DoubleQuotedStyle
			}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return err
	}
	return renameio.WriteFile(file, out.Bytes(), 0o644)
}

// begin makes the stack itself in its new backend, with the settings that were written.
func (t *tool) begin(ctx context.Context) (err error) {
	c, err := t.configure()
	if err != nil {
		return err
	}
	s, err := t.openLive(ctx, c, "read")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.stack.Init(ctx)
}

// overlayFile is what a rehearsed bootstrap would have written into the stack's file. The rehearsal's operations read it
// as if it had.
func overlayFile(dir string) string { return filepath.Join(dir, "bootstrap.yaml") }

// overlay puts the settings of a rehearsed bootstrap over the stack's own.
func (c *configuration) overlay(dir string) error {
	data, err := os.ReadFile(overlayFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	over, err := configOf(data)
	if err != nil {
		return fmt.Errorf("%s: %w", overlayFile(dir), err)
	}
	return merge(c.engine.Node, over)
}

func merge(node, over *yaml.Node) error {
	for i := 0; i+1 < len(over.Content); i += 2 {
		at, err := child(node, over.Content[i].Value)
		if err != nil {
			return err
		}
		if value := over.Content[i+1]; value.Kind == yaml.MappingNode && at.Kind == yaml.MappingNode {
			if err := merge(at, value); err != nil {
				return err
			}
		} else {
			*at = *value
		}
	}
	return nil
}
