package containers

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"slipway/rehearsal/cloud"
)

// A destination is where a container's lines go: to a log group, or with FireLens directly to a delivery stream.
type destination struct {
	Group    string            `json:",omitempty"`
	Stream   string            `json:",omitempty"` // of the group
	Firehose string            `json:",omitempty"` // name of the delivery stream
	Options  map[string]string `json:",omitempty"` // of the log router's output
}

func destinationOf(l logConfiguration, container, task string) destination {
	switch l.LogDriver {
	case "awslogs":
		return destination{Group: l.Options["awslogs-group"], Stream: l.Options["awslogs-stream-prefix"] + "/" + container + "/" + task}
	case "awsfirelens":
		return destination{Firehose: l.Options["delivery_stream"], Options: l.Options}
	}
	return destination{}
}

// firehose is the delivery stream that receives the destination's lines in the end, and the name of the subscription
// filter that forwards them, if they come from a log group. Without a stream it is nil.
func (r *Run) firehose(d destination) (stream *cloud.Object, filter string) {
	const kind = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
	if d.Firehose != "" {
		return r.find(kind, "name", d.Firehose), ""
	}
	for _, filter := range r.all("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter") {
		if out := cloud.Inputs(filter.Outputs); out.String("logGroup") == d.Group {
			return r.find(kind, "arn", out.String("destinationArn")), out.String("name")
		}
	}
	return nil, ""
}

// A logEvent is one line as CloudWatch Logs keeps it.
type logEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970
	Message   string `json:"message"`
}

// A logBatch is what CloudWatch Logs sends to the destination of a subscription filter: events of one log stream.
// Source: CloudWatch Logs guide, "Log group-level subscription filters".
type logBatch struct {
	MessageType         string     `json:"messageType"`
	Owner               string     `json:"owner"`
	LogGroup            string     `json:"logGroup"`
	LogStream           string     `json:"logStream"`
	SubscriptionFilters []string   `json:"subscriptionFilters"`
	LogEvents           []logEvent `json:"logEvents"`
}

// eventsOf reads what docker logs --timestamps says of the lines after since, and returns the time of the last one.
func eventsOf(out, since string) (events []logEvent, last string) {
	for line := range strings.Lines(out) {
		at, message, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if !ok || at <= since {
			continue
		}
		last = max(last, at)
		when, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			when = time.Now()
		}
		events = append(events, logEvent{
			ID:        fmt.Sprintf("%028d%028d", when.UnixNano(), len(events)), // 56 digits, in the order of time
			Timestamp: when.UnixMilli(), Message: message,
		})
	}
	return events, last
}

// records are the events as the stream writes them into the bucket. CloudWatch Logs sends gzipped batches, and the stream's processors
// decide what becomes of them: without any, they stay as they are, one right after the other.
func records(stream *cloud.Object, s sender, filter string, events []logEvent) ([]byte, error) {
	var text bytes.Buffer
	d := s.destination
	if d.Group == "" {
		return s.routed(events)
	}
	steps := map[string]bool{}
	processing := cloud.Inputs(stream.Outputs).Map("extendedS3Configuration").Map("processingConfiguration")
	for _, step := range processing.Maps("processors") {
		steps[step.String("type")] = processing.Bool("enabled")
	}
	if steps["CloudWatchLogProcessing"] {
		for _, e := range events {
			text.WriteString(e.Message + "\n")
		}
		return text.Bytes(), nil
	}
	batch := logBatch{
		MessageType: "DATA_MESSAGE", LogGroup: d.Group, LogStream: d.Stream, SubscriptionFilters: []string{filter}, LogEvents: events,
	}
	if parts := strings.Split(cloud.Inputs(stream.Outputs).String("arn"), ":"); len(parts) > 4 {
		batch.Owner = parts[4]
	}
	if err := batch.write(&text, steps["Decompression"]); err != nil {
		return nil, err
	}
	if steps["AppendDelimiterToRecord"] {
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

// A sender is a container whose lines are delivered.
type sender struct {
	destination
	container, id, cluster, task, definition string // id is Docker's
	options                                  map[string]string
}

// sender is what ECS and Docker know of a container, which a log router adds to its lines.
func (r *Run) sender(b *box, to destination) sender {
	labels := b.Config.Labels
	s := sender{destination: to, container: labels[labelContainer], id: b.ID, options: to.Options}
	arn := labels[labelDefinition]
	if i := strings.Index(arn, ":task-definition/"); i > 0 {
		s.definition = arn[i+len(":task-definition/"):]
		if service := r.find("aws:ecs/service:Service", "name", labels[labelService]); service != nil {
			_, s.cluster, _ = strings.Cut(cloud.Inputs(service.Outputs).String("cluster"), "/")
		} else if clusters := r.all("aws:ecs/cluster:Cluster"); len(clusters) > 0 {
			s.cluster = cloud.Inputs(clusters[0].Outputs).String("name")
		}
		s.task = arn[:i] + ":task/" + s.cluster + "/" + labels[labelTask]
	}
	return s
}

// strftime are the parts of a time_key_format that Fluent Bit knows beyond strftime, and the common ones of that.
var strftime = strings.NewReplacer("%Y", "2006", "%m", "01", "%d", "02", "%H", "15", "%M", "04", "%S", "05", ".%3N", ".000", ".%9N",
	".000000000",
	".%L", ".000000000")

// routed are the lines as a log router sends them: the fields of Docker's fluentd driver, those of ECS (ECS Developer Guide, FireLens,
// enable-ecs-log-metadata), and the time if the options of the log driver name a field for it. Without time_key there is none (Fluent Bit
// manual, "Amazon Kinesis Data Firehose"). The plugin ends each record with a newline.
func (s sender) routed(events []logEvent) ([]byte, error) {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	for _, e := range events {
		record := map[string]any{"container_id": s.id, "container_name": s.container, "source": "stdout", "log": e.Message,
			"ecs_cluster": s.cluster, "ecs_task_arn": s.task, "ecs_task_definition": s.definition}
		if key := s.options["log_key"]; key != "" {
			if value, ok := record[key].(string); ok {
				text.WriteString(value + "\n")
			}
			continue
		}
		if key := s.options["time_key"]; key != "" {
			format := strftime.Replace(cmp.Or(s.options["time_key_format"], "%Y-%m-%dT%H:%M:%S"))
			record[key] = time.UnixMilli(e.Timestamp).UTC().Format(format)
		}
		if err := out.Encode(record); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

func (b logBatch) write(to io.Writer, plain bool) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if plain {
		_, err = to.Write(text)
		return err
	}
	zipped := gzip.NewWriter(to)
	if _, err := zipped.Write(text); err != nil {
		return err
	}
	return zipped.Close()
}

// ship delivers what containers wrote since the last call to the bucket, through their log groups and delivery streams, one object
// per stream. Docker keeps the lines until then. last means that the containers are about to be removed.
func (r *Run) ship(ctx context.Context, boxes []*box, last bool) error {
	unlock, err := r.shipAlone()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(r.dir); err != nil { // the stack was removed meanwhile
		return err
	}
	file := filepath.Join(r.dir, "shipped.json")
	shipped := map[string]string{} // container -> time of its last line
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &shipped)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delivered := map[*cloud.Object][]byte{}
	streams := map[string]*cloud.Object{}
	for _, b := range boxes {
		var to destination
		if json.Unmarshal([]byte(b.Config.Labels[labelShip]), &to) != nil {
			continue
		}
		stream, filter := r.firehose(to)
		if stream == nil && to.Group == "" {
			continue
		}
		events, until, err := r.written(ctx, b, shipped[b.ID])
		if err != nil {
			return err
		}
		if len(events) > 0 {
			if to.Group != "" {
				if err := r.put(to.Group, to.Stream, events); err != nil {
					return err
				}
			}
			shipped[b.ID] = until
			if stream != nil {
				if known := streams[stream.ID]; known != nil {
					stream = known
				}
				streams[stream.ID] = stream
				text, err := records(stream, r.sender(b, to), filter, events)
				if err != nil {
					return err
				}
				delivered[stream] = append(delivered[stream], text...)
			}
		}
		if last {
			delete(shipped, b.ID)
		}
	}
	for stream, text := range delivered {
		if err := r.deliver(stream, text); err != nil {
			return err
		}
	}
	if text, err = json.Marshal(shipped); err != nil {
		return err
	}
	return replace(file, text)
}

// written are the lines that a container wrote after the time since, and the time of the last one; none if it no longer exists.
func (r *Run) written(ctx context.Context, b *box, since string) (events []logEvent, until string, err error) {
	args := []string{"logs", "--timestamps"}
	if since != "" {
		args = append(args, "--since", since)
	}
	out, err := r.engine.both(ctx, append(args, b.ID)...)
	if err != nil {
		if gone(out) {
			return nil, "", nil
		}
		return nil, "", fmt.Errorf("docker logs %s: %w", b.Name, err)
	}
	events, until = eventsOf(out, since)
	return events, until, nil
}

// shipAlone locks the delivery: the process that serves and a process that removes a task may both deliver.
func (r *Run) shipAlone() (unlock func(), err error) {
	r.shipping.Lock()
	lock := flock.New(filepath.Join(r.dir, "ship.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		r.shipping.Unlock()
		return nil, err
	}
	return func() { lock.Unlock(); r.shipping.Unlock() }, nil
}

var (
	timestampForm = regexp.MustCompile(`!\{timestamp:([^}]*)\}`)
	timePattern   = strings.NewReplacer("yyyy", "2006", "MM", "01", "dd", "02", "HH", "15", "mm", "04")
)

// deliver writes one object as Firehose does: under the stream's prefix with its time, named after stream and time.
func (r *Run) deliver(stream *cloud.Object, text []byte) error {
	out := cloud.Inputs(stream.Outputs)
	to := out.Map("extendedS3Configuration")
	_, bucket, _ := strings.Cut(to.String("bucketArn"), ":::")
	now := time.Now().UTC()
	prefix := to.String("prefix")
	if !timestampForm.MatchString(prefix) {
		prefix += "!{timestamp:yyyy/MM/dd/HH}/"
	}
	prefix = timestampForm.ReplaceAllStringFunc(prefix, func(m string) string {
		return now.Format(timePattern.Replace(timestampForm.FindStringSubmatch(m)[1]))
	})
	name := fmt.Sprintf("%s-1-%s-%s", out.String("name"), now.Format("2006-01-02-15-04-05"), draw())
	if strings.EqualFold(cmp.Or(to.String("compressionFormat"), "UNCOMPRESSED"), "GZIP") {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		name, text = name+".gz", b.Bytes()
	}
	path := r.object(bucket, prefix+name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, text)
}

// shipAll delivers the lines of all tasks.
func (r *Run) shipAll(ctx context.Context) error {
	boxes, err := r.engine.boxes(ctx, labelTask)
	if err != nil {
		return err
	}
	return r.ship(ctx, slices.DeleteFunc(boxes, func(b *box) bool { return b.Config.Labels[labelShip] == "" }), false)
}
