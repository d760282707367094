// Package containers carries out what a rehearsal deployed: images are really built and pushed, tasks really run as containers
// from the task definitions that the program declared, behind a balancer that really asks for their health.
//
// Four things stand in for AWS inside the process: a registry for ECR, an S3 endpoint, the balancer, and the way of the
// logs through Firehose into the bucket. A container of Postgres stands in for RDS, with the parameter group's settings
// and a certificate for the name that RDS would give it. Everything else is the engine's: see README.md of rehearsal for
// what that proves.
//
// Containers outlive the command. Whoever comes first serves (balancer, S3, logs, tasks that died) until it is
// interrupted; a further command deploys beside it. All that the engine holds carries the label slipway.stack=ID, by
// which it is found again after a kill, and removed.
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

// Options say how a stack is run.
type Options struct {
	Stack  string
	Domain string // of the site; the balancer then speaks TLS, with a certificate that no browser knows

	// Postgres is the image of the database; default the official one of the engine version that the program asks for.
	// It must have initdb and a user postgres who owns /var/lib/postgresql. What was said once holds for the stack.
	Postgres string

	// Haste divides the waits between checks of health and the drain of a target, which in an account are minutes of
	// somebody's life. Timeouts and grace periods stay as they are. Default 5.
	Haste int

	Say func(string) // hears of what is going on; default nobody
}

// A Run is the running side of a stack.
type Run struct {
	dir, id, network, gateway string

	options Options
	engine  *engine
	ctx     context.Context
	lock    *flock.Flock // held while containers are started and stopped
	server  *flock.Flock // held by whoever serves

	account *cloud.Account
	frozen  atomic.Pointer[[]*cloud.Object] // what the account was when it was let go of

	kept    kept
	shelf   *shelf
	store   *http.Server // of the shelf
	servers []*http.Server

	unlimited atomic.Bool // the engine refused limits

	building, targeting, shipping, databases sync.Mutex
}

// kept is what must be the same the next time: the engine's containers know these ports.
type kept struct {
	Registry, Bucket, Balancer int
	Postgres                   string
}

// Dir is where a stack that is run keeps what it needs, below the stack's own folder.
func Dir(stack string) string { return filepath.Join(stack, "run") }

// Exists reports whether a stack is one that is run.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kept.json"))
	return err == nil
}

func (r *Run) keep() error {
	text, err := json.Marshal(r.kept)
	if err != nil {
		return err
	}
	return replace(filepath.Join(r.dir, "kept.json"), text)
}

// serve answers on l until Close.
func (r *Run) serve(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	r.servers = append(r.servers, s)
	go s.Serve(l)
	return s
}

// sooner is a declared wait in seconds, in haste.
func (r *Run) sooner(seconds int) time.Duration {
	return max(time.Duration(seconds)*time.Second/time.Duration(r.options.Haste), 500*time.Millisecond)
}

// objects are what the account holds, or held when it was let go of.
func (r *Run) objects() []*cloud.Object {
	if frozen := r.frozen.Load(); frozen != nil {
		return slices.Clone(*frozen)
	}
	return r.account.Objects()
}

// find is the object of a type of which an output has a value; nil when there is none.
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

// URL is where the site is on this machine.
func (r *Run) URL() string {
	scheme := "http"
	if r.options.Domain != "" {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, r.kept.Balancer)
}
