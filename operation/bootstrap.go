package operation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"gopkg.in/yaml.v3"

	"slipway/bootstrap"
	"slipway/cicd"
	"slipway/engine"
	"slipway/internal/wiring"
	"slipway/operation/account"
	"slipway/site"
)

// A Setting is one key that bootstrap writes into Pulumi.<stack>.yaml.
type Setting struct {
	Path  []string `json:"path"`
	Value any      `json:"value"`
}

// Bootstrapped is what a bootstrap did.
type Bootstrapped struct {
	Where    account.Identity
	Result   bootstrap.Result
	Settings []Setting // that were not in the stack's file, and in a rehearsal are not yet
	Backend  string    // the URL of the state; "" in a rehearsal
}

// bootstrapping is one bootstrap.
type bootstrapping struct {
	target  Target
	config  *configuration
	account account.Account
}

// Bootstrap creates what a stack needs in its account before it can be deployed to it, and writes the stack's settings.
func Bootstrap(ctx context.Context, t Target) (report *Bootstrapped, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	b := &bootstrapping{target: t, config: c}
	if t.Live {
		if err := b.foreignSecrets(); err != nil {
			return nil, err
		}
	}
	if b.account, err = openAccount(ctx, t, c, "bootstrap"); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, b.account.Close())
		if running := b.account.Containers(); running != nil {
			err = errors.Join(err, running.Close())
		}
	}()

	made, err := b.spec().Apply(ctx, b.account.Bootstrap())
	for _, p := range made.Outcomes {
		t.Progress.Logf("%s", p)
	}
	if foreign := new(bootstrap.ForeignError); errors.As(err, &foreign) {
		return nil, b.foreign(err, foreign)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\nwhat was created before stays; run bootstrap again when this is settled", err)
	}
	settings, err := b.settings(ctx, made)
	if err != nil {
		return nil, err
	}
	report = &Bootstrapped{Where: b.account.Identity(), Result: made, Settings: append([]Setting{}, settings...)}
	if !t.Live {
		return report, writeSettings(overlayFile(t.dir()), settings)
	}
	if len(settings) > 0 {
		if err := writeSettings(c.file, settings); err != nil {
			return nil, err
		}
	}
	report.Backend = engine.S3(made.Bucket, report.Where.Region, c.profile)
	return report, createStack(ctx, t)
}

// foreign says what to do when another project of the same name has bootstrapped the account.
func (b *bootstrapping) foreign(err error, found *bootstrap.ForeignError) error {
	name := "Pulumi." + b.target.Stack + ".yaml"
	line := fmt.Sprintf("%s:backend: {bucket: %s, key: %s}", b.config.stack.Project, b.spec().Bucket, found.ID)
	if found.What != "the key" {
		line = fmt.Sprintf("%s:github: its ARN, as role or readRole", b.config.stack.Project)
	}
	return fmt.Errorf("%w\nnothing of it was changed: two projects named %s in one account would share state, secrets and roles\n"+
		"give this project another name in Pulumi.yaml, or the stack another name or account. If it is the same project, from another folder or "+
		"computer, take its %s, or add to this one, under config: %s", err, b.config.stack.Project, name, line)
}

// owner is the project as the tag of what bootstrap creates: the computer and the folder. The name in Pulumi.yaml, and the
// repository that a template was cloned from, can be those of another project.
func owner(root string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	return bootstrap.Owned(host + ":" + root)
}

// written is a setting of the project as the stack's file has it, or in a rehearsal what its last bootstrap would have written.
func (b *bootstrapping) written(path ...string) string {
	at := valueOf(b.config.engine.Node, b.config.stack.Project+":"+path[0])
	if at != nil {
		at = valueOf(at, path[1])
	}
	if at == nil {
		return ""
	}
	return at.Value
}

// createStack creates the stack itself in its new backend, with the settings that were written.
func createStack(ctx context.Context, t Target) (err error) {
	c, err := configure(t)
	if err != nil {
		return err
	}
	s, err := open(ctx, t, c, openArgs{operation: "read"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.stack.Init(ctx)
}

// spec is what the stack needs in an account.
func (b *bootstrapping) spec() *bootstrap.Spec {
	c, where := b.config, b.account.Identity()
	here := wiring.Site{Project: c.stack.Project, Stack: c.stack.Name, Partition: where.Partition, Region: where.Region,
		AccountID: where.Account, TagPrefix: c.stack.TagPrefix()}
	f := &bootstrap.Spec{
		Stack: c.stack.Project + "-" + c.stack.Name, Account: where.Account, Partition: where.Partition, Region: where.Region,
		// Bucket names are globally unique.
		Bucket: cmp.Or(c.stack.Backend.Bucket, here.Name("state")+"-"+where.Account+"-"+where.Region),
		Alias:  "alias/" + here.Name("state"), Readers: c.stack.Promotion.To,
		ServiceRoles: slices.Clone(bootstrap.ServiceRoles), Owner: owner(c.root), KeyARN: b.written("backend", "key"),
	}
	if c.stack.WAF.Enabled {
		f.ServiceRoles = append(f.ServiceRoles, bootstrap.WAFServiceRole)
	}
	if c.stack.Cache.Enabled() {
		f.ServiceRoles = append(f.ServiceRoles, bootstrap.CacheServiceRole)
	}
	if github := c.stack.GitHub; github.Repository != "" {
		f.Boundary = b.boundaryOf(here, github.Boundary)
		f.RolesFor = func(keyARN string) (deploy, read *bootstrap.Role, err error) {
			deployer, reader, err := (&cicd.DeployerArgs{
				Site: here, Facts: site.Catalog(here), Repository: github.Repository, OwnerID: github.OwnerID, RepositoryID: github.RepositoryID,
				Environments: github.Environments, Branches: github.Branches,
				ReadBranches: github.ReadBranches, ReadPullRequests: github.ReadPullRequests,
				ProviderARN: github.Provider, Sources: c.stack.Promotion.From, BoundaryARN: github.Boundary, StateBucket: f.Bucket, StateKeyARN: keyARN,
			}).RoleSpecs()
			if err != nil {
				return nil, nil, err
			}
			return b.roleOf(deployer, "the deploy role", "github.role", github.Role),
				b.roleOf(reader, "the read role", "github.readRole", github.ReadRole), nil
		}
	}
	return f
}

// roleOf is the role that a spec describes, nil if there is no spec or the stack names a role of its own instead.
func (b *bootstrapping) roleOf(spec *cicd.RoleSpec, what, key, named string) *bootstrap.Role {
	if spec == nil {
		return nil
	}
	if named != "" && !strings.HasSuffix(named, "/"+spec.Name) {
		b.target.Progress.Logf("%s is %s, a role of your own: it is left as it is.", key, named)
		return nil
	}
	role := &bootstrap.Role{
		What: what, Name: spec.Name, Description: spec.Description, SessionSeconds: int32(spec.SessionSeconds),
		Issuer: spec.Issuer, ProviderARN: spec.ProviderARN, Trust: spec.Trust, ARN: b.written(strings.Split(key, ".")...),
	}
	for _, p := range spec.Policies {
		role.Policies = append(role.Policies, bootstrap.Policy(p))
	}
	return role
}

// boundaryOf is the permissions boundary of a stack's roles, nil if the stack names one of its owner's in its place.
func (b *bootstrapping) boundaryOf(here wiring.Site, named string) *bootstrap.Policy {
	spec := (&cicd.BoundaryArgs{Site: here, Facts: site.Catalog(here)}).PolicySpec()
	if named != "" && !strings.HasSuffix(named, "/"+spec.Name) {
		b.target.Progress.Logf("github.boundary is %s, a policy of your own: it is left as it is.", named)
		return nil
	}
	policy := bootstrap.Policy(spec)
	return &policy
}

// foreignSecrets refuses a file with secrets that another provider has encrypted: they cannot be read with the key that
// bootstrap creates.
func (b *bootstrapping) foreignSecrets() error {
	c := b.config
	var names []string
	var look func(path string, n *yaml.Node)
	look = func(path string, n *yaml.Node) {
		if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "secure" {
			if n.Content[1].Value != StandIn {
				names = append(names, path)
			}
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
		"nothing was done; take them out, bootstrap, and set them again: slipway secret set NAME%s", b.target.Stack,
		strings.Join(names, ", "), b.target.Flags())
}

// settings are the keys that the stack's file lacks.
func (b *bootstrapping) settings(ctx context.Context, made bootstrap.Result) ([]Setting, error) {
	c, where := b.config, b.account.Identity()
	var all []Setting
	want := func(has bool, value any, path ...string) {
		if !has {
			all = append(all, Setting{path, value})
		}
	}
	if keys, ok := b.account.(account.DataKeyMaker); ok {
		provider := engine.KMS(made.Key, where.Region)
		if c.seal.Provider != "" && c.seal.Provider != provider {
			return nil, fmt.Errorf("file Pulumi.%s.yaml says secretsprovider: %s, and bootstrap's key is %s\n"+
				"nothing was written; change it with: pulumi stack change-secrets-provider '%[3]s'", b.target.Stack, c.seal.Provider, provider)
		}
		if c.seal.EncryptedKey == "" {
			key, err := keys.DataKey(ctx, made.Key)
			if err != nil {
				return nil, err
			}
			want(c.seal.Provider == provider, provider, "secretsprovider")
			want(false, key, "encryptedkey")
		}
	}
	project := c.stack.Project
	backend := c.stack.Backend
	want(backend.Bucket == made.Bucket && backend.Key == made.Key, map[string]string{"bucket": made.Bucket, "key": made.Key},
		"config", project+":backend")
	if made.Provider != "" {
		want(c.stack.GitHub.Provider == made.Provider, made.Provider, "config", project+":github", "provider")
	}
	if made.Role != "" {
		want(c.stack.GitHub.Role == made.Role, made.Role, "config", project+":github", "role")
	}
	if made.ReadRole != "" {
		want(c.stack.GitHub.ReadRole == made.ReadRole, made.ReadRole, "config", project+":github", "readRole")
	}
	if made.Boundary != "" {
		want(c.stack.GitHub.Boundary == made.Boundary, made.Boundary, "config", project+":github", "boundary")
	}
	want(len(c.accounts) > 0, []string{where.Account}, "config", "aws:allowedAccountIds")
	return all, nil
}

// writeSettings puts settings into a YAML file, made if it is not there. Comments stay where they are.
func writeSettings(file string, settings []Setting) error {
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
		if s.Path[len(s.Path)-1] == "aws:allowedAccountIds" { // an account ID is a string, not a number
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
