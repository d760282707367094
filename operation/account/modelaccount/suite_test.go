package modelaccount

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/bootstrap"
	"slipway/ecs"
	"slipway/operation/account/accounttest"
	"slipway/rehearsal/cloud"
)

// TestSuite runs the suite against the model.
func TestSuite(t *testing.T) {
	accounttest.Run(t, func(t *testing.T) accounttest.World { world, _ := open(t); return world })
}

// The hook of the migration ends the context when its time is over, and the runner must pass that on.
func TestAMigrationIsStoppedWhenItsTimeIsOver(t *testing.T) {
	world, account := open(t)
	cluster, definition := world.Service(t, accounttest.Service{Cluster: "suite", Name: "migration", Image: "public.ecr.aws/x/y:1",
		LogGroup: "/suite/web"})
	run := ecs.TaskRun{Cluster: cluster, TaskDefinition: definition, Container: "app"}
	for _, o := range account.model.Account.Objects() {
		switch o.Type {
		case "aws:ec2/subnet:Subnet":
			run.Subnets = []string{o.ID}
		case "aws:ec2/securityGroup:SecurityGroup":
			run.SecurityGroups = []string{o.ID}
		}
	}
	account.model.Account.Tasks = func(ctx context.Context, _ cloud.TaskRun) cloud.TaskResult {
		select {
		case <-ctx.Done():
			return cloud.TaskResult{ExitCode: cloud.NeverStarted, Logs: []string{"waiting for the lock"}}
		case <-time.After(10 * time.Second):
			return cloud.TaskResult{}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	result, err := account.Runner().RunTask(ctx, run)
	if err != nil || result.ExitCode != ecs.NotStarted || len(result.Logs) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

// open is a model with what the suite asks about.
func open(t *testing.T) (accounttest.World, *Account) {
	account, err := Open(t.Context(), Args{Dir: t.TempDir(), Stack: "prod", Operation: "up", Region: "us-east-1", Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := account.Close(); err != nil {
			t.Error(err)
		}
	})
	model := account.model.Account
	create := func(t *testing.T, kind, name string, inputs map[string]any) *cloud.Object {
		t.Helper()
		urn := "urn:pulumi:prod::suite::" + kind + "::" + name
		checked, problems := model.Check(cloud.CheckRequest{Type: kind, URN: urn, News: inputs, RandomSeed: []byte(name)})
		if len(problems) > 0 {
			t.Fatalf("%s %s: %v", kind, name, problems)
		}
		id, _, err := model.Create(cloud.Change{Type: kind, URN: urn, Inputs: checked})
		if err != nil {
			t.Fatalf("%s %s: %v", kind, name, err)
		}
		return model.Object(kind, id)
	}
	world := accounttest.World{
		Account: account,
		Service: func(t *testing.T, s accounttest.Service) (string, string) {
			vpc := create(t, "aws:ec2/vpc:Vpc", "vpc", map[string]any{"cidrBlock": "10.0.0.0/16"})
			subnet := create(t, "aws:ec2/subnet:Subnet", "subnet",
				map[string]any{"vpcId": vpc.ID, "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a"})
			group := create(t, "aws:ec2/securityGroup:SecurityGroup", "group",
				map[string]any{"vpcId": vpc.ID, "name": "suite", "description": "suite"})
			create(t, "aws:cloudwatch/logGroup:LogGroup", "logs", map[string]any{"name": s.LogGroup})
			execution := create(t, "aws:iam/role:Role", "execution",
				map[string]any{"name": "suite-execution", "assumeRolePolicy": `{"Version":"2012-10-17",` +
					`"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}`})
			create(t, "aws:iam/rolePolicy:RolePolicy", "execution",
				map[string]any{"role": execution.ID, "name": "logs", "policy": `{"Version":"2012-10-17",` +
					`"Statement":[{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`})
			cluster := create(t, "aws:ecs/cluster:Cluster", s.Cluster, map[string]any{"name": s.Cluster})
			definition := create(t, typeDefinition, s.Name, map[string]any{"family": s.Name, "cpu": "256", "memory": "512", "networkMode": "awsvpc",
				"requiresCompatibilities": []any{"FARGATE"}, "executionRoleArn": execution.Outputs["arn"],
				"containerDefinitions": fmt.Sprintf(`[{"name":"app","image":%q,"essential":true,"logConfiguration":{"logDriver":"awslogs","options":`+
					`{"awslogs-group":%q,"awslogs-region":"us-east-1","awslogs-stream-prefix":"web"}}}]`, s.Image, s.LogGroup)})
			create(t, typeService, s.Name, map[string]any{"name": s.Name, "cluster": cluster.Outputs["arn"],
				"taskDefinition": definition.Outputs["arn"],
				"desiredCount":   float64(0), "launchType": "FARGATE",
				"networkConfiguration": map[string]any{"subnets": []any{subnet.ID}, "securityGroups": []any{group.ID}}})
			return fmt.Sprint(cluster.Outputs["arn"]), fmt.Sprint(definition.Outputs["arn"])
		},
		Watched: func(t *testing.T, w accounttest.Watched) string {
			create(t, "aws:cloudwatch/metricAlarm:MetricAlarm", w.Alarm, map[string]any{"name": w.Alarm, "alarmDescription": w.Description,
				"namespace": "AWS/RDS", "metricName": "CPUUtilization", "statistic": "Average", "period": 60.0, "evaluationPeriods": 1.0,
				"threshold": 80.0, "comparisonOperator": "GreaterThanThreshold"})
			create(t, "aws:rds/instance:Instance", w.Database, map[string]any{"identifier": w.Database, "instanceClass": "db.t4g.micro",
				"engine": "postgres", "engineVersion": "17", "allocatedStorage": 20.0, "backupRetentionPeriod": 7.0, "username": "owner",
				"password": "hunter2hunter2", "skipFinalSnapshot": true})
			c := create(t, "aws:acm/certificate:Certificate", w.Domain, map[string]any{"domainName": w.Domain, "validationMethod": "DNS"})
			return fmt.Sprint(c.Outputs["arn"])
		},
		Bucket: func(t *testing.T, name string, keys ...string) {
			bucket := create(t, "aws:s3/bucketV2:BucketV2", name, map[string]any{"bucket": name})
			for _, key := range keys {
				create(t, "aws:s3/bucketObjectv2:BucketObjectv2", key, map[string]any{"bucket": bucket.ID, "key": key, "content": "x"})
			}
		},
		Parameter: func(t *testing.T, name string) {
			create(t, typeParameter, strings.ReplaceAll(name, "/", ""), map[string]any{"name": name, "type": "SecureString", "value": "x"})
		},
		Repository: func(t *testing.T, name string, images int) {
			repository := create(t, typeRepository, name, map[string]any{"name": name})
			for i := range images {
				if err := model.Push(fmt.Sprintf("%v:%d", repository.Outputs["repositoryUrl"], i),
					"sha256:"+strings.Repeat(fmt.Sprint(i), 64)); err != nil {
					t.Fatal(err)
				}
			}
		},
	}
	return world, account
}

// TestTheBucketOfTheState holds what a bootstrap makes in the model to what S3 is asked for in an account.
func TestTheBucketOfTheState(t *testing.T) {
	model, err := cloud.Open(filepath.Join(t.TempDir(), "model.json"), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	spec := &bootstrap.Spec{
		Stack: "shop-prod", Account: model.AccountID, Partition: model.Partition, Region: model.Region,
		Bucket: "shop-prod-state", Alias: "alias/shop-prod-state",
	}
	result, err := spec.Apply(t.Context(), bootstrapModel{model})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]map[string]any{
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {
			"blockPublicAcls": true, "ignorePublicAcls": true, "blockPublicPolicy": true, "restrictPublicBuckets": true},
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls": {"rule": map[string]any{"objectOwnership": "BucketOwnerEnforced"}},
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {"rules": []any{map[string]any{
			"bucketKeyEnabled":                   true,
			"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms", "kmsMasterKeyId": result.Key}}}},
		"aws:s3/bucketVersioningV2:BucketVersioningV2": {"versioningConfiguration": map[string]any{"status": "Enabled"}},
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2": {"rules": []any{
			map[string]any{"id": "broken-uploads", "status": "Enabled", "filter": map[string]any{"prefix": ""},
				"abortIncompleteMultipartUpload": map[string]any{"daysAfterInitiation": 7.0}},
			map[string]any{"id": "old-versions", "status": "Enabled", "filter": map[string]any{"prefix": ""},
				"noncurrentVersionExpiration": map[string]any{"noncurrentDays": 90.0}}}},
	} {
		o := bootstrapModel{model}.find(kind, "bucket", spec.Bucket)
		if o == nil {
			t.Errorf("there is no %s", kind)
			continue
		}
		for input, value := range want {
			if diff := cmp.Diff(value, o.Inputs[input]); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", kind, input, diff)
			}
		}
	}
}
