package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/operation"
	"slipway/rehearsal/cloud"
)

// wrote STACK AGO GROUP STREAM TEXT... is a line that a container of the stack wrote so long ago, in CloudWatch Logs and in the archive. The
// stack counts as one that runs as containers.
// archived STACK AGO TEXT... is an object of the archive with the text alone, as an earlier version of the stack wrote it.
func wrote(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 5 {
		ts.Fatalf("usage: wrote stack ago group stream text...")
	}
	at, err := operation.Moment(args[1], time.Now())
	ts.Check(err)
	event := map[string]any{"id": fmt.Sprintf("%056d", at.UnixNano()), "timestamp": at.UnixMilli(), "message": strings.Join(args[4:], " ")}
	run := runs(ts, args[0])
	if group := filepath.Join(run, "cloudwatch", url.PathEscape(args[2])); time.Since(at) < 24*time.Hour {
		ts.Check(os.MkdirAll(group, 0o700))
		file, err := os.OpenFile(filepath.Join(group, url.PathEscape(args[3])), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		ts.Check(err)
		ts.Check(json.NewEncoder(file).Encode(event))
		ts.Check(file.Close())
	}
	batch, err := json.Marshal(map[string]any{"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": args[2], "logStream": args[3],
		"subscriptionFilters": []string{"archive"}, "logEvents": []any{event}})
	ts.Check(err)
	store(ts, args[0], at, string(batch)+"\n")
}

func archivedText(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: archived stack ago text...")
	}
	at, err := operation.Moment(args[1], time.Now())
	ts.Check(err)
	store(ts, args[0], at, strings.Join(args[2:], " ")+"\n")
}

// runs is the folder of a stack's containers.
func runs(ts *testscript.TestScript, stack string) string {
	dir := ts.MkAbs(filepath.Join(".slipway", stack, "run"))
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.WriteFile(filepath.Join(dir, "kept.json"), []byte("{}"), 0o600))
	return dir
}

// store writes an object of the archive.
func store(ts *testscript.TestScript, stack string, at time.Time, text string) {
	model, err := cloud.Peek(ts.MkAbs(filepath.Join(".slipway", stack, "model.json")))
	ts.Check(err)
	bucket := ""
	for _, o := range model.Objects() {
		if o.Type == "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream" {
			_, bucket, _ = strings.Cut(cloud.Inputs(o.Outputs).String("extendedS3Configuration.bucketArn"), ":::")
		}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err = z.Write([]byte(text))
	ts.Check(err)
	ts.Check(z.Close())
	dir := filepath.Join(runs(ts, stack), "s3", "buckets", bucket, "subscription", at.UTC().Format("2006/01/02/15"))
	ts.Check(os.MkdirAll(dir, 0o700))
	name := fmt.Sprintf("slipway-%s-subscription-1-%s-%d.gz", stack, at.UTC().Format("2006-01-02-15-04-05"), time.Now().UnixNano())
	ts.Check(os.WriteFile(filepath.Join(dir, name), zipped.Bytes(), 0o600))
}

// fires STACK ALARM REASON puts an alarm into the state ALARM.
func fires(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fires stack alarm reason")
	}
	model, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer model.Close()
	for _, o := range model.Objects() {
		if name := cloud.Inputs(o.Outputs).String("name"); o.Type == "aws:cloudwatch/metricAlarm:MetricAlarm" && strings.HasSuffix(name, args[1]) {
			ts.Check(model.Alter(o.Type, o.ID, func(o *cloud.Object) { o.State = map[string]string{"state": "ALARM", "reason": args[2]} }))
			return
		}
	}
	ts.Fatalf("there is no alarm %s", args[1])
}
