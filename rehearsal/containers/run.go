// Package containers runs what a rehearsal deployed with Docker: it builds and pushes images, and runs tasks as containers from the
// program's task definitions, behind a balancer that checks their health.
//
// Four parts stand in for AWS inside the process: a registry for ECR, an S3 endpoint, the balancer, and the delivery of logs through
// Firehose to the bucket. A Postgres container stands in for RDS, with the parameter group's settings and a certificate for its host
// name in RDS, and a Valkey container for ElastiCache, with TLS and its password. Docker does the rest; the README of rehearsal says
// what that proves.
//
// Containers outlive the command. The first command keeps serving (balancer, S3, logs, replacing stopped tasks) until it is
// interrupted; others deploy beside it. Everything in Docker has the label slipway.stack=ID, so that it can be found and removed
// after a kill.
package containers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"slipway/rehearsal/cloud"
)

// Options choose how to run a stack.
type Options struct {
	Stack  string
	Domain string // of the site; if set, the balancer uses TLS, with a certificate that browsers do not trust

	// Postgres is the image of the database; default: the official one for the program's engine version. It must have initdb
	// and a user postgres that owns /var/lib/postgresql. A stack keeps its image.
	Postgres string

	// Valkey is the image of the cache; default: the official one for the program's engine version. It must have valkey-server and
	// valkey-cli, or Redis's. A stack keeps its image.
	Valkey string

	// Haste divides the intervals between health checks, which in AWS take minutes. Timeouts and grace periods are not changed.
	// Default 5.
	Haste int

	// Helper makes the program that a build context lacks (.slipway/helper) for a platform such as linux/amd64, and returns its path. A
	// context is staged for the stack's platform, and Docker builds for its own.
	Helper func(platform string) (path string, err error)

	Say func(string) // is called with messages about progress; may be nil
}

// A Run is a stack that runs in containers.
type Run struct {
	dir, id, network, gateway string

	options Options
	engine  *engine
	ctx     context.Context
	lock    *flock.Flock // held while containers are started and stopped
	server  *flock.Flock // held by the process that serves

	account *cloud.Account
	frozen  atomic.Pointer[[]*cloud.Object] // the account's objects when it was released

	kept    kept
	shelf   *shelf
	store   *http.Server // serves the shelf
	servers []*http.Server

	unlimited atomic.Bool // Docker refused to set limits
	buried    sync.Map    // the tasks whose death was reported

	building, targeting, shipping, databases, limiting, trusting sync.Mutex
}

// kept is what must stay the same: the containers use these ports.
type kept struct {
	Registry, Bucket, Balancer int
	Postgres                   string
	Valkey                     string `json:",omitempty"`
	Unlimited                  bool   `json:",omitempty"` // it was reported that Docker refuses to set limits
}

// Dir is the folder for a stack's run, inside the stack's own folder.
func Dir(stack string) string { return filepath.Join(stack, "run") }

// Exists reports whether a stack runs in containers.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kept.json"))
	return err == nil
}

// Deploys reports whether a stack runs in containers, and an up has succeeded so.
func Deploys(dir string) bool {
	_, err := os.Stat(untried(dir))
	return Exists(dir) && os.IsNotExist(err)
}

// untried is the file that a run has until its first deployment succeeds. It says so also after a kill.
func untried(dir string) string { return filepath.Join(dir, "untried") }

// Untried reports whether no deployment has succeeded in these containers yet.
func (r *Run) Untried() bool { return !Deploys(r.dir) }

func (r *Run) keep() error {
	text, err := json.Marshal(r.kept)
	if err != nil {
		return err
	}
	return replace(filepath.Join(r.dir, "kept.json"), text)
}

// serve serves h on l until Close.
func (r *Run) serve(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	r.servers = append(r.servers, s)
	go s.Serve(l)
	return s
}

// sooner is an interval in seconds divided by Haste.
func (r *Run) sooner(seconds int) time.Duration {
	return max(time.Duration(seconds)*time.Second/time.Duration(r.options.Haste), 500*time.Millisecond)
}

// objects are the account's objects, or what they were when the account was released.
func (r *Run) objects() []*cloud.Object {
	if frozen := r.frozen.Load(); frozen != nil {
		return slices.Clone(*frozen)
	}
	return r.account.Objects()
}

// find is the object of a type with this value of an output; nil if there is none.
func (r *Run) find(kind, by, value string) *cloud.Object {
	all := r.all(kind)
	i := slices.IndexFunc(all, func(o *cloud.Object) bool { return cloud.Inputs(o.Outputs).String(by) == value })
	if i < 0 {
		return nil
	}
	return all[i]
}

func (r *Run) all(kind string) []*cloud.Object {
	return slices.DeleteFunc(r.objects(), func(o *cloud.Object) bool { return o.Type != kind })
}

// URL is the site's address on this machine.
func (r *Run) URL() string {
	scheme := "http"
	if r.options.Domain != "" {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, r.kept.Balancer)
}
