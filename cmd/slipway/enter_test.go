package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"gocloud.dev/blob"

	"slipway/engine"
)

func init() { commands["plugin-stand-in"] = func() { os.Exit(pluginStandIn(os.Args[1:])) } }

// deployed STACK gives a live stack the state that a rehearsal of it has, as if that had been deployed to the account.
func deployed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: deployed stack")
	}
	state := ts.ReadFile(filepath.Join(".slipway", args[0], "state/.pulumi/stacks/slipway", args[0]+".json"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bucket, err := blob.OpenBucket(ctx, engine.S3("slipway-"+args[0]+"-state-123456789012-us-east-1", "us-east-1", ""))
	ts.Check(err)
	defer bucket.Close()
	ts.Check(bucket.WriteAll(ctx, ".pulumi/stacks/slipway/"+args[0]+".json", []byte(state), nil))
}

// pretend FILE answers the calls of ECS, Systems Manager and CloudWatch Logs from a file, operation by operation, in place of moto: it
// has no sessions. The calls are written to the file "calls".
func pretend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: pretend file")
	}
	var answers map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(os.Expand(ts.ReadFile(args[0]), func(name string) string {
		if name == "NOW" {
			return fmt.Sprint(time.Now().Unix())
		}
		return ts.Getenv(name)
	})), &answers))
	calls := ts.MkAbs("calls")
	ts.Check(os.WriteFile(calls, nil, 0o600))
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if file, err := os.OpenFile(calls, os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintf(file, "%s %s\n", operation, body)
			file.Close()
		}
		answer := answers[operation]
		for key, other := range answers { // "OPERATION TEXT" is for a call with this text in it
			if of, text, both := strings.Cut(key, " "); both && of == operation && strings.Contains(string(body), text) {
				answer = other
			}
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if answer == nil || strings.Contains(string(answer), `"__type"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
		w.Write(answer)
	}))
	ts.Defer(server.Close)
	for _, service := range []string{"ECS", "SSM", "CLOUDWATCH_LOGS"} {
		ts.Setenv("AWS_ENDPOINT_URL_"+service, server.URL)
	}
}

// plugin FOLDER puts the stand-in for the Session Manager plugin into a folder of PATH.
func plugin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: plugin folder")
	}
	script := []byte("#!/bin/sh\nexec plugin-stand-in \"$@\"\n")
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), "session-manager-plugin"), script, 0o755))
	ts.Setenv("PATH", ts.MkAbs(args[0])+string(os.PathListSeparator)+ts.Getenv("PATH"))
}

func init() { commands["tunnel-and-stop"] = func() { os.Exit(tunnelAndStop(os.Args[1:])) } }

// tunnelAndStop is the command tunnel-and-stop COMMAND...: it runs a command until it says where a database answers, and then presses
// Ctrl-C. It exits as the command does, or with 99 if a process of the command is left.
func tunnelAndStop(command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	out, err := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err != nil || cmd.Start() != nil {
		return 98
	}
	port := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Println(lines.Text())
		if m := regexp.MustCompile(`127\.0\.0\.1:(\d+)|"port": (\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			port = m[1] + m[2]
			time.Sleep(300 * time.Millisecond) // what it says beside this
			cmd.Process.Signal(syscall.SIGINT)
		}
	}
	cmd.Wait()
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); port != "" && err == nil {
		conn.Close()
		return 99
	}
	return cmd.ProcessState.ExitCode()
}

func init() { commands["interrupted-at"] = func() { os.Exit(interruptedAt(os.Args[1], os.Args[2:])) } }

// interruptedAt is the command interrupted-at WORDS COMMAND...: it runs a command, presses Ctrl-C once WORDS are in what it writes, or in
// the files "calls" or "plugin", and exits as the command does; 98 if that does not come, 97 if the command does not end then.
func interruptedAt(words string, command []string) int {
	for _, file := range []string{"calls", "plugin"} { // of an earlier command
		if _, err := os.Stat(file); err == nil {
			os.Truncate(file, 0)
		}
	}
	said := &lockedBuffer{}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, said), io.MultiWriter(os.Stderr, said)
	if cmd.Start() != nil {
		return 98
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	seen := func() bool {
		calls, _ := os.ReadFile("calls")
		plugin, _ := os.ReadFile("plugin")
		return strings.Contains(said.String()+string(calls)+string(plugin), words)
	}
	for deadline := time.Now().Add(time.Minute); !seen(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			return 98
		}
	}
	time.Sleep(300 * time.Millisecond) // what follows at once
	cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-ended:
		return cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		cmd.Process.Kill()
		return 97
	}
}

// pluginStandIn is the Session Manager plugin for scripts. It notes its arguments in the file "plugin", without the token; of a session
// for a port it opens that port, behind which a Postgres answers, and of any other it writes the file "session", if there is one.
func pluginStandIn(args []string) int {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println(os.Getenv("PLUGIN_VERSION"))
		return 0
	}
	var response struct{ SessionId, StreamUrl, TokenValue string }
	var request struct {
		Target     string
		Parameters map[string][]string
	}
	if len(args) != 6 || json.Unmarshal([]byte(os.Getenv(args[0])), &response) != nil || json.Unmarshal([]byte(args[4]), &request) != nil ||
		response.TokenValue == "" || response.StreamUrl == "" || response.SessionId == "" || strings.Contains(strings.Join(args, " "), "token") {
		fmt.Printf("Cannot perform start session: %q\n", args)
		return 0
	}
	if err := os.WriteFile("plugin", []byte(strings.Join(args, "\n")+"\n"), 0o600); err != nil {
		return 1
	}
	fmt.Printf("\nStarting session with SessionId: %s\n", response.SessionId)
	if os.Getenv("PLUGIN_WAITS") != "" { // as the plugin does when it cannot connect
		time.Sleep(5 * time.Minute)
	}
	if request.Parameters == nil {
		return say()
	}
	if os.Getenv("PLUGIN_BREAKS") != "" {
		fmt.Println("Connection to destination port failed, check SSM Agent logs.")
		return 0
	}
	l, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("SSM_PLUGIN_LOCAL_HOST"), request.Parameters["localPortNumber"][0]))
	if err != nil {
		return 1
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return 1
		}
		conn.Write([]byte("S"))
		conn.Close()
	}
}

// say writes what the program at the other end says. In the file, MARK stands for the mark of the command that ECS was asked to run.
func say() int {
	text, err := os.ReadFile("session")
	if err != nil {
		return 0
	}
	calls, _ := os.ReadFile("calls")
	marks := regexp.MustCompile(`slipway-[a-z0-9]{26}`).FindAllString(string(calls), -1)
	mark := ""
	if len(marks) > 0 {
		mark = marks[len(marks)-1]
	}
	fmt.Print(strings.ReplaceAll(strings.ReplaceAll(string(text), "MARK", mark), "\n", "\r\n"))
	return 0
}

// enter gets into a stack that runs, as people on call do.
func (r *running) enter() {
	r.t.Helper()
	r.psqlFromOwnRegistry() // before any other psql, which may have Docker pull that image
	const count = "from feed.models import User; print('users', User.objects.count())"
	for _, c := range []struct {
		words []string
		exit  int
		want  []string // what it says
	}{
		{[]string{"exec", "--", "python", "-c", "import os; print(os.environ['SLIPWAY_DB_USER'], os.getuid() != 0)"}, 0,
			[]string{"slipway_site True\n"}},
		{[]string{"exec", "--", "sh", "-c", "cat; echo out; echo err >&2; exit 7"}, 7,
			[]string{"out\n", "err\n", "the command ended with exit code 7"}},
		{[]string{"exec", "--", "no-such-command"}, 127, []string{"exit code 127: the image has no such command"}},
		{[]string{"exec", "--service", "feed", "--container", "nginx", "--", "true"}, 2,
			[]string{`has no container "nginx"; its containers are django`}},
		{[]string{"exec", "--service", "mail", "--", "true"}, 2, []string{`there is no service "mail"; the services are feed, web`}},
		{[]string{"exec", "--task", "zz", "--", "true"}, 1, []string{"has an ID that begins with zz; these run:", "worker-feed "}},
		{[]string{"exec", "--container", "nginx", "--", "test", "-w", "/tmp"}, 0, nil},
		{[]string{"exec"}, 2, []string{"there is no terminal, which a shell needs"}},
		{[]string{"task", "--", "python", "manage.py", "shell", "-c", count}, 0, []string{"users "}},
		{[]string{"task", "--", "sh", "-c", "echo one; exit 5"}, 5, []string{"one\n", "ended with exit code 5"}},
		{[]string{"task", "--", "no-such-command"}, 127, []string{"the image has no such command"}},
		{[]string{"task", "--memory", "700", "--", "true"}, 2, []string{"memory for cpu 256 must be one of 512, 1024, 2048, got 700"}},
		{[]string{"task", "--json", "--", "true"}, 0, []string{`"exitCode": 0`}},
		{[]string{"job", "clean-up"}, 0, []string{"0 pictures deleted of "}},
		{[]string{"job", "clean"}, 2, []string{`there is no job "clean"`}},
		{[]string{"db", "psql", "--", "-Atc", "SELECT current_user, count(*) > 0 FROM feed_user"}, 0,
			[]string{"slipway_site|t\n", "through its container"}},
		{[]string{"db", "psql", "--owner", "--", "-Atc", "SELECT current_user"}, 0, []string{"slipway_owner\n"}},
		{[]string{"db", "psql", "--", "-c", "DROP TABLE feed_user"}, 1,
			[]string{"must be owner of table feed_user", "psql ended with exit code 1"}},
		{[]string{"shell"}, 2, []string{"there is no terminal"}},
	} {
		cmd := exec.Command("slipway", append([]string{"--stack", "dev"}, c.words...)...)
		cmd.Dir, cmd.Stdin = r.dir, strings.NewReader("")
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.exit {
			r.t.Errorf("%q: exit code %d, want %d\n%s", c.words, code, c.exit, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				r.t.Errorf("%q does not say %q:\n%s", c.words, want, out)
			}
		}
	}

	r.t.Log("a tunnel that answers until Ctrl-C")
	cmd := exec.Command("tunnel-and-stop", "slipway", "--stack", "dev", "db", "tunnel")
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "The tunnel is closed.") {
		r.t.Errorf("tunnel: %v\n%s", err, out)
	}

	r.t.Log("a task that is only started outlives other commands, and one that is interrupted does not")
	cmd = exec.Command("slipway", "--stack", "dev", "task", "--detach", "--", "sleep", "300")
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "docker logs --follow ") {
		r.t.Errorf("task --detach: %v\n%s", err, out)
	}
	if out, code := r.slipway("job", "clean-up"); code != 0 {
		r.t.Errorf("job: exit code %d\n%s", code, out)
	}
	if detached := r.containers("slipway.detached=true"); len(detached) != 1 {
		r.t.Errorf("%d detached tasks run, want 1", len(detached))
	} else {
		r.docker("kill", detached[0])
	}
	cmd = exec.Command("slipway", "--stack", "dev", "task", "--", "sleep", "300")
	cmd.Dir = r.dir
	said := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.until("the task runs", func() bool { return len(r.ends()) > 0 })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said.String(), ": stopped.") || len(r.ends()) > 0 {
		r.t.Errorf("an interrupted task: exit code %d, %q is left\n%s", code, r.ends(), said)
	}
}

// psqlFromOwnRegistry runs psql on a machine that has Docker and no psql: it comes from the image that the up put into the registry of the
// stack, which Docker has to pull once.
func (r *running) psqlFromOwnRegistry() {
	r.t.Helper()
	folder := r.t.TempDir()
	docker, err := exec.LookPath("docker")
	if err == nil {
		err = os.Symlink(docker, filepath.Join(folder, "docker"))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for _, pulls := range []bool{true, false} {
		cmd := exec.Command("slipway", "--stack", "dev", "db", "psql", "--", "-Atc", "SELECT current_user, count(*) > 0 FROM feed_user")
		cmd.Dir, cmd.Stdin, cmd.Env = r.dir, strings.NewReader(""), append(os.Environ(), "PATH="+folder)
		out, err := cmd.CombinedOutput()
		said := regexp.MustCompile(`psql from the image 127\.0\.0\.1:\d+/slipway-dev/psql:\d+, of the stack's own registry`).Match(out)
		if err != nil || !said || !strings.Contains(string(out), "slipway_site|t\n") || strings.Contains(string(out), "Docker pulls ") != pulls {
			r.t.Errorf("psql from the stack's own registry, which must be pulled (%t): %v\n%s", pulls, err, out)
		}
	}
}
