package awsaccount

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"slipway/operation/account"
)

// Observe implements account.Account.
func (a *Account) Observe() account.Observer {
	o := observe(a.aws)
	o.caller = a.identity.Caller
	return o
}

// observe reads an account. It needs logs:DescribeLogGroups, logs:DescribeLogStreams, logs:FilterLogEvents, s3:ListBucket, s3:GetObject,
// kms:Decrypt, ecs:ListTasks, ecs:DescribeTasks, elasticloadbalancing:DescribeTargetHealth,
// application-autoscaling:DescribeScalableTargets, scheduler:GetSchedule, rds:DescribeDBInstances, rds:DescribeDBSnapshots,
// elasticache:DescribeReplicationGroups, cloudwatch:DescribeAlarms, cloudwatch:GetMetricData and acm:DescribeCertificate.
func observe(settings aws.Config) observer {
	return observer{settings: settings, logReader: logReader{
		cloudwatchlogs.NewFromConfig(settings),
		s3.NewFromConfig(settings, func(o *s3.Options) {
			o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != ""
		}),
	}, ecs: ecs.NewFromConfig(settings)}
}

type observer struct {
	settings aws.Config
	logReader
	ecs    *ecs.Client
	caller string
}

// Simulated implements account.Observer.
func (o observer) Simulated() bool { return false }

// Tasks implements account.Observer.
func (o observer) Tasks(ctx context.Context, cluster string) ([]account.Task, error) {
	var tasks []account.Task
	seen := map[string]int{} // places by ARN: a task that stops between the two lists is in both
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		pages := ecs.NewListTasksPaginator(o.ecs, &ecs.ListTasksInput{Cluster: &cluster, DesiredStatus: status,
			MaxResults: aws.Int32(tasksACall)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			var none *types.ClusterNotFoundException
			if errors.As(err, &none) {
				return nil, nil
			}
			if err != nil {
				return nil, denied(o.caller, err, "ecs:ListTasks", cluster)
			}
			if len(page.TaskArns) == 0 {
				continue
			}
			out, err := o.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: page.TaskArns})
			if err != nil {
				return nil, denied(o.caller, err, "ecs:DescribeTasks", cluster)
			}
			for _, t := range out.Tasks {
				task := observedTask(t)
				if at, twice := seen[task.ARN]; twice {
					tasks[at] = task
					continue
				}
				seen[task.ARN] = len(tasks)
				tasks = append(tasks, task)
			}
		}
	}
	return tasks, nil
}

func observedTask(t types.Task) account.Task {
	task := account.Task{
		ARN: aws.ToString(t.TaskArn), Definition: aws.ToString(t.TaskDefinitionArn), Status: aws.ToString(t.LastStatus),
		Stops: aws.ToString(t.DesiredStatus) == string(types.DesiredStatusStopped), Health: string(t.HealthStatus),
		StartedBy: aws.ToString(t.StartedBy), Exec: t.EnableExecuteCommand, Created: aws.ToTime(t.CreatedAt), Started: aws.ToTime(t.StartedAt),
		Stopped: aws.ToTime(t.StoppedAt), Code: string(t.StopCode), Reason: aws.ToString(t.StoppedReason),
	}
	task.ID, task.Family = afterLast(task.ARN, "/"), afterLast(task.Definition, "/")
	task.Family, _, _ = strings.Cut(task.Family, ":")
	if group, ok := strings.CutPrefix(aws.ToString(t.Group), "service:"); ok {
		task.Service = group
	}
	for _, c := range t.Containers {
		container := account.TaskContainer{Name: aws.ToString(c.Name), Health: string(c.HealthStatus), Reason: aws.ToString(c.Reason),
			Digest: aws.ToString(c.ImageDigest), Runtime: aws.ToString(c.RuntimeId)}
		if c.ExitCode != nil {
			code := int(*c.ExitCode)
			container.ExitCode = &code
		}
		container.Exec = slices.ContainsFunc(c.ManagedAgents, func(m types.ManagedAgent) bool {
			return m.Name == types.ManagedAgentNameExecuteCommandAgent && aws.ToString(m.LastStatus) == "RUNNING"
		})
		task.Containers = append(task.Containers, container)
	}
	return task
}

func afterLast(text, mark string) string { return text[strings.LastIndex(text, mark)+1:] }

// Targets implements account.Observer.
func (o observer) Targets(ctx context.Context, group string) ([]account.Target, error) {
	var out struct {
		Targets []struct {
			ID     string `xml:"Target>Id"`
			State  string `xml:"TargetHealth>State"`
			Reason string `xml:"TargetHealth>Description"`
		} `xml:"DescribeTargetHealthResult>TargetHealthDescriptions>member"`
	}
	err := elbService.call(ctx, o.settings, "DescribeTargetHealth", url.Values{"TargetGroupArn": {group}}, &out)
	var targets []account.Target
	for _, t := range out.Targets {
		targets = append(targets, account.Target{Address: t.ID, State: t.State, Reason: t.Reason})
	}
	return targets, err
}

// Scaling implements account.Observer.
func (o observer) Scaling(ctx context.Context, cluster string, services []string) (map[string]account.Scaling, error) {
	scaling := map[string]account.Scaling{}
	if len(services) == 0 {
		return scaling, nil
	}
	in := map[string]any{"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
	var ids []string
	for _, s := range services {
		ids = append(ids, scalable(cluster, s))
	}
	const most = 50 // of a page, and of the IDs in a call
	for part := range slices.Chunk(ids, most) {
		in["ResourceIds"], in["MaxResults"] = part, most
		var out struct {
			ScalableTargets []struct {
				ResourceID               string `json:"ResourceId"`
				MinCapacity, MaxCapacity int
				SuspendedState           struct {
					DynamicScalingInSuspended, DynamicScalingOutSuspended, ScheduledScalingSuspended bool
				}
			}
		}
		if err := scalingService.call(ctx, o.settings, "DescribeScalableTargets", in, &out); err != nil {
			return nil, err
		}
		for _, t := range out.ScalableTargets {
			s := t.SuspendedState
			scaling[afterLast(t.ResourceID, "/")] = account.Scaling{Min: t.MinCapacity, Max: t.MaxCapacity,
				InSuspended: s.DynamicScalingInSuspended, OutSuspended: s.DynamicScalingOutSuspended,
				TimeSuspended: s.ScheduledScalingSuspended}
		}
	}
	return scaling, nil
}

// schedule is nil if there is none.
func schedule(ctx context.Context, client *scheduler.Client, group, name string) (*scheduler.GetScheduleOutput, error) {
	out, err := client.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &group, Name: &name})
	if is(err, "ResourceNotFoundException") {
		return nil, nil
	}
	return out, err
}

// Enabled implements account.Observer.
func (o observer) Enabled(ctx context.Context, group, name string) (enabled, there bool, err error) {
	is, err := schedule(ctx, scheduler.NewFromConfig(o.settings), group, name)
	if is == nil || err != nil {
		return false, false, err
	}
	return is.State == schedulertypes.ScheduleStateEnabled, true, nil
}

// An instant is a time in XML; an empty element is no time.
type instant struct{ time.Time }

// UnmarshalXML implements xml.Unmarshaler.
func (i *instant) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var text string
	if err := d.DecodeElement(&text, &start); err != nil || text == "" {
		return err
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(form, text); err == nil {
			i.Time = at.UTC()
			return nil
		}
	}
	return fmt.Errorf("%s: %q is no time", start.Name.Local, text)
}

// Database implements account.Observer.
func (o observer) Database(ctx context.Context, id string) (account.Database, error) {
	var out struct {
		Instances []struct {
			DBInstanceIdentifier, DBInstanceClass, DBInstanceStatus, Engine, EngineVersion string
			Address                                                                        string `xml:"Endpoint>Address"`
			AllocatedStorage, MaxAllocatedStorage, BackupRetentionPeriod                   int
			MultiAZ                                                                        bool
			ReadReplicaSourceDBInstanceIdentifier                                          string
			LatestRestorableTime                                                           instant
			ReadReplicaDBInstanceIdentifiers                                               struct {
				IDs []string `xml:"ReadReplicaDBInstanceIdentifier"`
			}
			CertificateDetails struct {
				CAIdentifier string
				ValidTill    instant
			}
		} `xml:"DescribeDBInstancesResult>DBInstances>DBInstance"`
	}
	err := rdsService.call(ctx, o.settings, "DescribeDBInstances", url.Values{"DBInstanceIdentifier": {id}}, &out)
	if err == nil && len(out.Instances) == 0 || is(err, "DBInstanceNotFound", "DBInstanceNotFoundFault") {
		err = fmt.Errorf("database %s: %w", id, account.ErrGone)
	}
	if err != nil {
		return account.Database{}, err
	}
	i := out.Instances[0]
	return account.Database{ID: i.DBInstanceIdentifier, Address: i.Address, Class: i.DBInstanceClass, Status: i.DBInstanceStatus,
		Engine: i.Engine, Version: i.EngineVersion, Storage: i.AllocatedStorage, MaxStorage: i.MaxAllocatedStorage, MultiAZ: i.MultiAZ,
		Replicas:   i.ReadReplicaSourceDBInstanceIdentifier != "" || len(i.ReadReplicaDBInstanceIdentifiers.IDs) > 0,
		BackupDays: i.BackupRetentionPeriod, LatestRestorable: i.LatestRestorableTime.Time,
		CertificateAuthority: i.CertificateDetails.CAIdentifier, CertificateValidTill: i.CertificateDetails.ValidTill.Time}, nil
}

// Snapshots implements account.Observer.
func (o observer) Snapshots(ctx context.Context, id string) ([]account.Snapshot, error) {
	var all []account.Snapshot
	in := url.Values{"DBInstanceIdentifier": {id}}
	for {
		var out struct {
			Marker    string `xml:"DescribeDBSnapshotsResult>Marker"`
			Snapshots []struct {
				DBSnapshotIdentifier, SnapshotType, Status string
				SnapshotCreateTime                         instant
			} `xml:"DescribeDBSnapshotsResult>DBSnapshots>DBSnapshot"`
		}
		if err := rdsService.call(ctx, o.settings, "DescribeDBSnapshots", in, &out); err != nil {
			return nil, err
		}
		for _, s := range out.Snapshots {
			all = append(all, account.Snapshot{ID: s.DBSnapshotIdentifier, Kind: s.SnapshotType, Status: s.Status,
				Created: s.SnapshotCreateTime.Time})
		}
		if out.Marker == "" {
			slices.SortFunc(all, func(a, b account.Snapshot) int { return b.Created.Compare(a.Created) })
			return all, nil
		}
		in.Set("Marker", out.Marker)
	}
}

// Cache implements account.Observer.
func (o observer) Cache(ctx context.Context, id string) (account.Cache, error) {
	var out struct {
		Groups []struct {
			ReplicationGroupID string `xml:"ReplicationGroupId"`
			Status             string
			CacheNodeType      string
			AutomaticFailover  string
			Members            []struct {
				CacheClusterID string `xml:"CacheClusterId"`
				CurrentRole    string
				Zone           string `xml:"PreferredAvailabilityZone"`
			} `xml:"NodeGroups>NodeGroup>NodeGroupMembers>NodeGroupMember"`
		} `xml:"DescribeReplicationGroupsResult>ReplicationGroups>ReplicationGroup"`
	}
	err := cacheService.call(ctx, o.settings, "DescribeReplicationGroups", url.Values{"ReplicationGroupId": {id}}, &out)
	if err == nil && len(out.Groups) == 0 || is(err, "ReplicationGroupNotFoundFault") {
		err = fmt.Errorf("cache %s: %w", id, account.ErrGone)
	}
	if err != nil {
		return account.Cache{}, err
	}
	g := out.Groups[0]
	c := account.Cache{ID: g.ReplicationGroupID, Status: g.Status, Node: g.CacheNodeType, Failover: g.AutomaticFailover}
	for _, m := range g.Members {
		c.Members = append(c.Members, account.CacheMember{ID: m.CacheClusterID, Role: m.CurrentRole, Zone: m.Zone})
	}
	return c, nil
}

// Certificate implements account.Observer.
func (o observer) Certificate(ctx context.Context, arn string) (account.Certificate, error) {
	var out struct {
		Certificate struct {
			DomainName, Status, FailureReason string
			SubjectAlternativeNames           []string
			NotAfter                          float64 // seconds since 1970
			RenewalSummary                    struct{ RenewalStatus, RenewalStatusReason string }
		}
	}
	err := certificateService.call(ctx, o.settings, "DescribeCertificate", map[string]any{"CertificateArn": arn}, &out)
	if is(err, "ResourceNotFoundException") {
		err = fmt.Errorf("certificate %s: %w", arn, account.ErrGone)
	}
	if err != nil {
		return account.Certificate{}, err
	}
	c := account.Certificate{ARN: arn, Domain: out.Certificate.DomainName, Status: out.Certificate.Status,
		Names: out.Certificate.SubjectAlternativeNames, Renewal: out.Certificate.RenewalSummary.RenewalStatus,
		Reason: cmp.Or(out.Certificate.FailureReason, out.Certificate.RenewalSummary.RenewalStatusReason)}
	if c.Domain != "" && !slices.Contains(c.Names, c.Domain) {
		c.Names = append([]string{c.Domain}, c.Names...)
	}
	if seconds := out.Certificate.NotAfter; seconds > 0 {
		c.NotAfter = time.Unix(int64(seconds), 0).UTC()
	}
	return c, nil
}
