// Package graph records the resources that a Pulumi program declares, without an engine and without a cloud, for the tests
// of the components and of the whole site.
package graph

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Account is the account of the caller in a recorded program.
const Account = "123456789012"

// A Resource is one that the program declared. A secret input appears as {"secret": value}.
type Resource struct {
	Type          string         `json:"type"`
	Name          string         `json:"name"`
	Parent        string         `json:"parent"` // the parent's logical name
	Protect       bool           `json:"protect,omitempty"`
	IgnoreChanges []string       `json:"ignoreChanges,omitempty"`
	DependsOn     []string       `json:"dependsOn,omitempty"`
	Hooks         []string       `json:"hooks,omitempty"`
	Inputs        map[string]any `json:"inputs,omitempty"`
}

// Custom reports whether the resource belongs to a provider, and is not a component.
func (r Resource) Custom() bool {
	return !strings.HasPrefix(r.Type, "slipway:") && !strings.HasPrefix(r.Type, "pulumi:")
}

// Input returns the input at path, such as "versioningConfiguration.status"; nil if there is none.
func (r Resource) Input(path string) any {
	var at any = r.Inputs
	for _, step := range strings.Split(path, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[step]
	}
	return at
}

// A Graph is the resources of one program, sorted by type and name.
type Graph []Resource

// Of returns the resources of one type.
func (g Graph) Of(token string) Graph {
	var found Graph
	for _, r := range g {
		if r.Type == token {
			found = append(found, r)
		}
	}
	return found
}

// Named returns the resource with that type and logical name, or a zero Resource.
func (g Graph) Named(token, name string) Resource {
	for _, r := range g {
		if r.Type == token && r.Name == name {
			return r
		}
	}
	return Resource{}
}

// JSON formats the graph for golden files.
func (g Graph) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(g, "", " ")
	return append(text, '\n'), err
}

// Record runs program with the configuration (full keys: "slipway:domain") and returns the resources that it declared.
func Record(stack string, config map[string]string, program pulumi.RunFunc) (Graph, error) {
	m := &mocks{}
	err := pulumi.RunErr(program, pulumi.WithMocks("slipway", stack, m), func(info *pulumi.RunInfo) {
		info.Config = config
		for key := range config { // the engine knows which values were encrypted
			if strings.HasSuffix(key, ":secrets") {
				info.ConfigSecretKeys = append(info.ConfigSecretKeys, key)
			}
		}
	})
	slices.SortFunc(m.graph, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	for i := 1; i < len(m.graph) && err == nil; i++ {
		if m.graph[i].Type == m.graph[i-1].Type && m.graph[i].Name == m.graph[i-1].Name {
			err = fmt.Errorf("declared twice: %s %s", m.graph[i].Type, m.graph[i].Name)
		}
	}
	return m.graph, err
}

type mocks struct {
	mu    sync.Mutex
	graph Graph
}

// NewResource records a resource. It implements pulumi.MockResourceMonitor.
func (m *mocks) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	inputs, _ := plain(resource.NewObjectProperty(args.Inputs)).(map[string]any)
	r := Resource{Type: args.TypeToken, Name: args.Name, Inputs: inputs}
	if rpc := args.RegisterRPC; rpc != nil {
		r.Parent, r.Protect, r.IgnoreChanges = urnName(rpc.GetParent()), rpc.GetProtect(), rpc.GetIgnoreChanges()
		for _, urn := range rpc.GetDependencies() {
			r.DependsOn = append(r.DependsOn, urnName(urn))
		}
		slices.Sort(r.DependsOn)
		r.DependsOn = slices.Compact(r.DependsOn)
		hooks := rpc.GetHooks()
		r.Hooks = slices.Concat(r.Hooks, hooks.GetBeforeCreate(), hooks.GetBeforeUpdate(), hooks.GetAfterCreate(), hooks.GetAfterUpdate())
	}
	m.mu.Lock()
	m.graph = append(m.graph, r)
	m.mu.Unlock()
	return args.Name + "-id", computed(args), nil
}

// Call answers the provider functions that the site calls. It implements pulumi.MockResourceMonitor.
func (m *mocks) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	var answer map[string]any
	switch args.Token {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		answer = map[string]any{"accountId": Account, "arn": "arn:aws:iam::" + Account + ":user/rehearsal",
			"id": Account, "userId": "AIDAEXAMPLE"}
	case "aws:index/getRegion:getRegion":
		answer = map[string]any{"name": "us-east-1", "id": "us-east-1", "endpoint": "ec2.us-east-1.amazonaws.com",
			"description": "US East (N. Virginia)"}
	case "aws:index/getPartition:getPartition":
		answer = map[string]any{"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws", "reverseDnsPrefix": "com.amazonaws"}
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		answer = map[string]any{"id": "us-east-1", "groupNames": []any{"us-east-1"},
			"names":   []any{"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"},
			"zoneIds": []any{"use1-az1", "use1-az2", "use1-az3", "use1-az4"}}
	case "aws:ec2/getSubnets:getSubnets": // the stack is new
		answer = map[string]any{"id": "us-east-1", "ids": []any{}}
	case "aws:ssm/getParameter:getParameter":
		answer = map[string]any{"value": "ami-0123456789abcdef0", "insecureValue": "ami-0123456789abcdef0", "name": args.Args["name"].V,
			"type": "String", "arn": "arn:aws:ssm:us-east-1::parameter/ami", "id": "ami", "version": 1}
	case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
		answer = map[string]any{"userName": "AWS", "password": "token", "id": "us-east-1",
			"proxyEndpoint":      "https://" + Account + ".dkr.ecr.us-east-1.amazonaws.com",
			"authorizationToken": "QVdTOnRva2Vu", "expiresAt": "2030-01-01T00:00:00Z"}
	case "aws:route53/getZone:getZone":
		answer = map[string]any{"zoneId": "Z0123456789ABCDEFGHIJ", "id": "Z0123456789ABCDEFGHIJ", "name": args.Args["name"].V,
			"arn": "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"}
	case "aws:ec2/getPrefixList:getPrefixList", "aws:ec2/getManagedPrefixList:getManagedPrefixList":
		answer = map[string]any{"id": "pl-63a5400a", "prefixListId": "pl-63a5400a", "name": "com.amazonaws.us-east-1.s3"}
	default:
		return nil, fmt.Errorf("graph: no answer for %s", args.Token)
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

// computed returns the outputs that AWS would compute, in a form that shows where they come from.
func computed(args pulumi.MockResourceArgs) resource.PropertyMap {
	out := args.Inputs.Copy()
	service, kind, _ := strings.Cut(strings.TrimPrefix(string(tokens.Type(args.TypeToken).Module()), "aws:"), "/")
	arn := fmt.Sprintf("arn:aws:%s:us-east-1:%s:%s/%s", service, Account, kind, args.Name)
	set := func(key resource.PropertyKey, value any) {
		if _, given := out[key]; !given {
			out[key] = resource.NewPropertyValue(value)
		}
	}
	set("arn", arn)
	set("name", args.Name)
	switch args.TypeToken {
	case "aws:rds/instance:Instance":
		set("address", args.Name+".c0123456789a.us-east-1.rds.amazonaws.com")
		set("endpoint", args.Name+".c0123456789a.us-east-1.rds.amazonaws.com:5432")
		set("port", 5432)
		set("identifier", args.Name)
		set("resourceId", "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	case "aws:elasticache/replicationGroup:ReplicationGroup":
		set("primaryEndpointAddress", "master."+args.Name+".abc123.use1.cache.amazonaws.com")
	case "aws:lb/loadBalancer:LoadBalancer":
		set("dnsName", args.Name+"-1234567890.us-east-1.elb.amazonaws.com")
		set("zoneId", "Z35SXDOTRQ7X7K")
		set("arnSuffix", "app/"+args.Name+"/0123456789abcdef")
	case "aws:lb/targetGroup:TargetGroup":
		set("arnSuffix", "targetgroup/"+args.Name+"/0123456789abcdef")
	case "aws:ecr/repository:Repository":
		set("repositoryUrl", Account+".dkr.ecr.us-east-1.amazonaws.com/"+args.Name)
		set("registryId", Account)
	case "aws:s3/bucketV2:BucketV2":
		set("bucket", args.Name+"-bucket")
		set("bucketRegionalDomainName", args.Name+"-bucket.s3.us-east-1.amazonaws.com")
	case "aws:ssm/parameter:Parameter":
		set("version", 1)
	case "aws:acm/certificate:Certificate":
		domain := args.Inputs["domainName"].V
		set("domainValidationOptions", []any{map[string]any{"domainName": domain, "resourceRecordName": fmt.Sprintf("_x.%v.", domain),
			"resourceRecordType": "CNAME", "resourceRecordValue": "_y.acm-validations.aws."}})
	case "aws:ecs/taskDefinition:TaskDefinition":
		set("revision", 1)
		out["arn"] = resource.NewProperty(fmt.Sprintf("arn:aws:ecs:us-east-1:%s:task-definition/%s:1", Account, args.Name))
	case "docker:index/image:Image":
		set("repoDigest", "repository@sha256:"+strings.Repeat("0", 64))
	case "random:index/randomPassword:RandomPassword":
		out["result"] = resource.MakeSecret(resource.NewProperty("generated-" + args.Name))
	case "random:index/randomId:RandomId":
		set("hex", "0123456789abcdef")
	case "random:index/randomString:RandomString":
		set("result", "abcdefgh")
	}
	return out
}

// plain converts a property value for encoding/json, with secrets marked.
func plain(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return map[string]any{"secret": plain(v.SecretValue().Element)}
	case v.IsOutput():
		return plain(v.OutputValue().Element)
	case v.IsResourceReference():
		return string(v.ResourceReferenceValue().URN)
	case v.IsAsset():
		return v.AssetValue().Path
	case v.IsArchive():
		return v.ArchiveValue().Path
	case v.IsArray():
		all := make([]any, 0, len(v.ArrayValue()))
		for _, e := range v.ArrayValue() {
			all = append(all, plain(e))
		}
		return all
	case v.IsObject():
		all := map[string]any{}
		for k, e := range v.ObjectValue() {
			all[string(k)] = plain(e)
		}
		return all
	}
	return v.V
}

func urnName(urn string) string { return urn[strings.LastIndex(urn, ":")+1:] }
