package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"slipway/drift"
	"slipway/engine"
	"slipway/site"
)

// A place is where a stack is deployed for real: an account, in a region, with somebody's credentials.
type place struct {
	aws     aws.Config
	account string
	region  string
	caller  string // the ARN of whoever the credentials are
}

func (p *place) String() string { return "account " + p.account + " in " + p.region }

// findPlace finds out whose credentials these are, and refuses them if they are not for the stack: another account, or
// another region than the stack's. Nothing else is asked or done before.
func (t *tool) findPlace(ctx context.Context, c *configuration) (*place, error) {
	p, asked, err := t.findCaller(ctx, c)
	if err == nil && (!c.admits(p.account) || asked != "" && asked != p.region) {
		return nil, t.foreign(c, p, asked)
	}
	return p, err
}

// findCaller finds out whose credentials these are, and for which region they ask; "": for none.
func (t *tool) findCaller(ctx context.Context, c *configuration) (p *place, asked string, err error) {
	ctx, cancel := context.WithTimeout(ctx, placePatience)
	defer cancel()
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(c.profile))
	if err != nil {
		return nil, "", fmt.Errorf("AWS configuration: %w", err)
	}
	asked, cfg.Region = cfg.Region, c.stack.Region
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, asked, fmt.Errorf("no AWS credentials for stack %s: %w\nlog in, or set AWS_PROFILE; aws sts get-caller-identity must work", t.stack, err)
	}
	return &place{aws: cfg, account: aws.ToString(caller.Account), region: cfg.Region, caller: aws.ToString(caller.Arn)}, asked, nil
}

// foreign says that the credentials are not for the stack.
func (t *tool) foreign(c *configuration, p *place, asked string) error {
	wanted := "its account"
	if allowed := c.allowed(); len(allowed) > 0 {
		wanted = "account " + strings.Join(allowed, " or ")
	}
	return fmt.Errorf("stack %s belongs to %s in %s, but the caller is %s of account %s in %s; nothing was done\n"+
		"take other credentials (AWS_PROFILE) or another region (AWS_REGION), or correct aws:allowedAccountIds or aws:region in Pulumi.%s.yaml",
		t.stack, wanted, p.region, p.caller, p.account, cmp.Or(asked, "no region"), t.stack)
}

const placePatience = 30 * time.Second

// allowed are the accounts that a stack may be deployed to: those that it names, or the one that its state is in.
func (c *configuration) allowed() []string {
	if key := strings.Split(c.stack.Backend.Key, ":"); len(c.accounts) == 0 && len(key) > 4 {
		return []string{key[4]}
	}
	return c.accounts
}

func (c *configuration) admits(account string) bool {
	allowed := c.allowed()
	return len(allowed) == 0 || slices.Contains(allowed, account)
}

func (t *tool) homeless() error {
	return fmt.Errorf("stack %s has no place for its state yet; begin with: slipway bootstrap%s --live", t.stack, t.stackFlag())
}

// A seal is the part of Pulumi.<stack>.yaml that says what encrypts the stack's secrets.
type seal struct {
	Provider     string `yaml:"secretsprovider"`
	EncryptedKey string `yaml:"encryptedkey"`
	Salt         string `yaml:"encryptionsalt"`
}

// openLive sets the stage in the stack's own account: the official providers, the state in the stack's bucket, secrets
// that the engine decrypts. The workspace is a folder of this run alone, so that a setting for this run (--config) never
// comes into the user's file.
func (t *tool) openLive(ctx context.Context, c *configuration, operation string) (*stage, error) {
	if c.stack.Backend.Bucket == "" || c.seal.EncryptedKey == "" {
		return nil, t.homeless()
	}
	where, err := t.findPlace(ctx, c)
	if err != nil {
		return nil, err
	}
	if slices.Contains(asks, operation) {
		if err := t.agree(operation, where); err != nil {
			return nil, err
		}
	}
	cli, err := engine.FindCLI(ctx, t.say)
	if err != nil {
		return nil, err
	}
	t.interrupts.engine(cli)
	env := engine.Surroundings()
	if c.profile != "" { // which the engine needs for its secrets provider as well
		env["AWS_PROFILE"] = c.profile
	}
	home, err := engine.PluginHome()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "slipway-"+t.stack+"-")
	if err != nil {
		return nil, err
	}
	t.after = append(t.after, func() error { return os.RemoveAll(dir) })
	// The program names the folders of the images from the project's, and the docker plugin looks for them from here.
	contexts := filepath.Join(c.root, ".slipway")
	if err := os.MkdirAll(contexts, 0o700); err != nil {
		return nil, err
	}
	if err := os.Symlink(contexts, filepath.Join(dir, ".slipway")); err != nil {
		return nil, err
	}
	s := &stage{live: where, progress: newProgress(t.stderr)}
	s.stack, err = engine.Open(engine.Options{
		CLI: cli, Dir: dir, Stack: t.stack, Project: c.project, Config: c.engine, Env: env, Home: home,
		Program: t.program(c, s, site.Options{}),
		Backend: &engine.Backend{
			URL:             engine.S3(c.stack.Backend.Bucket, where.region, c.profile),
			SecretsProvider: c.seal.Provider, EncryptedKey: c.seal.EncryptedKey,
		},
		GitHub:  engine.GitHub{API: os.Getenv("GITHUB_API_URL"), Token: os.Getenv("GITHUB_TOKEN"), Own: engine.GitHubRunOf(os.Getenv)},
		OnEvent: s.progress.told, Logf: s.progress.logf, ReadBack: drift.Outdated,
	})
	if err != nil {
		err = errors.Join(err, s.close())
	}
	return s, err
}

// asks are the operations that ask before anything is done. Promote and rollback ask when they have shown what they would
// change, destroy asks by itself.
var asks = []string{"up", "bootstrap"}

// agree asks whether to go on, where there is somebody to ask.
func (t *tool) agree(operation string, where *place) error {
	if t.yes {
		return nil
	}
	answer, err := t.ask(fmt.Sprintf("This is %s of stack %s in %s, as %s. Go on? Only yes goes on: ", operation, t.stack, where, where.caller))
	if err != nil {
		return fmt.Errorf("%s of stack %s changes %s: %w; say --yes", operation, t.stack, where, err)
	}
	if answer != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// errNobody says that there is no terminal to ask on.
var errNobody = errors.New("there is nobody to ask")

// ask asks a question on the terminal, and gives the line that was typed; "" if there was none. Ctrl-C is no answer either.
func (t *tool) ask(question string) (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", errNobody
	}
	fmt.Fprint(t.stderr, question)
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // which an interrupt does not wait for: nothing ends the reading of a terminal
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-t.interrupts.ctx.Done():
		fmt.Fprintln(t.stderr)
		return "", nil
	case a := <-answered:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", a.err
		}
		return strings.TrimSpace(a.line), nil
	}
}

// sealOf reads what encrypts the secrets of a stack's file.
func sealOf(data []byte) (seal, error) {
	var s seal
	err := yaml.Unmarshal(data, &s)
	return s, err
}
