package operation

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// An up that failed half-way has made new definitions, while services and schedules still run those that are going.
func TestALayoutAfterAFailedUp(t *testing.T) {
	resource := func(kind string, going bool, outputs map[string]any) apitype.ResourceV3 {
		return apitype.ResourceV3{Type: tokens.Type(kind), Delete: going, Outputs: outputs}
	}
	definition := func(name, arn string, going bool) apitype.ResourceV3 {
		return resource(typeDefinition, going, map[string]any{"family": "shop-prod-" + name, "arn": arn, "cpu": "256", "memory": "512",
			"containerDefinitions": `[{"name":"django","environment":[{"name":"A","value":"b"}],"secrets":[{"name":"C","valueFrom":"arn:d"}]}]`})
	}
	network := map[string]any{"subnets": []any{"subnet-1"}, "securityGroups": []any{"sg-1"}}
	l := layoutOf("shop", "prod", []apitype.ResourceV3{
		definition("web", "web:1", true), definition("web", "web:2", false),
		definition("job-tidy", "tidy:1", true), definition("job-tidy", "tidy:2", false),
		resource("aws:ecs/service:Service", false, map[string]any{"name": "shop-prod-web", "taskDefinition": "web:1", "cluster": "arn:cluster"}),
		resource(typeSchedule, false, map[string]any{"name": "shop-prod-job-tidy", "scheduleExpression": "rate(1 day)", "target": map[string]any{
			"ecsParameters": map[string]any{"taskDefinitionArn": "tidy:1", "networkConfiguration": network}}}),
	})
	if p, err := l.service("web"); err != nil || p.Service != "shop-prod-web" || l.cluster != "arn:cluster" {
		t.Errorf("the service is %+v in cluster %s, %v", p, l.cluster, err)
	}
	p, err := l.job("tidy")
	if err != nil || p.Definition != "tidy:1" || len(p.Subnets) != 1 || p.Subnets[0] != "subnet-1" || p.Groups[0] != "sg-1" {
		t.Fatalf("the job is %+v, %v", p, err)
	}
	if c := p.container("django"); c.Environment["A"] != "b" || c.Secrets["C"] != "arn:d" || p.CPU != 256 || p.Memory != 512 {
		t.Errorf("its container is %+v", c)
	}
}
