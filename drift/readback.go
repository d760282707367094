package release

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// mirrors are the types that show among their outputs what other resources make of them: a bucket its policy, a route
// table its routes, a security group its rules.
var mirrors = []string{
	"aws:ec2/eip:Eip", "aws:ec2/routeTable:RouteTable", "aws:ec2/securityGroup:SecurityGroup", "aws:iam/role:Role",
	"aws:lb/targetGroup:TargetGroup", "aws:s3/bucketV2:BucketV2", "aws:sns/topic:Topic", "aws:sqs/queue:Queue",
}

// readBack has the engine read the mirrors around which an operation has changed something since before. The engine has
// their outputs from when they were made, and the resources that they show came after: to a look for drift these would be
// somebody's work. What lies elsewhere is left alone, so that what somebody did there is still found.
func (s *Stack) readBack(ctx context.Context, before checkpoint) error {
	after, err := s.readState(ctx)
	if err != nil {
		return err
	}
	targets := outdated(before.Resources, after.Resources)
	if len(targets) == 0 {
		return nil
	}
	s.Say(fmt.Sprintf("Reading back what %d resources show of others.", len(targets)))
	quiet := *s
	quiet.Told = func(Event) {}
	_, err = quiet.engine(ctx, "reading back", func(stream chan<- events.EngineEvent, words io.Writer) error {
		_, err := s.auto.Refresh(ctx, optrefresh.EventStreams(stream), optrefresh.ErrorProgressStreams(words), optrefresh.SuppressOutputs(),
			optrefresh.SuppressProgress(), optrefresh.RunProgram(false), optrefresh.Target(targets))
		return err
	})
	return err
}

// outdated are the mirrors that are new, were changed, or had something made of them, changed or deleted.
func outdated(before, after []apitype.ResourceV3) []string {
	was := map[resource.URN]apitype.ResourceV3{}
	for _, r := range before {
		was[r.URN] = r
	}
	touched := map[resource.URN]bool{}
	touch := func(r apitype.ResourceV3) {
		touched[r.URN] = true
		for _, urn := range r.Dependencies {
			touched[urn] = true
		}
	}
	for _, r := range after {
		old, there := was[r.URN]
		delete(was, r.URN)
		if there && old.ID == r.ID && (old.Modified == r.Modified || old.Modified != nil && r.Modified != nil && old.Modified.Equal(*r.Modified)) {
			continue
		}
		touch(r)
	}
	for _, gone := range was {
		touch(gone)
	}
	var urns []string
	for _, r := range after {
		if touched[r.URN] && slices.Contains(mirrors, string(r.Type)) {
			urns = append(urns, string(r.URN))
		}
	}
	return urns
}
