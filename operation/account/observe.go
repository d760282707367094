package account

import (
	"context"
	"errors"
	"io"
	"time"

	"slipway/logline"
)

// An Observer reads what a stack does: its logs, its tasks and the state of what it runs on. It changes nothing.
type Observer interface {
	// Simulated says that this is a model: what runs there runs as containers of this machine, or not at all.
	Simulated() bool

	LogReader

	// Tasks are the tasks of a cluster that run, and those that stopped recently. ECS forgets these after about an hour.
	Tasks(ctx context.Context, cluster string) ([]Task, error)

	// Targets are those of a target group of the load balancer.
	Targets(ctx context.Context, targetGroup string) ([]Target, error)

	// Scaling is the range of each service of a cluster that scales, by its name.
	Scaling(ctx context.Context, cluster string, services []string) (map[string]Scaling, error)

	// Enabled says whether a schedule of EventBridge Scheduler starts its job; there is false if it does not exist.
	Enabled(ctx context.Context, group, schedule string) (enabled, there bool, err error)

	// Database, Cache and Certificate give an ErrGone if there is none.
	Database(ctx context.Context, id string) (Database, error)

	// Snapshots are those of a database, the newest first.
	Snapshots(ctx context.Context, database string) ([]Snapshot, error)

	Cache(ctx context.Context, id string) (Cache, error)

	// Alarms are those with these names, without those that do not exist.
	Alarms(ctx context.Context, names []string) ([]Alarm, error)

	Certificate(ctx context.Context, arn string) (Certificate, error)

	// Metrics are the newest values, in the order of the questions; nil where there is none.
	Metrics(ctx context.Context, metrics []Metric) ([]*float64, error)
}

// ErrSimulated is a question that a model cannot answer.
var ErrSimulated = errors.New("simulated: the model does not know")

// ErrGone is a question about something that does not exist.
var ErrGone = errors.New("it does not exist")

// A LogReader reads log groups, and the archive of logs in S3.
type LogReader interface {
	// LogGroups are those whose name begins with prefix.
	LogGroups(ctx context.Context, prefix string) ([]LogGroup, error)

	// LogStreams are the streams of a log group that have events after since, in any order. A group that does not exist has none.
	LogStreams(ctx context.Context, group string, since time.Time) ([]LogStream, error)

	// Events calls visit with events of a log group by time, page by page. A group that does not exist has none.
	Events(ctx context.Context, query EventQuery, visit func([]logline.Event) error) error

	// Archived lists the objects of a bucket whose key begins with prefix, sorted by key.
	Archived(ctx context.Context, bucket, prefix string) ([]string, error)

	// Archive opens an object of a bucket.
	Archive(ctx context.Context, bucket, key string) (io.ReadCloser, error)
}

// An EventQuery says which events are wanted: From is the first millisecond, To the first that is not.
type EventQuery struct {
	Group    string
	From, To time.Time // To zero: no end
	Term     string    // a word that the events contain; "": any. The reader may return others as well.
}

// A LogGroup is a log group.
type LogGroup struct {
	Name      string
	Created   time.Time
	Retention time.Duration // 0: for ever
}

// A LogStream is a stream of a log group: one container of one task.
type LogStream struct {
	Name        string
	Created     time.Time
	First, Last time.Time // events; Last may be late by an hour
}

// A Task is a task of ECS.
type Task struct {
	ARN, ID          string
	Service          string // "": it was run on its own
	Definition       string // ARN of the task definition
	Family           string
	Status           string // PENDING, RUNNING, STOPPED and what is between
	Stops            bool   // ECS wants it to stop, or it has
	Health           string // HEALTHY, UNHEALTHY, UNKNOWN: no container has a health check, or none has answered
	StartedBy        string
	Exec             bool // ECS Exec was on when it started
	Created, Started time.Time
	Stopped          time.Time // zero: it runs
	Code, Reason     string    // why it stopped
	Containers       []TaskContainer
}

// A TaskContainer is a container of a task.
type TaskContainer struct {
	Name, Health, Reason string
	Runtime              string // the ID that Session Manager knows it by
	Digest               string // of the image that runs
	ExitCode             *int   // nil: it runs, or never started
	Exec                 bool   // the agent of ECS Exec runs in it
}

// A Target is a target of the load balancer.
type Target struct {
	Address string // IP
	State   string // healthy, unhealthy, initial, draining, unused, unavailable
	Reason  string
}

// A Scaling is the range in which Application Auto Scaling changes the number of tasks of a service, and what of it is suspended.
type Scaling struct {
	Min           int  `json:"min"`
	Max           int  `json:"max"`
	InSuspended   bool `json:"inSuspended,omitempty"`
	OutSuspended  bool `json:"outSuspended,omitempty"`
	TimeSuspended bool `json:"timeSuspended,omitempty"` // scheduled actions
}

// A Database is an RDS instance.
type Database struct {
	ID, Class, Status    string
	Address              string
	Engine, Version      string
	Storage, MaxStorage  int // GiB; MaxStorage 0: it does not grow
	MultiAZ              bool
	Replicas             bool // it has read replicas, or is one
	BackupDays           int
	LatestRestorable     time.Time // zero: it cannot be restored to a point in time
	CertificateAuthority string
	CertificateValidTill time.Time
}

// A Snapshot is one of a database.
type Snapshot struct {
	ID, Kind, Status string // Kind: automated, manual
	Created          time.Time
}

// A Cache is a replication group of ElastiCache.
type Cache struct {
	ID, Status, Node string
	Failover         string // enabled, disabled, enabling, disabling
	Members          []CacheMember
}

// A CacheMember is a node of a Cache.
type CacheMember struct {
	ID, Role, Zone string // Role: primary, replica
}

// An Alarm is a CloudWatch alarm.
type Alarm struct {
	Name, State string // OK, ALARM, INSUFFICIENT_DATA
	Description string
	Reason      string // why it has that state
	Since       time.Time
}

// A Certificate is one of ACM.
type Certificate struct {
	ARN, Domain, Status string   // ISSUED, PENDING_VALIDATION, EXPIRED, ...
	Names               []string // that it is good for, Domain among them
	NotAfter            time.Time
	Renewal             string // the state of the managed renewal; "": none is under way
	Reason              string // why it was not issued or renewed
}

// A Metric asks CloudWatch for the newest value of a metric.
type Metric struct {
	Namespace, Name string
	Statistic       string // Average, Maximum, ...
	Dimensions      map[string]string
}
