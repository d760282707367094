package logline

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A batch is what CloudWatch Logs sends to the destination of a subscription filter: events of one log stream. The Firehose stream
// decompresses it and appends a newline. Sources: CloudWatch Logs guide, "Log group-level subscription filters"; Firehose guide,
// "Decompress CloudWatch Logs".
type batch struct {
	MessageType string
	LogGroup    string
	LogStream   string
	LogEvents   []struct {
		ID        string
		Timestamp int64 // milliseconds since 1970
		Message   string
	}
}

// A routed line is what the log router of a task sends: Docker's fields, the metadata of ECS (ECS Developer Guide, "Example Amazon ECS task
// definition: Route logs to FireLens", enable-ecs-log-metadata), and the time under the name that the task definition chooses.
type routed struct {
	Time          string  `json:"time"`
	Log           *string `json:"log"`
	ContainerID   string  `json:"container_id"`
	ContainerName string  `json:"container_name"`
	TaskARN       string  `json:"ecs_task_arn"`
	Definition    string  `json:"ecs_task_definition"`
}

// longest is the longest line of an archive's object. A record of Firehose has at most 1,000 KiB, and a batch from CloudWatch Logs,
// which is compressed before, up to 6 MB (Firehose guide, "Quota").
const longest = 16 << 20

// ErrTooLong is a line of an archive that is longer than any that AWS writes.
var ErrTooLong = errors.New("it has a line of more than 16 MB")

// ReadArchive calls visit with each event of an archive's object. begun is when Firehose began the object. It reads a line at a time,
// and all forms that the archive had: batches of CloudWatch Logs, one after the other; what a log router sends; and, from before
// batches were kept whole, texts alone, whose group, stream and time are lost.
func ReadArchive(object io.Reader, begun time.Time, visit func(Event) error) error {
	in := bufio.NewReaderSize(object, 64<<10)
	if start, err := in.Peek(2); err == nil && start[0] == 0x1f && start[1] == 0x8b {
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = bufio.NewReaderSize(unzipped, 64<<10)
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), longest)
	for lines.Scan() {
		if err := readLine(lines.Bytes(), begun, visit); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return ErrTooLong
	}
	return lines.Err()
}

// readLine reads one line: usually one record. Batches that follow each other without a newline are read as well.
func readLine(line []byte, begun time.Time, visit func(Event) error) error {
	line = bytes.TrimRight(line, "\r")
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	records := json.NewDecoder(bytes.NewReader(line))
	var batches []batch
	for line[0] == '{' && records.More() {
		var raw json.RawMessage
		if records.Decode(&raw) != nil {
			batches = nil
			break
		}
		var b batch
		if json.Unmarshal(raw, &b) != nil || b.MessageType == "" || b.LogEvents == nil {
			batches = nil
			break
		}
		batches = append(batches, b)
	}
	if len(batches) > 0 {
		return visitBatches(batches, visit)
	}
	var r routed
	if line[0] == '{' && json.Unmarshal(line, &r) == nil && r.Log != nil && (r.ContainerName != "" || r.ContainerID != "") {
		return visit(r.event(begun))
	}
	return visit(Event{Arrived: begun, Text: string(line)})
}

// visitBatches leaves out CONTROL_MESSAGE, with which CloudWatch Logs tests that it reaches the stream.
func visitBatches(batches []batch, visit func(Event) error) error {
	for _, b := range batches {
		if b.MessageType != "DATA_MESSAGE" {
			continue
		}
		for _, e := range b.LogEvents {
			event := Event{Time: time.UnixMilli(e.Timestamp).UTC(), ID: e.ID, Group: b.LogGroup, Stream: b.LogStream,
				Text: strings.TrimRight(e.Message, "\r\n")}
			event.Place()
			if err := visit(event); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r routed) event(begun time.Time) Event {
	e := Event{Arrived: begun, Text: strings.TrimRight(*r.Log, "\r\n"), Container: r.ContainerName}
	if at, err := time.Parse("2006-01-02T15:04:05.999999999", strings.TrimSuffix(r.Time, "Z")); err == nil { // Fluent Bit's, in UTC
		e.Time = at.UTC()
	}
	e.Task = r.TaskARN[strings.LastIndex(r.TaskARN, "/")+1:]
	e.Family, _, _ = strings.Cut(r.Definition, ":")
	// Docker on an instance makes a name of its own: /ecs-FAMILY-REVISION-NAME-HASH (aws-for-fluent-bit#29).
	family, revision, _ := strings.Cut(r.Definition, ":")
	if rest, ok := strings.CutPrefix(r.ContainerName, fmt.Sprintf("/ecs-%s-%s-", family, revision)); ok {
		if i := strings.LastIndexByte(rest, '-'); i > 0 {
			e.Container = rest[:i]
		}
	}
	return e
}
