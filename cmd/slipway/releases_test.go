package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/image"
	"slipway/rehearsal/cloud"
	"slipway/release"
)

// ledger reads what `slipway releases --json` wrote.
func ledger(ts *testscript.TestScript, file string) release.History {
	var h release.History
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &h))
	return h
}

// count FILE releases|deployments N checks how many a ledger has.
func count(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: count file releases|deployments number")
	}
	h := ledger(ts, args[0])
	if got := map[string]int{"releases": len(h.Releases), "deployments": len(h.Deployments)}[args[1]]; strconv.Itoa(got) != args[2] {
		ts.Fatalf("%d %s, want %s", got, args[1], args[2])
	}
}

// remember NAME FILE puts the newest release's ID into a variable of the script.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remember name file")
	}
	all := ledger(ts, args[1]).Releases
	ts.Setenv(args[0], all[len(all)-1].ID)
}

// unlink DIR makes a folder of the script's own of a linked one.
func unlink(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unlink folder")
	}
	path := ts.MkAbs(args[0])
	real, err := filepath.EvalSymlinks(path)
	ts.Check(err)
	ts.Check(os.Remove(path))
	ts.Check(os.CopyFS(path, os.DirFS(real)))
}

// forget STACK REPOSITORY RELEASE FILE takes an image of a release out of the model's repository, as a lifecycle rule does.
func forget(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: forget stack repository release file")
	}
	r, err := ledger(ts, args[3]).Find(args[2])
	ts.Check(err)
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer func() { ts.Check(account.Close()) }()
	gone, err := account.Remove("ecr:image", args[1]+"@"+r.Images.Digests().Django)
	ts.Check(err)
	if !gone {
		ts.Fatalf("it is not there")
	}
}

// same FILE FILE... checks that the outputs of several ups name the very same digests.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: same file file...")
	}
	digests := func(file string) image.Pair {
		var up struct {
			Outputs struct{ Images image.Pair }
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &up))
		found := up.Outputs.Images.Digests()
		if !strings.HasPrefix(found.Django, "sha256:") || !strings.HasPrefix(found.Nginx, "sha256:") {
			ts.Fatalf("%s: images %+v", file, up.Outputs.Images)
		}
		return found
	}
	want := digests(args[0])
	for _, file := range args[1:] {
		if got := digests(file); got != want {
			ts.Fatalf("%s runs %+v, %s runs %+v", args[0], want, file, got)
		}
	}
}

// unbuilt STACK checks that nothing was ever built in a stack: no image of Docker is in its state.
func unbuilt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unbuilt stack")
	}
	state := ts.ReadFile(filepath.Join(".slipway", args[0], "state", ".pulumi", "stacks", "slipway", args[0]+".json"))
	if !strings.Contains(state, "aws:ecr/repository:Repository") {
		ts.Fatalf("the state is not what this test believes")
	}
	if strings.Contains(state, "docker:index/image:Image") {
		ts.Fatalf("an image was built in stack %s", args[0])
	}
}
