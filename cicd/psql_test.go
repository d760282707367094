package cicd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
)

func psqlOf() *PsqlArgs {
	return &PsqlArgs{Site: testSite(true), KeyARN: key, Version: "17.2", Source: "public.ecr.aws/docker/library/postgres"}
}

// recordPsql declares it, and a user of its repository.
func recordPsql(t *testing.T, args *PsqlArgs) graph.Graph {
	t.Helper()
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		p, err := NewPsql(ctx, "psql", args)
		if err != nil {
			return err
		}
		var r pulumi.ResourceState
		if err := ctx.RegisterComponentResource("slipway:test:User", "user", &r); err != nil {
			return err
		}
		return ctx.RegisterResource(parameterType, "user", pulumi.Map{"value": p.Repository}, &used{}, pulumi.Parent(&r))
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestPsqlHasARepositoryThatCanBeTurnedOff(t *testing.T) {
	g := recordPsql(t, psqlOf())
	r := g.Named("aws:ecr/repository:Repository", "psql")
	want := map[string]any{
		"name": "slipway-dev/psql", "imageTagMutability": "IMMUTABLE", "forceDelete": true,
		"imageScanningConfiguration": map[string]any{"scanOnPush": true},
		"encryptionConfigurations":   []any{map[string]any{"encryptionType": "KMS", "kmsKey": string(key)}},
	}
	if diff := cmp.Diff(want, r.Inputs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.Protect {
		t.Error("it is protected, so the stack could never do without it again")
	}
	if got := g.Named("aws:ecr/lifecyclePolicy:LifecyclePolicy", "psql").Input("policy"); got != lifecycle() {
		t.Errorf("lifecycle is %v", got)
	}
	if len(g.Of("aws:ecr/repositoryPolicy:RepositoryPolicy")) > 0 {
		t.Error("other accounts may pull it")
	}
}

// The marker changes with the major version alone: then, and only then, is anything copied.
func TestTheMarkerOfPsqlRecordsTheMajorVersion(t *testing.T) {
	for _, version := range []string{"17", "17.2"} {
		args := psqlOf()
		args.Version = version
		g := recordPsql(t, args)
		marker := g.Named(parameterType, "psql-marker")
		if marker.Input("insecureValue") != "17" || marker.Input("name") != "/slipway/dev/psql/image" {
			t.Errorf("%s: the marker %v says %v", version, marker.Input("name"), marker.Input("insecureValue"))
		}
		if waits := g.Named(parameterType, "user").DependsOn; !slices.Contains(waits, "psql-marker") {
			t.Errorf("%s: who uses it waits for %v", version, waits)
		}
	}
}

func TestTheHookCopiesPsql(t *testing.T) {
	args, planned := psqlOf(), &atomic.Pointer[string]{}
	var got []string
	args.Mirror = func(ctx context.Context, from, to string) error {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("it may take for ever")
		}
		got = append(got, from+" > "+to)
		return nil
	}
	if err := copyPsql(t.Context(), args, planned)(nil); err == nil || len(got) > 0 {
		t.Errorf("before the repository is known: %v, %v", err, got)
	}
	url := "r/slipway-dev/psql"
	planned.Store(&url)
	if err := copyPsql(t.Context(), args, planned)(nil); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"public.ecr.aws/docker/library/postgres:17 > r/slipway-dev/psql:17"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	args.Mirror = func(context.Context, string, string) error { return errors.New("no route to host") }
	err := fmt.Sprint(copyPsql(t.Context(), args, planned)(nil))
	for _, want := range []string{"psql: ", args.Source + ":17 ", "no route to host", "The services were not changed", "remove it",
		"database.psqlImage"} {
		if !strings.Contains(err, want) {
			t.Errorf("the error does not say %q: %s", want, err)
		}
	}
}

func TestMistakesWithPsql(t *testing.T) {
	for _, c := range []struct {
		change func(*PsqlArgs)
		want   string
	}{
		{func(a *PsqlArgs) { a.KeyARN = nil }, "psql: needs a key"},
		{func(a *PsqlArgs) { a.Version = "new" }, `psql: version must be that of Postgres, such as 17 or 17.2, got "new"`},
		{func(a *PsqlArgs) { a.Source += ":17" }, "psql: the source must be a repository without a tag: "},
		{func(a *PsqlArgs) { a.Source = "postgres" }, "psql: the source must be a repository without a tag: "},
	} {
		args := psqlOf()
		c.change(args)
		_, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
			_, err := NewPsql(ctx, "psql", args)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
