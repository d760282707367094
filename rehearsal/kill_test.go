package rehearsal_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/rehearsal"
)

const vpcType, subnetType, keyType = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:kms/key:Key"

func network(ctx *pulumi.Context) error {
	vpc, err := register(ctx, vpcType, "net", pulumi.Map{"cidrBlock": pulumi.String("10.0.0.0/16")})
	if err != nil {
		return err
	}
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		if _, err := register(ctx, subnetType, zone, pulumi.Map{
			"vpcId": vpc.ID(), "cidrBlock": pulumi.Sprintf("10.0.%d.0/24", i), "availabilityZone": pulumi.String(zone),
		}); err != nil {
			return err
		}
	}
	_, err = register(ctx, keyType, "data", pulumi.Map{"description": pulumi.String("x")}, pulumi.DependsOn([]pulumi.Resource{vpc}))
	return err
}

// The directory and the operation at which TestUpThatIsKilled kills itself. They are set in the process that it is, by
// the test that starts it.
const killedDir, killedAt = "REHEARSAL_TEST_DIR", "REHEARSAL_TEST_KILL"

// A process that is killed after the model saved an operation and before the engine heard of it leaves an object that no
// state knows. The next run finds it, converges, and makes nothing twice.
func TestAKilledUpConverges(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the engine several times")
	}
	if _, err := exec.LookPath("pulumi"); err != nil {
		t.Skip("no pulumi on PATH")
	}
	for _, n := range []int{1, 3} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			dir := t.TempDir()
			child := exec.Command(os.Args[0], "-test.run=^TestUpThatIsKilled$")
			child.Env = append(os.Environ(), killedDir+"="+dir, killedAt+"="+strconv.Itoa(n))
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the process was not killed: %v\n%s", err, out)
			}
			endEngine(t, dir)

			r, stack := site(t, dir, network)
			if err := stack.Cancel(t.Context()); err != nil { // the lock that the dead engine holds
				t.Fatal(err)
			}
			state, err := stack.Export(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(state)
			if err != nil {
				t.Fatal(err)
			}
			removed, missing, err := r.Reconcile(text)
			if err != nil || len(removed) == 0 || len(missing) > 0 {
				t.Fatalf("reconciled: %d removed, %v missing, %v", len(removed), missing, err)
			}
			if _, err := stack.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			counts := r.Account.Summary()
			if counts[vpcType] != 1 || counts[subnetType] != 2 || counts[keyType] != 1 {
				t.Errorf("after the second run: %v", counts)
			}
			again, err := stack.Up(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if changes := *again.Summary.ResourceChanges; len(changes) != 1 || changes["same"] != 5 {
				t.Errorf("a third run changed something: %v", changes)
			}
		})
	}
}

// endEngine ends the engine that the killed process had started, which its lock names.
func endEngine(t *testing.T, dir string) {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(dir, ".pulumi", "locks", "*", "*", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range locks {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		var lock struct{ Pid int }
		if err != nil || json.Unmarshal(text, &lock) != nil || lock.Pid <= 1 {
			t.Fatalf("%s: %v %s", path, err, text)
		}
		syscall.Kill(lock.Pid, syscall.SIGKILL)
		for range 100 {
			if syscall.Kill(lock.Pid, 0) != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// TestUpThatIsKilled is the process that TestAKilledUpConverges kills.
func TestUpThatIsKilled(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	at, err := strconv.Atoi(os.Getenv(killedAt))
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64
	_, stack := siteWith(t, dir, network, rehearsal.Options{Progress: func(rehearsal.Event) {
		if int(done.Add(1)) == at {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}})
	stack.Up(t.Context(), optup.Parallel(1))
	t.Fatal("it was not killed")
}
