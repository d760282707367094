package awsaccount

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slipway/internal/awstest"
	"slipway/logline"
	"slipway/operation/account"
	"slipway/operation/account/accounttest"
)

// watched makes an alarm, a database and a certificate.
func watched(t *testing.T, settings aws.Config, w accounttest.Watched) string {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(cloudwatchService.call(ctx, settings, "PutMetricAlarm", url.Values{"AlarmName": {w.Alarm}, "AlarmDescription": {w.Description},
		"Namespace": {"AWS/RDS"}, "MetricName": {"CPUUtilization"}, "Statistic": {"Average"}, "Period": {"60"}, "EvaluationPeriods": {"1"},
		"Threshold": {"80"}, "ComparisonOperator": {"GreaterThanThreshold"}}, new(struct{})))
	must(rdsService.call(ctx, settings, "CreateDBInstance", url.Values{"DBInstanceIdentifier": {w.Database},
		"DBInstanceClass": {"db.t4g.micro"},
		"Engine":          {"postgres"}, "AllocatedStorage": {"20"}, "BackupRetentionPeriod": {"7"}, "MasterUsername": {"owner"},
		"MasterUserPassword": {"hunter2hunter2"}}, new(struct{})))
	var out struct{ CertificateArn string }
	must(certificateService.call(ctx, settings, "RequestCertificate", map[string]any{"DomainName": w.Domain, "ValidationMethod": "DNS"}, &out))
	return out.CertificateArn
}

// TestObservingMoto asks about what moto can make, beyond what the suite has.
func TestObservingMoto(t *testing.T) {
	settings := awsAt(t, moto(t))
	ctx, o := t.Context(), observe(settings)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	logs := cloudwatchlogs.NewFromConfig(settings)
	group := aws.String("/shop/prod/django")
	_, err := logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	must(err)
	_, err = logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(30)})
	must(err)
	begun := time.Now().Add(-time.Minute)
	for i, stream := range []string{"web/django/t1", "web/django/t2"} {
		_, err = logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: &stream})
		must(err)
		var events []logtypes.InputLogEvent
		for n := range 3 {
			at := begun.Add(time.Duration(2*n+i) * time.Second)
			events = append(events, logtypes.InputLogEvent{Timestamp: aws.Int64(at.UnixMilli()), Message: aws.String(fmt.Sprint("line ", 2*n+i))})
		}
		_, err = logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: &stream, LogEvents: events})
		must(err)
	}
	groups, err := o.LogGroups(ctx, "/shop/prod/")
	if err != nil || len(groups) != 1 || groups[0].Retention != 30*24*time.Hour || time.Since(groups[0].Created) > time.Minute {
		t.Errorf("log groups are %+v, %v", groups, err)
	}
	streams, err := o.LogStreams(ctx, *group, begun)
	if err != nil || len(streams) != 2 || streams[0].Created.IsZero() || streams[0].First.IsZero() {
		t.Errorf("streams are %+v, %v", streams, err)
	}
	var got []string
	query := account.EventQuery{Group: *group, From: begun.Add(time.Second).Truncate(time.Millisecond),
		To: begun.Add(5 * time.Second).Truncate(time.Millisecond)}
	err = o.Events(ctx, query, func(events []logline.Event) error {
		for _, e := range events {
			if e.ID == "" || e.Container != "django" || e.Group != *group {
				t.Errorf("an event is %+v", e)
			}
			got = append(got, e.Task+" "+e.Text)
		}
		return nil
	})
	if want := []string{"t2 line 1", "t1 line 2", "t2 line 3", "t1 line 4"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("events are %q, %v; want %q", got, err, want)
	}

	buckets := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String("shop-logs")
	_, err = buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	must(err)
	for _, key := range []string{"subscription/2026/02/03/04/b.gz", "subscription/2026/02/03/04/a.gz", "subscription/2026/02/03/05/c.gz"} {
		_, err = buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("of " + key)})
		must(err)
	}
	keys, err := o.Archived(ctx, *bucket, "subscription/2026/02/03/04/")
	if want := []string{"subscription/2026/02/03/04/a.gz", "subscription/2026/02/03/04/b.gz"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("objects are %q, %v", keys, err)
	}
	object, err := o.Archive(ctx, *bucket, keys[0])
	must(err)
	if text, err := io.ReadAll(object); err != nil || string(text) != "of "+keys[0] || object.Close() != nil {
		t.Errorf("the object is %q, %v", text, err)
	}

	must(jsonService{"ecs", "AmazonEC2ContainerServiceV20141113"}.call(ctx, settings, "CreateCluster", map[string]any{"clusterName": "shop"},
		new(struct{})))
	must(jsonService{"ecs", "AmazonEC2ContainerServiceV20141113"}.call(ctx, settings, "RegisterTaskDefinition", map[string]any{"family": "web",
		"containerDefinitions": []any{map[string]any{"name": "app", "image": "x", "memory": 64}}}, new(struct{})))
	must(jsonService{"ecs", "AmazonEC2ContainerServiceV20141113"}.call(ctx, settings, "CreateService", map[string]any{"cluster": "shop",
		"serviceName": "web", "taskDefinition": "web", "desiredCount": 0}, new(struct{})))
	must(scalingService.call(ctx, settings, "RegisterScalableTarget", map[string]any{"ServiceNamespace": "ecs",
		"ResourceId":        "service/shop/web",
		"ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 2, "MaxCapacity": 6}, new(struct{})))
	scaling, err := o.Scaling(ctx, "arn:aws:ecs:us-east-1:123456789012:cluster/shop", []string{"web", "worker"})
	if err != nil || len(scaling) != 1 || scaling["web"] != (account.Scaling{Min: 2, Max: 6}) {
		t.Errorf("scaling is %+v, %v", scaling, err)
	}
	var found struct {
		VPCs []string `xml:"vpcSet>item>vpcId"`
	}
	must(ec2Service.call(ctx, settings, "DescribeVpcs", nil, &found))
	var made struct {
		ARN string `xml:"CreateTargetGroupResult>TargetGroups>member>TargetGroupArn"`
	}
	must(elbService.call(ctx, settings, "CreateTargetGroup", url.Values{"Name": {"web"}, "Protocol": {"HTTP"}, "Port": {"8080"},
		"VpcId": {found.VPCs[0]}, "TargetType": {"ip"}}, &made))
	must(elbService.call(ctx, settings, "RegisterTargets", url.Values{"TargetGroupArn": {made.ARN}, "Targets.member.1.Id": {"10.0.1.5"},
		"Targets.member.1.Port": {"8080"}}, new(struct{})))
	targets, err := o.Targets(ctx, made.ARN)
	if err != nil || len(targets) != 1 || targets[0].Address != "10.0.1.5" || targets[0].State == "" {
		t.Errorf("targets are %+v, %v", targets, err)
	}
	watched(t, settings, accounttest.Watched{Alarm: "cpu", Database: "shop", Domain: "example.com"})
	must(rdsService.call(ctx, settings, "CreateDBSnapshot", url.Values{"DBInstanceIdentifier": {"shop"}, "DBSnapshotIdentifier": {"before"}},
		new(struct{})))
	must(cloudwatchService.call(ctx, settings, "SetAlarmState", url.Values{"AlarmName": {"cpu"}, "StateValue": {"ALARM"},
		"StateReason": {"Threshold Crossed"}}, new(struct{})))
	if all, err := o.Snapshots(ctx, "shop"); err != nil || !slices.ContainsFunc(all, func(s account.Snapshot) bool {
		return s.ID == "before" && s.Kind == "manual" && !s.Created.IsZero()
	}) {
		t.Errorf("the snapshots are %+v, %v", all, err)
	}
	alarms, err := o.Alarms(ctx, []string{"cpu"})
	if err != nil || len(alarms) != 1 || alarms[0].State != "ALARM" || alarms[0].Reason != "Threshold Crossed" ||
		time.Since(alarms[0].Since) > time.Hour {
		t.Errorf("alarms are %+v, %v", alarms, err)
	}
	must(cacheService.call(ctx, settings, "CreateReplicationGroup", url.Values{"ReplicationGroupId": {"shop-cache"},
		"ReplicationGroupDescription": {"x"}, "CacheNodeType": {"cache.t4g.micro"}, "Engine": {"redis"}, "NumNodeGroups": {"1"},
		"ReplicasPerNodeGroup":     {"1"},
		"AutomaticFailoverEnabled": {"true"}}, new(struct{})))
	if c, err := o.Cache(ctx, "shop-cache"); err != nil || c.ID != "shop-cache" || c.Node != "cache.t4g.micro" || len(c.Members) != 2 ||
		c.Failover != "enabled" || !slices.ContainsFunc(c.Members, func(m account.CacheMember) bool { return m.Role == "primary" }) {
		t.Errorf("the cache is %+v, %v", c, err)
	}
	must(cloudwatchService.call(ctx, settings, "PutMetricData", url.Values{"Namespace": {"AWS/RDS"},
		"MetricData.member.1.MetricName": {"DatabaseConnections"}, "MetricData.member.1.Value": {"7"},
		"MetricData.member.1.Dimensions.member.1.Name":  {"DBInstanceIdentifier"},
		"MetricData.member.1.Dimensions.member.1.Value": {"shop"}}, new(struct{})))
	metric := account.Metric{Namespace: "AWS/RDS", Name: "DatabaseConnections", Statistic: "Maximum",
		Dimensions: map[string]string{"DBInstanceIdentifier": "shop"}}
	other := metric
	other.Dimensions = map[string]string{"DBInstanceIdentifier": "another"}
	if values, err := o.Metrics(ctx, []account.Metric{other, metric}); err != nil || values[0] != nil || values[1] == nil || *values[1] != 7 {
		t.Errorf("metrics are %v, %v", values, err)
	}
}

// TestObservingWhatMotoDoesNotMake has an endpoint answer with the shapes of the API references: tasks with health and exit codes,
// targets of the load balancer, a certificate that ends. It checks each request.
func TestObservingWhatMotoDoesNotMake(t *testing.T) {
	const definition = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-prod-web:3"
	answers := map[string]string{
		"ListTasks RUNNING": `{"taskArns":["arn:aws:ecs:us-east-1:123456789012:task/shop/t2",
			"arn:aws:ecs:us-east-1:123456789012:task/shop/t1"]}`, // t2 stops before the second list
		"ListTasks STOPPED": `{"taskArns":["arn:aws:ecs:us-east-1:123456789012:task/shop/t2"]}`,
		"DescribeTasks t1": `{"tasks":[{"taskArn":"arn:aws:ecs:us-east-1:123456789012:task/shop/t2","lastStatus":"RUNNING",
			"desiredStatus":"RUNNING"},{"taskArn":"arn:aws:ecs:us-east-1:123456789012:task/shop/t1","taskDefinitionArn":"` + definition + `",
			"lastStatus":"RUNNING","desiredStatus":"RUNNING","healthStatus":"HEALTHY","group":"service:shop-prod-web","startedAt":1770091506,
			"enableExecuteCommand":true,
			"containers":[{"name":"django","healthStatus":"HEALTHY","imageDigest":"sha256:1","runtimeId":"t1-9","managedAgents":[
				{"name":"ExecuteCommandAgent","lastStatus":"RUNNING"}]}]}]}`,
		"DescribeTasks t2": `{"tasks":[{"taskArn":"arn:aws:ecs:us-east-1:123456789012:task/shop/t2",
			"taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/shop-prod-job-clean-up:1","lastStatus":"STOPPED",
			"desiredStatus":"STOPPED","healthStatus":"UNKNOWN","group":"family:shop-prod-job-clean-up","stoppedAt":1770091507.5,
			"stopCode":"EssentialContainerExited","stoppedReason":"Essential container in task exited","startedBy":"chronos-schedule",
			"containers":[{"name":"django","exitCode":3,"reason":"x"}]}]}`,
		"DescribeCertificate": `{"Certificate":{"CertificateArn":"arn:c","DomainName":"example.com","Status":"ISSUED","NotAfter":1.7704224E9,
			"RenewalSummary":{"RenewalStatus":"PENDING_VALIDATION"}}}`,
		"DescribeTargetHealth": `<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>
			<member><Target><Id>10.0.1.5</Id><Port>8080</Port></Target><TargetHealth><State>healthy</State></TargetHealth></member>
			<member><Target><Id>10.0.1.6</Id></Target><TargetHealth><State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason>
			<Description>Health checks failed with these codes: [404]</Description></TargetHealth></member>
			</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		var in struct {
			Cluster, DesiredStatus, CertificateArn string
			Tasks                                  []string
		}
		if operation == "" {
			form, err := url.ParseQuery(string(body))
			if err != nil || form.Get("Version") != "2015-12-01" || form.Get("TargetGroupArn") != "arn:targets" {
				t.Errorf("the request is %s", body)
			}
			operation = form.Get("Action")
		} else if err := json.Unmarshal(body, &in); err != nil || operation != "DescribeCertificate" && in.Cluster != "arn:shop" ||
			operation == "DescribeCertificate" && in.CertificateArn != "arn:c" {
			t.Errorf("%s: the request is %s, %v", operation, body, err)
		}
		if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/"+map[string]string{"DescribeTargetHealth": "elasticloadbalancing",
			"DescribeCertificate": "acm", "ListTasks": "ecs", "DescribeTasks": "ecs"}[operation]+"/aws4_request") {
			t.Errorf("%s is signed %s", operation, r.Header.Get("Authorization"))
		}
		switch operation {
		case "ListTasks":
			operation += " " + in.DesiredStatus
		case "DescribeTasks":
			operation += " " + afterLast(strings.Join(in.Tasks, ","), "/")
		}
		answer, known := answers[operation]
		if !known {
			t.Errorf("unexpected call: %s %s", operation, body)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	awstest.Point(t, server.URL)
	ctx, o := t.Context(), observe(settings(t))
	tasks, err := o.Tasks(ctx, "arn:shop")
	if err != nil || len(tasks) != 2 {
		t.Fatalf("tasks are %+v, %v", tasks, err)
	}
	if a := tasks[1]; a.ID != "t1" || a.Service != "shop-prod-web" || a.Family != "shop-prod-web" || a.Health != "HEALTHY" || a.Stops ||
		!a.Exec || a.Containers[0].Runtime != "t1-9" || a.Containers[0].Digest != "sha256:1" || !a.Containers[0].Exec ||
		a.Containers[0].ExitCode != nil || a.Started.Unix() != 1770091506 {
		t.Errorf("the running task is %+v", a)
	}
	if b := tasks[0]; b.Service != "" || b.Family != "shop-prod-job-clean-up" || !b.Stops || b.Stopped.IsZero() ||
		*b.Containers[0].ExitCode != 3 ||
		b.Code != "EssentialContainerExited" {
		t.Errorf("the stopped task is %+v", b)
	}
	c, err := o.Certificate(ctx, "arn:c")
	if want := time.Unix(1770422400, 0).UTC(); err != nil || !c.NotAfter.Equal(want) || c.Renewal != "PENDING_VALIDATION" {
		t.Errorf("the certificate is %+v, %v", c, err)
	}
	targets, err := o.Targets(ctx, "arn:targets")
	if want := []account.Target{{Address: "10.0.1.5", State: "healthy"}, {Address: "10.0.1.6", State: "unhealthy",
		Reason: "Health checks failed with these codes: [404]"}}; err != nil || !slices.Equal(targets, want) {
		t.Errorf("targets are %+v, %v", targets, err)
	}
}

func TestJSONErrorsAreThoseOfTheSDK(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"com.amazonaws.acm#AccessDeniedException","message":"not authorized to perform: acm:DescribeCertificate"}`)
	}))
	t.Cleanup(server.Close)
	awstest.Point(t, server.URL)
	_, err := observe(settings(t)).Certificate(t.Context(), "arn:c")
	if !is(err, "AccessDeniedException") || !strings.Contains(err.Error(), "acm:DescribeCertificate") {
		t.Errorf("the error is %v", err)
	}
}
