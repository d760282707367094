package containers

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/rehearsal/alarm"
	"slipway/rehearsal/cloud"
)

// CloudWatch Logs is a folder: one for each log group, with a file for each log stream, which has an event a line. ship appends to them.

// put appends events to a log stream.
func (r *Run) put(group, stream string, events []logEvent) error {
	dir := filepath.Join(r.groups(), url.PathEscape(group))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, url.PathEscape(stream)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for _, e := range events {
		if err := lines.Encode(e); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(out.Flush(), file.Close())
}

func (r *Run) groups() string { return filepath.Join(r.dir, "cloudwatch") }

// A View looks at the containers of a stack, and at what they wrote, without the right to change them.
type View struct{ run *Run }

// View looks at a run that is open.
func (r *Run) View() *View { return &View{r} }

// Look looks at the run in a folder, whatever other processes do with it. objects are those of the account. What the containers wrote
// can be read without Docker too; then wrong says what is missing.
func Look(ctx context.Context, dir string, objects []*cloud.Object, options Options) (v *View, wrong error) {
	r, err := named(ctx, dir, options)
	if err != nil {
		return nil, err
	}
	r.frozen.Store(&objects)
	r.engine, wrong = newEngine(ctx, r.id)
	return &View{r}, wrong
}

// Collect delivers what the containers wrote until now. While a process serves it does nothing: that process delivers every two
// seconds, and knows of deployments since this view was made.
func (v *View) Collect(ctx context.Context) error {
	const served = 10 * time.Second
	shipped, err := os.Stat(filepath.Join(v.run.dir, "shipped.json"))
	if v.run.engine == nil || !Exists(v.run.dir) || err == nil && time.Since(shipped.ModTime()) < served {
		return nil
	}
	return v.run.shipAll(ctx)
}

// Hide removes the values of the account's secrets from a text.
func (v *View) Hide(text string) string { return v.run.hide(text) }

// A LogEvent is an event of a log stream.
type LogEvent struct {
	ID, Stream, Message string
	At                  time.Time
}

// Events are those of a log group in a range of time, by time; end zero is no end.
func (v *View) Events(group string, from, to time.Time) ([]LogEvent, error) {
	dir := filepath.Join(v.run.groups(), url.PathEscape(group))
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []LogEvent
	known := map[string]bool{} // a process that was killed while it delivered may have written events twice
	for _, file := range files {
		stream, err := url.PathUnescape(file.Name())
		if err != nil {
			return nil, err
		}
		err = eachEvent(filepath.Join(dir, file.Name()), func(e logEvent) {
			at := time.UnixMilli(e.Timestamp).UTC()
			if at.Before(from) || !to.IsZero() && !at.Before(to) || known[stream+e.ID] {
				return
			}
			known[stream+e.ID] = true
			all = append(all, LogEvent{ID: e.ID, Stream: stream, Message: e.Message, At: at})
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b LogEvent) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// eachEvent reads the events of a log stream. The last line may be in the middle of being written.
func eachEvent(path string, found func(logEvent)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e logEvent
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			found(e)
		}
	}
	return lines.Err()
}

// A LogStream is a log stream, and the times of its first and its last event.
type LogStream struct {
	Name        string
	First, Last time.Time
}

// Streams are those of a log group.
func (v *View) Streams(group string) ([]LogStream, error) {
	dir := filepath.Join(v.run.groups(), url.PathEscape(group))
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []LogStream
	for _, file := range files {
		var s LogStream
		if s.Name, err = url.PathUnescape(file.Name()); err != nil {
			return nil, err
		}
		err := eachEvent(filepath.Join(dir, file.Name()), func(e logEvent) {
			at := time.UnixMilli(e.Timestamp).UTC()
			if s.First.IsZero() {
				s.First = at
			}
			s.Last = at
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Objects are the keys of a bucket's objects that begin with prefix, sorted.
func (v *View) Objects(bucket, prefix string) ([]string, error) {
	root := v.run.object(bucket, "")
	from := v.run.object(bucket, prefix[:strings.LastIndexByte(prefix, '/')+1])
	var keys []string
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		key, err := filepath.Rel(root, path)
		if key = filepath.ToSlash(key); strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	slices.Sort(keys)
	return keys, err
}

// Open opens an object of a bucket.
func (v *View) Open(bucket, key string) (*os.File, error) { return os.Open(v.run.object(bucket, key)) }

// A ViewedTask is a task that runs as containers.
type ViewedTask struct {
	ID, Service, Definition string // Definition is an ARN
	Containers              []ViewedContainer
}

// A ViewedContainer is a container of a task.
type ViewedContainer struct {
	Name, Image string
	Running     bool
	Health      string // in Docker's words; "": it has no check
	ExitCode    int
	Started     time.Time
}

// Tasks are those that there are containers of.
func (v *View) Tasks(ctx context.Context) ([]ViewedTask, error) {
	if v.run.engine == nil {
		return nil, errors.New("no Docker engine answers")
	}
	boxes, err := v.run.engine.boxes(ctx, labelTask)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(boxes, func(a, b *box) int {
		return cmp.Or(a.State.StartedAt.Compare(b.State.StartedAt), cmp.Compare(a.Name, b.Name))
	})
	var tasks []ViewedTask
	for _, b := range boxes {
		labels := b.Config.Labels
		i := slices.IndexFunc(tasks, func(t ViewedTask) bool { return t.ID == labels[labelTask] })
		if i < 0 {
			i = len(tasks)
			tasks = append(tasks, ViewedTask{ID: labels[labelTask], Service: labels[labelService], Definition: labels[labelDefinition]})
		}
		c := ViewedContainer{Name: labels[labelContainer], Image: b.Config.Image, Running: b.State.Running, ExitCode: b.State.ExitCode,
			Started: b.State.StartedAt}
		if b.State.Health != nil {
			c.Health = b.State.Health.Status
		}
		tasks[i].Containers = append(tasks[i].Containers, c)
	}
	return tasks, nil
}

// Alarms are the states of the alarms, by name; none while no process serves, because then none evaluates them.
func (v *View) Alarms() map[string]alarm.State { return v.run.alarms() }

// Targets asks each target of a target group as its load balancer does, once. It returns what is wrong with each, by its address; "":
// nothing.
func (v *View) Targets(ctx context.Context, arn string) (map[string]string, error) {
	found := map[string]string{}
	for _, service := range v.run.all("aws:ecs/service:Service") {
		for _, target := range cloud.Inputs(service.Outputs).Maps("loadBalancers") {
			if target.String("targetGroupArn") != arn {
				continue
			}
			p, err := v.run.probe(target)
			if err != nil {
				return nil, err
			}
			for _, t := range v.run.targets() {
				if t.Group != p.group.ID {
					continue
				}
				address, _, _ := strings.Cut(t.Address, ":")
				found[address] = ""
				if wrong := p.ask(ctx, address); wrong != nil {
					found[address] = wrong.Error()
				}
			}
		}
	}
	return found, nil
}
