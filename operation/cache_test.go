package operation

import (
	"slices"
	"strings"
	"testing"

	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
)

const cacheToken = "aws:elasticache/replicationGroup:ReplicationGroup"

// cacheOf is the cache in a model, after a change to it.
func cacheOf(t *testing.T, target Target, change func(*cloud.Object)) map[string]any {
	t.Helper()
	a, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, o := range a.Objects() {
		if o.Type == cacheToken {
			if change != nil {
				if err := a.Alter(o.Type, o.ID, change); err != nil {
					t.Fatal(err)
				}
			}
			return o.Outputs
		}
	}
	t.Fatal("there is no cache")
	return nil
}

// A cache is made, gets another password, another node and a version that is too old, is changed by hand, and is destroyed.
func TestTheLifeOfACache(t *testing.T) {
	target := Target{Root: checkout(t), Stack: "local", Throwaway: true, Progress: logged{t}}
	up := func(settings ...string) (plan Plan, err error) {
		target.Overrides = append([]string{"protect=true", "plainHTTP=true", "alarms.email=ops@example.com", "cache.node=cache.t4g.micro",
			`app.env={"REDIS_URL": "{redis.url}"}`}, settings...)
		_, err = Up(t.Context(), target, UpArgs{Confirm: func(p *Plan) error { plan = *p; return nil }})
		return plan, err
	}
	of := func(p Plan, token string) (ops []string) {
		for _, c := range p.Changes {
			if c.Type == token {
				ops = append(ops, string(c.Op))
			}
		}
		return ops
	}
	if _, err := up(); err != nil {
		t.Fatal(err)
	}
	first, _ := cacheOf(t, target, nil)["authToken"].(string)

	// A rotation changes the cache in place, and then the parameters.
	plan, err := up("cache.rotation=2")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := cacheOf(t, target, nil)["authToken"].(string)
	if first == "" || second == "" || first == second {
		t.Error("the rotation made no other password")
	}
	if ops := of(plan, cacheToken); !slices.Equal(ops, []string{"update"}) {
		t.Errorf("the rotation does to the cache: %v", ops)
	}
	if len(plan.Losses) > 0 || len(plan.Downtime) > 0 {
		t.Errorf("the rotation loses %v and interrupts %v", plan.Losses, plan.Downtime)
	}

	plan, err = up("cache.rotation=2", "cache.node=cache.t4g.small")
	if err != nil || len(plan.Downtime) != 1 || !strings.Contains(plan.Downtime[0].Says, "new nodes") {
		t.Errorf("another node: %v, %v", plan.Downtime, err)
	}
	_, err = up("cache.rotation=2", "cache.node=cache.t4g.small", "cache.version=7.2")
	if err == nil || !strings.Contains(err.Error(), "cannot downgrade") {
		t.Errorf("an older version: %v", err)
	}

	cacheOf(t, target, func(o *cloud.Object) { o.Outputs["snapshotRetentionLimit"] = 1 })
	target.Overrides = target.Overrides[:len(target.Overrides)-1]
	report, err := Drift(t.Context(), target, DriftArgs{})
	if err != nil || len(report.Found) != 1 || report.Found[0].Type != cacheToken {
		t.Errorf("drift: %+v, %v", report, err)
	} else if why := report.Found[0].Why; !strings.Contains(why, "fewer days") {
		t.Errorf("drift: the reason is %q", why)
	}

	var losses []Loss
	_, err = Destroy(t.Context(), target, DestroyArgs{Confirm: func(d Destruction) error {
		losses = d.Losses
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(losses, func(l Loss) bool { return l.Kind == "cache" })
	if i < 0 || !strings.Contains(losses[i].Says, "it leaves the snapshot slipway-local-cache-") {
		t.Errorf("destroy lists %+v", losses)
	}
}
