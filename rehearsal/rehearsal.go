// Package rehearsal stands in for AWS. Open gives a model of an account that is kept in a file, Serve lets the real
// Pulumi engine deploy into it. See README.md for what a green rehearsal proves and what it does not.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"slipway/rehearsal/cloud"
	"slipway/rehearsal/provider"
)

// Options say what is modelled.
type Options struct {
	Region    string             // default: what the model on disk says, else us-east-1; the provider's configuration wins
	AccountID string             // default 123456789012
	Zones     []cloud.HostedZone // public DNS zones that exist already
	Root      string             // the project's folder, from which the paths of images count; default: the working directory
	Wait      time.Duration      // how long to wait for another process that holds the model; default none

	// Progress hears of everything that the providers did. It is called from several goroutines.
	Progress func(Event)
}

// An Event is something that a provider did.
type Event = provider.Event

// A Rehearsal is a model of an account and the providers that serve it.
type Rehearsal struct {
	Account *cloud.Account

	// Builder really builds images. Nil: none is built, and digests are made from what a build would read. Set it before
	// Serve.
	Builder provider.Builder

	root     string
	progress func(Event)
	servers  []*provider.Server
	stop     func() bool
}

// Open opens the model that is kept at path, making an empty one if there is none, and holds it until Close. Beside
// path are its lock and the key to its secret values.
func Open(path string, options Options) (*Rehearsal, error) {
	account, err := cloud.Open(path, cloud.Options{Region: options.Region, AccountID: options.AccountID,
		Zones: options.Zones, Wait: options.Wait})
	if err != nil {
		return nil, err
	}
	return &Rehearsal{Account: account, root: options.Root, progress: options.Progress}, nil
}

// Serve starts the providers, each on a loopback port of its own, until ctx is done or Close. It returns the
// environment with which the engine must run: where the providers are, and nothing by which a real account could be
// reached.
func (r *Rehearsal) Serve(ctx context.Context) (map[string]string, error) {
	if len(r.servers) > 0 {
		return nil, errors.New("rehearsal: the providers are served already")
	}
	docker := provider.NewDocker(r.Account, r.progress)
	docker.Root, docker.Builder = r.root, r.Builder
	var where []string
	for _, p := range []struct {
		name   string
		server pulumirpc.ResourceProviderServer
	}{
		{"aws", provider.NewAWS(r.Account, r.progress)},
		{"docker", docker},
		{"random", provider.NewRandom(r.progress)},
	} {
		s, err := provider.Serve(p.server)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("rehearsal: serve the %s provider: %w", p.name, err), r.halt())
		}
		r.servers = append(r.servers, s)
		where = append(where, fmt.Sprintf("%s:%d", p.name, s.Port))
	}
	servers := slices.Clone(r.servers)
	r.stop = context.AfterFunc(ctx, func() {
		for _, s := range servers {
			s.Close()
		}
	})
	env := Isolation()
	env["PULUMI_DEBUG_PROVIDERS"] = strings.Join(where, ",")
	return env, nil
}

// Isolation is the environment that keeps a process from AWS credentials and from the network: no keys, no profile, no
// metadata service, no plugin download.
func Isolation() map[string]string {
	env := map[string]string{
		"AWS_EC2_METADATA_DISABLED":                   "true",
		"AWS_CONFIG_FILE":                             nowhere,
		"AWS_SHARED_CREDENTIALS_FILE":                 nowhere,
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
	}
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	} {
		env[name] = ""
	}
	return env
}

// nowhere is a file that has nothing in it on every system that the engine runs on.
const nowhere = os.DevNull

func (r *Rehearsal) halt() error {
	var wrong error
	for _, s := range r.servers {
		wrong = errors.Join(wrong, s.Close())
	}
	r.servers = nil
	return wrong
}

// Close stops the providers, writes the model and gives it free.
func (r *Rehearsal) Close() error {
	if r.stop != nil {
		r.stop()
	}
	return errors.Join(r.halt(), r.Account.Close())
}
