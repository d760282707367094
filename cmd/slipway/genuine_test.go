package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"slipway/engine"
	"slipway/internal/awstest"
	"slipway/internal/image"
)

// genuine is the folder of the genuine AWS provider, and the CLI. Without the provider the test is skipped.
func genuine(t *testing.T) (plugins string, cli *engine.CLI) {
	t.Helper()
	if os.Getenv("SLIPWAY_CONFORMANCE") != "moto" {
		t.Skip("set SLIPWAY_CONFORMANCE=moto to deploy with the genuine AWS provider")
	}
	plugins, err := awstest.Plugins()
	if err != nil {
		t.Skip(err)
	}
	if cli, err = engine.FindCLI(t.Context(), t.Logf); err != nil {
		t.Fatal(err)
	}
	return plugins, cli
}

// TestGenuine runs testdata/genuine/*.txtar: the command with --live from the first bootstrap to the last destroy, with the
// genuine AWS provider, in two accounts of one moto server. A stand-in for docker builds images of one small layer and pushes
// them to a registry under ECR's own host names; slipway copies them between the accounts.
//
// It takes minutes, because the provider waits between its polls, so it runs only if SLIPWAY_CONFORMANCE is "moto".
func TestGenuine(t *testing.T) {
	plugins, cli := genuine(t)
	work := t.TempDir()
	ends, back, writes := filepath.Join(work, "task-ends-with"), filepath.Join(work, "rolls-back"), filepath.Join(work, "task-writes")
	a := &accounts{
		url:   awstest.Genuine(t, "SERVE_TASK_ENDS_WITH="+ends, "SERVE_ROLLS_BACK="+back, "SERVE_TASK_WRITES="+writes),
		first: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"},
	}
	a.second = a.assume(t, secondAccount)
	images, authority := a.registry(t, work)
	ask, err := filepath.Abs("../../conformance/ask.py")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/genuine",
		Setup: func(env *testscript.Env) error {
			if err := furnishLive(env, cli); err != nil {
				return err
			}
			home := filepath.Join(env.WorkDir, "home")
			if err := os.MkdirAll(home, 0o700); err != nil {
				return err
			}
			if err := os.Symlink(plugins, filepath.Join(home, "plugins")); err != nil {
				return err
			}
			// The name docker is that of the stand-in in this script alone.
			bin := filepath.Join(env.WorkDir, "bin")
			if err := os.MkdirAll(bin, 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\nexec docker-stand-in \"$@\"\n"), 0o700); err != nil {
				return err
			}
			for name, value := range map[string]string{
				"AWS_ENDPOINT_URL": a.url, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
				"PULUMI_HOME": home, "PATH": bin + string(os.PathListSeparator) + env.Getenv("PATH"),
				"HTTPS_PROXY": images, "SSL_CERT_FILE": authority, "DOCKER_STAND_IN": work,
				"ENDS": ends, "BACK": back, "WRITES": writes, "ASK": ask,
				"GITHUB_ACTIONS": "", "GITHUB_TOKEN": "",
			} {
				env.Setenv(name, value)
			}
			for account, c := range map[string]aws.Credentials{"FIRST": a.first, "SECOND": a.second} {
				env.Setenv(account+"_ID", c.AccessKeyID)
				env.Setenv(account+"_KEY", c.SecretAccessKey)
				env.Setenv(account+"_TOKEN", c.SessionToken)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "unlink": unlink, "remember": remember, "count": count, "same": same, "as": as,
			"built": func(ts *testscript.TestScript, neg bool, args []string) { built(ts, work, args) },
			"asked": a.asked, "runs": a.runs, "plugin": plugin,
		},
	})
}

const firstAccount, secondAccount = "123456789012", "222222222222"

// accounts are the two accounts of the moto server, and the registry of both.
type accounts struct {
	url           string
	first, second aws.Credentials

	mu    sync.Mutex
	calls []string // of the registry: "POST 222222222222 /v2/..."
}

func (a *accounts) settings(c aws.Credentials) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &a.url, Credentials: credentials.StaticCredentialsProvider{Value: c}}
}

// assume gets credentials of another account. Moto selects the account by the credentials.
func (a *accounts) assume(t *testing.T, account string) aws.Credentials {
	t.Helper()
	given, err := sts.NewFromConfig(a.settings(a.first)).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/admin"), RoleSessionName: aws.String("ada"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := given.Credentials
	return aws.Credentials{AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey),
		SessionToken: aws.ToString(c.SessionToken)}
}

// as FIRST|SECOND gives the following commands the credentials of an account.
func as(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: as FIRST|SECOND")
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", ts.Getenv(args[0]+"_ID"))
	ts.Setenv("AWS_SECRET_ACCESS_KEY", ts.Getenv(args[0]+"_KEY"))
	ts.Setenv("AWS_SESSION_TOKEN", ts.Getenv(args[0]+"_TOKEN"))
}

// registry serves the registries of both accounts under ECR's names, as a proxy of HTTPS that leads nowhere else, and gives
// its URL and the file of the authority that vouches for it. It wants the token that moto's ECR gives, and tells moto what is
// pushed. A pull from the other account asks that one's policy.
func (a *accounts) registry(t *testing.T, work string) (proxy, authority string) {
	t.Helper()
	hosts := map[string]http.Handler{}
	for _, account := range []string{firstAccount, secondAccount} {
		hosts[account+".dkr.ecr.us-east-1.amazonaws.com"] = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	}
	certificate, pemBytes := certify(t, "*.dkr.ecr.us-east-1.amazonaws.com")
	images := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		who := strings.TrimSuffix(password, "-auth-token")
		owner := r.Host[:12]
		switch {
		case hosts[r.Host] == nil || user != "AWS" || who == password:
			w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		case who != owner && r.URL.Path != "/v2/" && !a.admits(r.Context(), owner, who, r.URL.Path):
			http.Error(w, `{"errors":[{"code":"DENIED","message":"no resource-based policy allows the ecr:BatchGetImage action"}]}`,
				http.StatusForbidden)
			return
		}
		a.mu.Lock()
		a.calls = append(a.calls, r.Method+" "+who+" "+owner+r.URL.Path)
		a.mu.Unlock()
		if err := awstest.RecordPush(r.Context(), a.of(owner), r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		hosts[r.Host].ServeHTTP(w, r)
	}))
	images.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	images.StartTLS()
	t.Cleanup(images.Close)

	connect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || hosts[host] == nil {
			t.Errorf("unexpected request to %s", r.Host)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		there, err := net.Dial("tcp", images.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			there.Close()
			return
		}
		go func() { io.Copy(there, buffered); there.Close() }()
		io.Copy(here, there)
		here.Close()
	}))
	t.Cleanup(connect.Close)
	authority = filepath.Join(work, "authority.pem")
	if err := os.WriteFile(authority, pemBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return connect.URL, authority
}

// of returns the credentials of an account.
func (a *accounts) of(account string) aws.Config {
	if account == secondAccount {
		return a.settings(a.second)
	}
	return a.settings(a.first)
}

// admits reports whether the policy of a repository, as moto keeps it, names an account.
func (a *accounts) admits(ctx context.Context, owner, who, path string) bool {
	repository := strings.Join(strings.Split(strings.TrimPrefix(path, "/v2/"), "/")[:2], "/")
	found, err := ecr.NewFromConfig(a.of(owner)).GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: &repository})
	return err == nil && strings.Contains(aws.ToString(found.PolicyText), "arn:aws:iam::"+who+":root")
}

// runs STACK FILE checks that ECS itself runs the images, by digest, whose digests an up wrote to FILE.
func (a *accounts) runs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: runs stack file")
	}
	var up struct {
		Outputs struct{ Images image.Pair }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &up))
	want := []string{up.Outputs.Images.Digests().Django, up.Outputs.Images.Digests().Nginx}
	account := map[string]string{"dev": firstAccount, "live": secondAccount}[args[0]]
	client, ctx := ecs.NewFromConfig(a.of(account)), context.Background()
	services, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String("slipway-" + args[0] + "-site"), Services: []string{"slipway-" + args[0] + "-web"},
	})
	ts.Check(err)
	if len(services.Services) != 1 {
		ts.Fatalf("the services are %+v", services)
	}
	definition, err := client.DescribeTaskDefinition(ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: services.Services[0].TaskDefinition})
	ts.Check(err)
	var got []string
	for _, container := range definition.TaskDefinition.ContainerDefinitions {
		registry, digest, _ := strings.Cut(aws.ToString(container.Image), "@")
		if !strings.HasPrefix(registry, account+".dkr.ecr.us-east-1.amazonaws.com/slipway-"+args[0]+"/") {
			ts.Fatalf("container %s comes from %s", aws.ToString(container.Name), registry)
		}
		got = append(got, digest)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(got) == 0 || !slices.Equal(got, want) {
		ts.Fatalf("ECS runs %v, want %v", got, want)
	}
}

// asked METHOD WHO OWNER/PATH checks that the registry got this request; with ! that it did not. PATH may be a prefix.
func (a *accounts) asked(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: asked method account account/path")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	want := strings.Join(args, " ")
	if slices.ContainsFunc(a.calls, func(call string) bool { return strings.HasPrefix(call, want) }) == neg {
		ts.Fatalf("the registry was asked:\n%s", strings.Join(a.calls, "\n"))
	}
}

// certify creates a self-signed certificate.
func certify(t *testing.T, host string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// dockerStandIn is the docker command; it counts the builds.
func dockerStandIn() {
	work := os.Getenv("DOCKER_STAND_IN")
	err := awstest.Docker(work, os.Args[1:], func(tag, _ string) error {
		file, err := os.OpenFile(filepath.Join(work, "builds"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = fmt.Fprintln(file, tag)
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// built N checks how many builds there were so far.
func built(ts *testscript.TestScript, work string, args []string) {
	data, err := os.ReadFile(filepath.Join(work, "builds"))
	ts.Check(err)
	if n := len(strings.Fields(string(data))); len(args) != 1 || fmt.Sprint(n) != args[0] {
		ts.Fatalf("%d builds, want %v:\n%s", n, args, data)
	}
}
