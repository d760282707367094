package engine

import (
	"testing"
)

const aState = `{"version":3,"checkpoint":{"stack":"organization/slipway/dev","latest":{"manifest":{},"resources":[
		{"urn":"urn:pulumi:dev::slipway::pulumi:pulumi:Stack::slipway-dev","custom":false,"type":"pulumi:pulumi:Stack"},
		{"urn":"urn:pulumi:dev::slipway::aws:ecs/service:Service::web","custom":true,"id":"web","type":"aws:ecs/service:Service",
		 "inputs":{"cluster":"c","taskDefinition":"t"}},
		{"urn":"urn:pulumi:dev::slipway::aws:ecs/taskDefinition:TaskDefinition::web","custom":true,"id":"t",
		 "type":"aws:ecs/taskDefinition:TaskDefinition",
		 "outputs":{"arn":"t","containerDefinitions":"[{\"name\":\"django\",\"image\":\"r@sha256:00\"}]"}}],
		"pending_operations":[{"resource":{"urn":"urn:pulumi:dev::slipway::aws:ec2/vpc:Vpc::net","custom":true,"type":"aws:ec2/vpc:Vpc"},
			"type":"creating"}]}}}`

// FuzzState: reading any state returns its contents or an error.
func FuzzState(f *testing.F) {
	for _, seed := range []string{aState, `{}`, `null`, `{"version":3,"checkpoint":{"latest":null}}`, `{"version":99,"checkpoint":{}}`,
		`{"version":3,"checkpoint":{"latest":{"resources":[null],"pending_operations":[{"type":"creating"}]}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		state, err := ParseState([]byte(text))
		if err != nil {
			return
		}
		for _, d := range state.pendingCreates() {
			if state.has("") && d.URN == "" {
				t.Errorf("a resource that is there is in doubt: %+v", d)
			}
		}
		if again, err := ParseState([]byte(text)); err != nil || len(again.Resources) != len(state.Resources) {
			t.Errorf("reading twice differs: %v", err)
		}
	})
}
