package site

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"slipway/internal/graph"
)

// TestTheRunbook holds docs/runbook.md to the catalog.
func TestTheRunbook(t *testing.T) {
	const file = "../docs/runbook.md"
	got := Catalog(anySite).Runbook()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(lines(want), lines([]byte(got))); diff != "" {
		t.Errorf("the facts have changed (go test ./site -run TestTheRunbook -update writes the page):\n%s", diff)
	}
}

// Each alarm of each stack links to an entry that the runbook has.
func TestEachAlarmHasItsEntryInTheRunbook(t *testing.T) {
	page := Catalog(anySite).Runbook()
	looked := 0
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		if r.Type != "aws:cloudwatch/metricAlarm:MetricAlarm" {
			return ""
		}
		looked++
		description, _ := r.Input("alarmDescription").(string)
		_, anchor, linked := strings.Cut(description, "docs/runbook.md#")
		if !linked || !strings.Contains(description, " Runbook: https://") || !strings.Contains(page, "\n## "+anchor+"\n") {
			return "its description links to no entry of the runbook: " + description
		}
		return ""
	})
	if looked < 20 {
		t.Errorf("only %d alarms were looked at", looked)
	}
}

// The alarms that roll a release back exist before the service that names them.
func TestTheServiceNamesAlarmsThatExistBeforeIt(t *testing.T) {
	looked := 0
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if r.Type != "aws:ecs/service:Service" || r.Input("alarms") == nil {
			return ""
		}
		names, _ := r.Input("alarms.alarmNames").([]any)
		for _, name := range names {
			looked++
			for _, alarm := range g.Of("aws:cloudwatch/metricAlarm:MetricAlarm") {
				if alarm.Input("name") == name && slices.ContainsFunc(r.DependsOn, func(urn string) bool { return urn == alarm.Name }) {
					name = nil
				}
			}
			if name != nil {
				return fmt.Sprintf("alarm %v does not exist before it", name)
			}
		}
		return ""
	})
	if looked < 4 {
		t.Errorf("only %d alarms of services were looked at", looked)
	}
}
