package operation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/drift"
	"slipway/engine"
	"slipway/internal/redact"
	"slipway/operation/account"
	"slipway/release"
)

// A Status is what can be seen of a stack from outside. It judges nothing. What could not be read is missing, and Unknown says why.
type Status struct {
	Stack     string    `json:"stack"`
	Live      bool      `json:"live"`
	At        time.Time `json:"at"`
	Simulated string    `json:"simulated,omitempty"` // what a model cannot know
	URL       string    `json:"url,omitempty"`

	Paused      *PausedState         `json:"paused,omitempty"`
	Release     *release.Release     `json:"release,omitempty"`
	Deployments []release.Deployment `json:"deployments"` // the newest first
	Services    []ServiceState       `json:"services"`
	Jobs        []JobState           `json:"jobs"`
	Database    *DatabaseState       `json:"database,omitempty"`
	Cache       *CacheState          `json:"cache,omitempty"`
	Alarms      *AlarmState          `json:"alarms,omitempty"`

	Certificates []CertificateState `json:"certificates,omitempty"`
	Locks        []string           `json:"locks"` // who holds the stack
	Drift        *drift.Check       `json:"drift,omitempty"`
	Unknown      []Unread           `json:"unknown"`
}

// A PausedState is a pause that no resume has ended.
type PausedState struct {
	Since  time.Time  `json:"since"`
	Who    string     `json:"who"`
	Starts *time.Time `json:"databaseStarts,omitempty"` // when AWS starts the stopped database by itself
	Next   string     `json:"next"`                     // the command that ends the pause
}

// An Unread is a part of a Status that could not be read.
type Unread struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// A ServiceState is a service of ECS.
type ServiceState struct {
	Name       string `json:"name"` // web, worker-mail
	Service    string `json:"service"`
	Wanted     int    `json:"wanted"`
	Running    int    `json:"running"`
	Healthy    *int   `json:"healthy,omitempty"` // nil: nothing checks its health
	Min        int    `json:"min,omitempty"`
	Max        int    `json:"max,omitempty"` // 0: it does not scale
	Suspended  bool   `json:"suspended,omitempty"`
	Deployment string `json:"deployment,omitempty"` // ECS's: in progress, failed; "" is completed
	Reason     string `json:"reason,omitempty"`     // why tasks are not healthy, or the deployment failed
}

// A JobState is a scheduled job and its last run.
type JobState struct {
	Name     string     `json:"name"`
	Schedule string     `json:"schedule"`
	Disabled bool       `json:"disabled,omitempty"` // by a pause
	Last     *time.Time `json:"last,omitempty"`     // when it last ran or wrote; nil: not known
	Running  bool       `json:"running,omitempty"`
	ExitCode *int       `json:"exitCode,omitempty"` // nil: not known
	Reason   string     `json:"reason,omitempty"`   // why its exit code is not known, or why it stopped

	logged bool // Last is from its log
}

// A DatabaseState is the database.
type DatabaseState struct {
	ID               string     `json:"id"`
	Class            string     `json:"class"`
	Status           string     `json:"status"`
	Engine           string     `json:"engine"`
	MultiAZ          bool       `json:"multiAz"`
	StorageGB        int        `json:"storageGB"`
	MaxStorageGB     int        `json:"maxStorageGB,omitempty"`
	FreeGB           *float64   `json:"freeGB,omitempty"`
	Connections      *float64   `json:"connections,omitempty"`
	MostConnections  int        `json:"mostConnections,omitempty"` // that the class takes; 0: not known
	BackupDays       int        `json:"backupDays"`
	LatestRestorable *time.Time `json:"latestRestorable,omitempty"`
	Snapshots        int        `json:"snapshots"`
	LastSnapshot     *time.Time `json:"lastSnapshot,omitempty"`
}

// A CacheState is the cache.
type CacheState struct {
	ID            string   `json:"id"`
	Node          string   `json:"node"`
	Engine        string   `json:"engine,omitempty"`
	Status        string   `json:"status"`
	Replicas      int      `json:"replicas"`
	Failover      string   `json:"failover"`
	MemoryPercent *float64 `json:"memoryPercent,omitempty"`
	Connections   *float64 `json:"connections,omitempty"`
	LagSeconds    *float64 `json:"lagSeconds,omitempty"` // of replication
}

// An AlarmState is all alarms: how many are in which state, and those that fire.
type AlarmState struct {
	OK           int     `json:"ok"`
	Insufficient int     `json:"insufficientData"`
	Firing       []Alarm `json:"firing"`
}

// An Alarm is one that fires.
type Alarm struct {
	Name        string     `json:"name"`
	Since       *time.Time `json:"since,omitempty"`
	Description string     `json:"description,omitempty"`
	Reason      string     `json:"reason,omitempty"`
}

// A CertificateState is the certificate of the site, or of the database's server.
type CertificateState struct {
	Name   string     `json:"name"`
	Status string     `json:"status"`
	Until  *time.Time `json:"until,omitempty"`
}

// deploymentsShown is how many deployments a status has.
const deploymentsShown = 5

// askedAtOnce is how many questions are asked at the same time.
const askedAtOnce = 8

// A Watch is a stack whose status is asked again and again.
type Watch struct{ o *observed }

// WatchStatus begins to look at a stack.
func WatchStatus(ctx context.Context, t Target) (*Watch, error) {
	o, err := observe(ctx, t)
	if err != nil {
		return nil, err
	}
	return &Watch{o}, nil
}

// Look looks at the stack. Only what ends the watch is an error: anything else is among what is unknown.
func (w *Watch) Look(ctx context.Context) (*Status, error) {
	if w.o.looked {
		again, err := observe(ctx, w.o.target)
		if err != nil {
			return nil, err
		}
		w.o = again
	}
	w.o.looked = true
	s := w.o.status(ctx)
	return s, ctx.Err()
}

// A survey asks questions at the same time, and collects what has no answer.
type survey struct {
	group   errgroup.Group
	mu      sync.Mutex
	unknown []Unread
}

// ask asks one question. put puts the answer into the status, and nothing else happens at that time.
func ask[T any](a *survey, what string, question func() (T, error), put func(T)) {
	a.group.Go(func() error {
		answer, err := question()
		a.mu.Lock()
		defer a.mu.Unlock()
		if err != nil && !errors.Is(err, account.ErrSimulated) {
			a.unknown = append(a.unknown, Unread{What: what, Why: firstLineOf(redact.Text(err.Error()))})
			return nil
		}
		if err == nil {
			put(answer)
		}
		return nil
	})
}

func firstLineOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// status asks for everything.
func (o *observed) status(ctx context.Context) *Status {
	s := &Status{Stack: o.target.Stack, Live: o.target.Live, At: time.Now().UTC().Truncate(time.Second), URL: o.layout.url,
		Deployments: []release.Deployment{}, Services: []ServiceState{}, Jobs: []JobState{}, Locks: []string{}}
	if o.observer.Simulated() {
		s.Simulated = "no metrics, no backups, no schedules; alarms follow the containers of up --run, and are OK without them"
	}
	a := &survey{}
	a.group.SetLimit(askedAtOnce)
	ask(a, "releases", func() (release.History, error) { return o.history(ctx) }, func(h release.History) {
		if running, ok := h.Running(); ok {
			s.Release = &running
		}
		for _, d := range slices.Backward(h.Deployments) {
			if len(s.Deployments) < deploymentsShown {
				s.Deployments = append(s.Deployments, d)
			}
		}
	})
	var disabled []Schedule
	ask(a, "pause", func() (*Paused, error) { return readPaused(ctx, o.stack) }, func(p *Paused) {
		if p != nil {
			s.Paused = &PausedState{Since: p.Since, Who: p.Who, Starts: p.Starts(), Next: "slipway resume" + o.target.Flags()}
			disabled = p.Schedules
		}
	})
	ask(a, "lock", func() ([]string, error) { return o.locks(ctx) }, func(found []string) { s.Locks = append(s.Locks, found...) })
	ask(a, "last drift check", func() (*drift.Check, error) { return o.lastDrift(ctx) }, func(c *drift.Check) { s.Drift = c })
	o.askServices(ctx, a, s)
	o.askStores(ctx, a, s)
	o.askSignals(ctx, a, s)
	_ = a.group.Wait()
	o.disable(s, disabled)
	s.Unknown = append([]Unread{}, a.unknown...)
	for _, note := range o.notes {
		s.Unknown = append(s.Unknown, Unread{What: "containers", Why: note})
	}
	slices.SortFunc(s.Unknown, func(a, b Unread) int { return strings.Compare(a.What, b.What) })
	return s
}

func (o *observed) history(ctx context.Context) (release.History, error) {
	ledger, err := ledgerOf(ctx, o.stack)
	if err != nil {
		return release.History{}, err
	}
	defer ledger.Close()
	return ledger.Read(ctx)
}

func (o *observed) lastDrift(ctx context.Context) (*drift.Check, error) {
	bucket, err := o.stack.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer bucket.Close()
	return drift.LastCheck(ctx, bucket, o.stack.ProjectName(), o.stack.Stack)
}

// locks says who holds the stack: an engine in an account, a process of this machine in a rehearsal.
func (o *observed) locks(ctx context.Context) ([]string, error) {
	if !o.target.Live {
		owner, err := engine.Holder(o.target.dir())
		if owner == nil || err != nil {
			return nil, err
		}
		return []string{owner.String()}, nil
	}
	found, err := o.stack.Locks(ctx)
	var all []string
	for _, l := range found {
		all = append(all, l.String())
	}
	return all, err
}
