package finding

import (
	"slices"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	urn := func(name string) string { return "urn:pulumi:dev::slipway::aws:ecs/service:Service::" + name }
	rule, route := "group web: add an egress rule", "route table private: add a route"
	all := Merge([]Finding{
		{Resource: urn("web"), Code: "DeploymentFailed", Message: "no start", Chain: []string{"web -> ssm:443"}, Fix: rule + Repairs + route,
			Change: []string{"urn:group"}},
		{Resource: urn("worker"), Code: "ResourceInitializationError", Message: "no secret", Chain: []string{"worker -> ssm:443"}, Fix: rule,
			Change: []string{"urn:group"}},
		{Resource: urn("job"), Code: "Timeout", Message: "no layers", Chain: []string{"job -> s3:443"}, Fix: route},
		{Resource: urn("web"), Code: "Timeout", Message: "no logs", Chain: []string{"web -> logs:443"}, Fix: route},
		{Resource: urn("job"), Code: "Timeout", Message: "no database", Chain: []string{"job -> database:5432"}, Fix: "open 5432",
			Change: []string{"urn:group"}},
		{Resource: urn("web"), Code: "AccessDenied", Chain: []string{"role -> s3:GetObject"}, Fix: "allow it"},
		{Resource: urn("job"), Code: "AccessDenied", Chain: []string{"role -> s3:GetObject"}, Fix: "allow it"},
		{Resource: urn("job"), Code: "AccessDenied", Chain: []string{"role -> s3:PutObject"}, Fix: "allow it"},
		{Resource: urn("web"), Code: "Failed", Message: "a"}, {Resource: urn("web"), Code: "Failed", Message: "a"},
		{Resource: urn("web"), Code: "Failed", Message: "b"}, {Resource: urn("job"), Code: "Failed", Message: "b"},
	})
	var got []string
	for _, f := range all {
		var also []string
		for _, a := range f.Also {
			also = append(also, Name(a))
		}
		got = append(got, Name(f.Resource)+" "+f.Code+" "+strings.Join(also, "+"))
	}
	want := []string{"web DeploymentFailed worker+job", "job Timeout ", "web AccessDenied job", "job AccessDenied ", "web Failed ",
		"web Failed ", "job Failed "}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if text := all[0].String(); !strings.HasSuffix(text, "\n  It shows at worker, job as well.") {
		t.Errorf("got %s", text)
	}
	if again := Merge(append(slices.Clone(all), all...)); len(again) != len(all) {
		t.Errorf("merged again, %d findings become %d", len(all), len(again))
	}
}
