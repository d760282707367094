package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatTheModelNeedsIsKept(t *testing.T) {
	const schema = `{
		"config": {"variables": {"region": {"type": "string", "description": "long"}}},
		"resources": {
			"aws:ecs/cluster:Cluster": {
				"inputProperties": {
					"name": {"type": "string", "willReplaceOnChanges": true}, "tags": {"type": "object", "additionalProperties": {"type": "string"}},
					"settings": {"type": "array", "items": {"$ref": "#/types/aws:ecs%2FClusterSetting:ClusterSetting"}},
					"secret": {"type": "string", "secret": true}
				},
				"properties": {"arn": {"type": "string"}}, "requiredInputs": ["name"], "required": ["arn"]
			},
			"aws:medialive/channel:Channel": {"inputProperties": {"x": {"type": "string"}}}
		},
		"types": {
			"aws:ecs/ClusterSetting:ClusterSetting": {"properties": {"value": {"type": "string", "description": "long"}}, "required": ["value"]},
			"aws:medialive/Other:Other": {"properties": {"x": {"type": "string"}}}
		}
	}`
	var b bytes.Buffer
	if err := write(&b, []byte(schema)); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	const want = `C config {"in":{"region":{"k":"string"}}}
R aws:ecs/cluster:Cluster {"in":{"name":{"k":"string","w":true},"secret":{"k":"string","s":true},` +
		`"settings":{"k":"array","e":{"k":"object","r":"aws:ecs/ClusterSetting:ClusterSetting"}},` +
		`"tags":{"k":"map","e":{"k":"string"}}},"out":{"arn":{"k":"string"}},"req":["name"],"has":["arn"]}
T aws:ecs/ClusterSetting:ClusterSetting {"in":{"value":{"k":"string"}},"req":["value"]}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}
