// Package rehearsal stands in for AWS. Open opens the model of an account, which is stored in a file. Its
// Providers let the real Pulumi engine deploy into it. See README.md for what a green rehearsal proves and what it does not.
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

// Options choose what to model.
type Options struct {
	Region    string             // default: the stored model's region, or us-east-1; the provider's configuration takes precedence
	AccountID string             // default 123456789012
	Zones     []cloud.HostedZone // public DNS zones that exist already
	Root      string             // the project's folder, which the paths of images start from; default: the working directory
	Wait      time.Duration      // how long to wait while another process uses the model; default: not at all

	// Progress is called after each operation of a provider, from several goroutines.
	Progress func(Event)
}

// An Event is a finished operation of a provider.
type Event = provider.Event

// A Rehearsal is a model of an account and the providers that serve it.
type Rehearsal struct {
	Account *cloud.Account

	// Builder builds images with Docker. If nil, no image is built, and digests are computed from what a build would read. Set it
	// before the providers are made.
	Builder provider.Builder

	root     string
	progress func(Event)
	servers  []*provider.Server
	stop     func() bool
}

// Open opens the model stored at path, or creates an empty one, and locks it until Close. Beside path are its lock and the key to
// its secret values.
func Open(path string, options Options) (*Rehearsal, error) {
	account, err := cloud.Open(path, cloud.Options{Region: options.Region, AccountID: options.AccountID,
		Zones: options.Zones, Wait: options.Wait})
	if err != nil {
		return nil, err
	}
	return &Rehearsal{Account: account, root: options.Root, progress: options.Progress}, nil
}

// Providers are the providers of the packages that the model knows, for an engine in this process.
func (r *Rehearsal) Providers() map[string]pulumirpc.ResourceProviderServer {
	docker := provider.NewDocker(r.Account, r.progress)
	docker.Root, docker.Builder = r.root, r.Builder
	return map[string]pulumirpc.ResourceProviderServer{
		"aws": provider.NewAWS(r.Account, r.progress), "docker": docker, "random": provider.NewRandom(r.progress),
	}
}

// Serve starts the providers, each on its own loopback port, until ctx is done or Close is called, for an engine in a process of its
// own. It returns the environment for that engine: the addresses of the providers, and settings that keep it from reaching a real
// account.
func (r *Rehearsal) Serve(ctx context.Context) (map[string]string, error) {
	if len(r.servers) > 0 {
		return nil, errors.New("rehearsal: the providers are already running")
	}
	var where []string
	for name, server := range r.Providers() {
		s, err := provider.Serve(server)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("rehearsal: serve the %s provider: %w", name, err), r.halt())
		}
		r.servers = append(r.servers, s)
		where = append(where, fmt.Sprintf("%s:%d", name, s.Port))
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

// Isolation is an environment that keeps a process from AWS credentials and the network: no keys, no profile, no metadata service,
// no plugin download.
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

// nowhere is a file that is empty on every system that the engine supports.
const nowhere = os.DevNull

func (r *Rehearsal) halt() error {
	var wrong error
	for _, s := range r.servers {
		wrong = errors.Join(wrong, s.Close())
	}
	r.servers = nil
	return wrong
}

// Close stops the providers, writes the model and releases its lock.
func (r *Rehearsal) Close() error {
	if r.stop != nil {
		r.stop()
	}
	return errors.Join(r.halt(), r.Account.Close())
}
