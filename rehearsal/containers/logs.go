package containers

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	Group    string `json:",omitempty"`
	Stream   string `json:",omitempty"` // of the group
	Firehose string `json:",omitempty"` // name of the delivery stream
}

func destinationOf(l logConfiguration, container, task string) destination {
	switch l.LogDriver {
	case "awslogs":
		return destination{Group: l.Options["awslogs-group"], Stream: l.Options["awslogs-stream-prefix"] + "/" + container + "/" + task}
	case "awsfirelens":
		return destination{Firehose: l.Options["delivery_stream"]}
	}
	return destination{}
}

// firehose is the delivery stream that receives the destination's lines; nil if there is none.
func (r *Run) firehose(d destination) *cloud.Object {
	const kind = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
	if d.Firehose != "" {
		return r.find(kind, "name", d.Firehose)
	}
	for _, filter := range r.all("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter") {
		if out := cloud.Inputs(filter.Outputs); out.String("logGroup") == d.Group {
			return r.find(kind, "arn", out.String("destinationArn"))
		}
	}
	return nil
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
	lines := map[*cloud.Object][]string{}
	streams := map[string]*cloud.Object{}
	for _, b := range boxes {
		var to destination
		if json.Unmarshal([]byte(b.Config.Labels[labelShip]), &to) != nil {
			continue
		}
		stream := r.firehose(to)
		if stream == nil {
			continue
		}
		if known := streams[stream.ID]; known != nil {
			stream = known
		}
		streams[stream.ID] = stream
		written, until, err := r.written(ctx, b, shipped[b.ID])
		if err != nil {
			return err
		}
		lines[stream] = append(lines[stream], written...)
		if until != "" {
			shipped[b.ID] = until
		}
		if last {
			delete(shipped, b.ID)
		}
	}
	for stream, lines := range lines {
		if err := r.deliver(stream, lines); err != nil {
			return err
		}
	}
	if text, err = json.Marshal(shipped); err != nil {
		return err
	}
	return replace(file, text)
}

// written are the lines that a container wrote after the time since, and the time of the last one; none if it no longer exists.
func (r *Run) written(ctx context.Context, b *box, since string) (lines []string, until string, err error) {
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
	for line := range strings.Lines(out) {
		at, words, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if !ok || at <= since {
			continue
		}
		until = max(until, at)
		lines = append(lines, words)
	}
	return lines, until, nil
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

// deliver writes one object as Firehose does: under the stream's dated prefix, named after stream and time.
func (r *Run) deliver(stream *cloud.Object, lines []string) error {
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
	text := []byte(strings.Join(lines, "\n") + "\n")
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
