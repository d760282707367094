//go:build unix

package sandbox

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

// behind starts a recorder whose way to AWS leads to a pretended one.
func behind(t *testing.T, answer http.HandlerFunc) (*Recorder, *internet, string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	i := newInternet(t, server.URL)
	t.Setenv("HTTPS_PROXY", i.url)
	t.Setenv("NO_PROXY", "")
	t.Setenv("AWS_CA_BUNDLE", i.authority)
	dir := t.TempDir()
	r, err := Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, i, dir
}

// signed is a request as AWS's SDKs sign it: with Accept-Encoding, in a path that needs escaping, with a body.
func signed(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest("PUT", "https://b.s3.eu-west-1.amazonaws.com/a%20b/c%2Fd+e?x-id=PutObject&tagging", strings.NewReader("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(t.Context(), testCredentials, r, "UNSIGNED-PAYLOAD", "s3", "eu-west-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecorderPassesRequestsOnAsTheyAre(t *testing.T) {
	var got *http.Request
	var body []byte
	r, i, dir := behind(t, func(w http.ResponseWriter, req *http.Request) {
		got = req
		body, _ = io.ReadAll(req.Body)
		w.Header().Set("X-Amz-Id-2", "x")
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, "<Error><Code>OperationAborted</Code></Error>")
	})
	r.Step("up-dev")
	resp, err := r.Client().Do(signed(t))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusConflict || resp.Header.Get("X-Amz-Id-2") != "x" ||
		string(answer) != "<Error><Code>OperationAborted</Code></Error>" {
		t.Errorf("the answer came as %s %q", resp.Status, answer)
	}
	if string(body) != "hunter2" || got.Header.Get("Accept-Encoding") != "identity" || got.URL.EscapedPath() != "/b/a%20b/c%2Fd+e" {
		t.Errorf("AWS got %s %q with %v", got.URL, body, got.Header)
	}
	if len(i.unsigned) > 0 {
		t.Errorf("the signature was broken: %v", i.unsigned)
	}
	calls, err := recorded(dir)
	if err != nil || len(calls) != 1 {
		t.Fatalf("recorded %+v: %v", calls, err)
	}
	calls[0].When, calls[0].Millis = time.Time{}, 0
	want := Call{Step: "up-dev", By: "sandbox", Service: "s3", Region: "eu-west-1", Action: "PutObject", Method: "PUT",
		Host: "b.s3.eu-west-1.amazonaws.com", Path: "/a%20b/c%2Fd+e", Status: 409, Code: "OperationAborted"}
	if diff := cmp.Diff(want, calls[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(dir, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "Signature", "Credential", "UNSIGNED"} {
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("calls.jsonl holds %q: %s", secret, data)
		}
	}
}

// The check of signatures must find what a recorder changes, or the tests of the whole command say nothing about it.
func TestTheInternetFindsChangedRequests(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"nothing":         func(*http.Request) {},
		"accept-encoding": func(r *http.Request) { r.Header.Del("Accept-Encoding") },
		"path":            func(r *http.Request) { r.URL.RawPath = ""; r.URL.Path = "/a b/c/d" },
		"query":           func(r *http.Request) { r.URL.RawQuery += "&a=b" },
		"host":            func(r *http.Request) { r.Host = "c.s3.eu-west-1.amazonaws.com" },
		"payload":         func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "other") },
	} {
		r := signed(t)
		change(r)
		if wrong := checkSignature(r, []byte("hunter2")); (wrong == "") != (name == "nothing") {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

func TestRecorderAdmitsItsRunOnly(t *testing.T) {
	r, _, dir := behind(t, func(http.ResponseWriter, *http.Request) {})
	for name, user := range map[string]*url.Userinfo{"no password": nil, "a guess": url.UserPassword("slipway", "guess")} {
		proxy, _ := url.Parse(r.URL)
		proxy.User = user
		client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: r.roots}}}
		if resp, err := client.Get("https://sts.eu-west-1.amazonaws.com/"); err == nil {
			resp.Body.Close()
			t.Errorf("%s was let through", name)
		}
	}
	if calls, err := recorded(dir); err != nil || len(calls) > 0 {
		t.Errorf("recorded %v: %v", calls, err)
	}
}

func TestRecorderSaysWhenAWSDoesNotAnswer(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	dir := t.TempDir()
	r, err := Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if resp, err := r.Client().Get("https://ecs.eu-west-1.amazonaws.com/?Action=X"); err == nil {
		resp.Body.Close()
		t.Error("there was an answer")
	}
	calls, err := recorded(dir)
	if err != nil || len(calls) == 0 || calls[0].Code != "NoAnswer" || calls[0].Status != 0 || calls[0].Action != "X" {
		t.Errorf("recorded %+v: %v", calls, err)
	}
}

func TestRegistriesGoThroughUnopened(t *testing.T) {
	r, i, dir := behind(t, func(http.ResponseWriter, *http.Request) {})
	certificates, err := os.ReadFile(i.authority)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool() // that does not know the run's authority
	pool.AppendCertsFromPEM(certificates)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(r.ProxyURL("slipway")),
		TLSClientConfig: &tls.Config{RootCAs: pool}}}
	host := testAccount + ".dkr.ecr.us-east-1.amazonaws.com"
	resp, err := client.Get("https://" + host + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if calls, err := recorded(dir); err != nil || len(calls) > 0 || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, recorded %v: %v", resp.StatusCode, calls, err)
	}
	if _, tunnels := r.Seen(); tunnels[host] != 1 {
		t.Errorf("connections: %v", tunnels)
	}
	if resp, err := client.Get("https://ecs.us-east-1.amazonaws.com/"); err == nil {
		resp.Body.Close()
		t.Error("an API was reached unopened")
	}
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"sts.us-east-1.amazonaws.com": true, "iam.amazonaws.com": true, "b.s3.eu-west-1.amazonaws.com": true,
		"api.ecr.us-east-1.amazonaws.com": true,
		"ecs.us-east-1.api.aws":           true, "ecs.cn-north-1.amazonaws.com.cn": true,
		"123456789012.dkr.ecr.us-east-1.amazonaws.com": false, "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com": false,
		"get.pulumi.com": false, "amazonaws.com.example.org": false, "registry-1.docker.io": false,
	} {
		if isAPI(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

func TestForecast(t *testing.T) {
	steps := []step{{takes: minutes(10, 20)}, {takes: minutes(30, 45)}} // 65 minutes: two hours
	f := forecast(steps)
	var hourly float64
	for _, p := range prices {
		if p.number <= 0 || p.hourly <= 0 || p.what == "" {
			t.Errorf("%+v has no price", p)
		}
		hourly += p.number * p.hourly
	}
	if f.Takes != (span{40 * time.Minute, 65 * time.Minute}) || math.Abs(f.USD-(once+4*hourly)) > 1e-9 {
		t.Errorf("%+v", f)
	}
	// docs/costs.md says $87 a month for dev, of which a run has neither bastion ($4) nor a whole month's alarms; the key of its
	// state is $1 more.
	if monthly := f.Hourly * month; monthly < 75 || monthly > 95 {
		t.Errorf("a stack costs $%.2f a month", monthly)
	}
	if f := forecast(story()); f.USD > 2 || f.Takes.high > 3*time.Hour {
		t.Errorf("the story costs $%.2f and takes %s", f.USD, f.Takes)
	}
	var words bytes.Buffer
	SayForecast(&words)
	for _, want := range []string{"It takes", "It costs about $", "NAT gateway", "from memory, not verified", "destroy"} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("the forecast does not say %q:\n%s", want, &words)
		}
	}
}

func TestJournalOutlivesItsProcess(t *testing.T) {
	folder := t.TempDir()
	at := func(name string, touched, clean bool, began time.Time) *Journal {
		j := &Journal{Project: prefix + name, Touched: touched, Clean: clean, Began: began, dir: filepath.Join(folder, name)}
		if err := errors.Join(os.Mkdir(j.dir, 0o700), j.write()); err != nil {
			t.Fatal(err)
		}
		return j
	}
	now := time.Now()
	at("untouched", false, false, now)
	at("clean", true, true, now)
	at("later", true, false, now.Add(time.Hour))
	killed := at("killed", true, false, now)
	if err := errors.Join(killed.begin("up-dev"), os.Mkdir(filepath.Join(folder, "empty"), 0o700)); err != nil {
		t.Fatal(err)
	}
	left, err := unfinished(folder)
	if err != nil || len(left) != 2 || left[0].Project != prefix+"killed" || left[1].Project != prefix+"later" {
		t.Fatalf("unfinished: %+v: %v", left, err)
	}
	if s := left[0].Steps; len(s) != 1 || s[0].Name != "up-dev" || !s[0].Ended.IsZero() {
		t.Errorf("its steps: %+v", s)
	}
	if err := left[0].end(errors.New("no"), []string{"a note"}, []string{"a file"}); err != nil || left[0].Steps[0].Failed != "no" ||
		left[0].Steps[0].Ended.IsZero() {
		t.Errorf("%+v: %v", left[0].Steps, err)
	}
	if err := os.WriteFile(killed.file(), []byte(`{"project": "x`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unfinished(folder); err == nil {
		t.Error("a damaged journal was passed over: what its run left would be forgotten")
	}
	if none, err := unfinished(filepath.Join(folder, "none")); err != nil || len(none) > 0 {
		t.Errorf("%v: %v", none, err)
	}
}

// A run that was killed may leave processes that still work on its stack.
func TestTakeOverEndsWhatAKilledRunStarted(t *testing.T) {
	dir := t.TempDir()
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles = []*os.File{held}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	held.Close() // this program was killed, and the child holds the lock alone
	if _, err := lock(dir); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatalf("the lock is free although a process of the run lives: %v", err)
	}
	say := func(format string, args ...any) { t.Logf(format, args...) }
	if _, err := takeOver(&Journal{PID: child.Process.Pid, dir: dir}, say); err == nil || !strings.Contains(err.Error(), "still under way") {
		t.Errorf("a run that lives was taken over: %v", err)
	}
	go child.Wait()
	taken, err := takeOver(&Journal{PID: 1 << 30, dir: dir}, say)
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
	if child.Process.Signal(syscall.Signal(0)) == nil {
		time.Sleep(time.Second)
		if child.Process.Signal(syscall.Signal(0)) == nil {
			t.Error("the process of the killed run lives on")
		}
	}
}

func TestReport(t *testing.T) {
	refusal := Call{Step: "up-dev", Service: "ecs", Action: "CreateCluster", Status: 400, Code: "AccessDeniedException", Path: "/",
		Refused: &Refusal{Action: "ecs:CreateCluster", Resource: "arn:x", Why: "no identity-based policy"}}
	calls := []Call{{Service: "s3", Action: "PutObject"}, refusal, {Service: "ecs", Action: "CreateCluster"}, refusal,
		{Service: "s3", Action: "GetObject", Code: "NoAnswer"}}
	want := []Count{{"ecs", "CreateCluster", 3, map[string]int{"AccessDeniedException": 2}},
		{"s3", "GetObject", 1, map[string]int{"NoAnswer": 1}}, {"s3", "PutObject", 1, nil}}
	if diff := cmp.Diff(want, count(calls)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := refused(calls); len(got) != 1 || got[0].Refused.Action != "ecs:CreateCluster" {
		t.Errorf("refused: %+v", got)
	}
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Journal: &Journal{Project: "slipway-sbx-1", dir: dir, Clean: true,
		Steps: []Outcome{{Name: "up-dev", Began: time.Now(), Ended: time.Now(), Failed: "boom"}}}, recorder: &Recorder{file: file}}
	for _, c := range calls {
		r.recorder.add(c)
	}
	file.WriteString(`{"service": "ec`) // the run was killed here
	if err := r.report(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**Not good.**",
		"| up-dev | ecs CreateCluster: AccessDeniedException | ecs:CreateCluster | arn:x | no identity-based policy |", "boom", "5 calls"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestMadeFindsCreatesThatWereUnderWay(t *testing.T) {
	a := &account{id: testAccount, region: "us-east-1", partition: "aws"}
	arn := func(rest string) string { return "arn:aws:" + rest }
	tagged := []tag{
		{arn: arn("ec2:us-east-1:1:subnet/subnet-a"), name: "p-dev-public-a"},
		{arn: arn("ec2:us-east-1:1:subnet/subnet-b"), name: "p-dev-public-b"},
		{arn: arn("ec2:us-east-1:1:vpc/vpc-1"), name: "p-dev-vpc"},
		{arn: arn("elasticloadbalancing:us-east-1:1:loadbalancer/app/p-dev-web/0123")},
		{arn: arn("elasticloadbalancing:us-east-1:1:targetgroup/p-dev-web/4567")},
		{arn: arn("s3:::p-dev-media-2026")}, {arn: arn("kms:us-east-1:1:key/k-1")},
	}
	for _, c := range []struct {
		kind   string
		inputs map[string]any
		want   string
	}{
		{"aws:ec2/subnet:Subnet", map[string]any{"tags": map[string]any{"Name": "p-dev-public-b"}}, "subnet-b"},
		{"aws:ec2/subnet:Subnet", map[string]any{"tags": map[string]any{"Name": "p-dev-public-c"}}, ""},
		{"aws:ec2/vpc:Vpc", map[string]any{"tags": map[string]any{"Name": "p-dev-vpc"}}, "vpc-1"},
		{"aws:lb/loadBalancer:LoadBalancer", map[string]any{"name": "p-dev-web"},
			arn("elasticloadbalancing:us-east-1:1:loadbalancer/app/p-dev-web/0123")},
		{"aws:lb/targetGroup:TargetGroup", map[string]any{"name": "p-dev-web"},
			arn("elasticloadbalancing:us-east-1:1:targetgroup/p-dev-web/4567")},
		{"aws:lb/targetGroup:TargetGroup", map[string]any{"name": "p-dev"}, ""},
		{"aws:s3/bucketV2:BucketV2", map[string]any{"bucketPrefix": "p-dev-media-"}, "p-dev-media-2026"},
		{"aws:s3/bucketV2:BucketV2", map[string]any{"bucketPrefix": "p-dev-logs-"}, ""},
		{"aws:kms/key:Key", map[string]any{"description": "x"}, "k-1"},
		{"aws:rds/instance:Instance", map[string]any{"identifier": "p-dev-database"}, "p-dev-database"},
		{"aws:ecs/cluster:Cluster", map[string]any{"name": "p-dev-site"}, "arn:aws:ecs:us-east-1:123456789012:cluster/p-dev-site"},
		{"aws:ecs/service:Service", map[string]any{"name": "p-dev-web", "cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/p-dev-site"},
			"arn:aws:ecs:us-east-1:123456789012:service/p-dev-site/p-dev-web"},
		{"aws:sns/topic:Topic", map[string]any{"name": "p-dev-alarms"}, "arn:aws:sns:us-east-1:123456789012:p-dev-alarms"},
		{"aws:ec2/route:Route", map[string]any{}, ""},
	} {
		if got := made(resource{Type: c.kind, Inputs: c.inputs}, a, tagged); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.kind, c.inputs, got, c.want)
		}
	}
}

func TestNextMigration(t *testing.T) {
	app := t.TempDir()
	if _, _, err := nextMigration(app); err == nil {
		t.Error("an app without migrations was accepted")
	}
	for _, file := range []string{"feed/migrations/0001_initial.py", "feed/migrations/0012_more.py", "feed/migrations/__init__.py",
		"feed/migrations/0002_a.py"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(app, filepath.Dir(file)), 0o700),
			os.WriteFile(filepath.Join(app, file), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	file, after, err := nextMigration(app)
	if err != nil || file != filepath.Join(app, "feed/migrations/0013_slipway_sandbox.py") || after != [2]string{"feed", "0012_more"} {
		t.Errorf("%s after %v: %v", file, after, err)
	}
	good, bad := migration(after, false), migration(after, true)
	if !strings.Contains(good, `dependencies = [("feed", "0012_more")]`) || !strings.Contains(good, "operations = []") ||
		!strings.Contains(bad, "RunPython(fail)") {
		t.Errorf("%s\n%s", good, bad)
	}
}

func TestRedact(t *testing.T) {
	r := &run{secrets: []string{"of-the-environment"}}
	for text, want := range map[string]string{
		"a of-the-environment b":                     "a [secret] b",
		"https://x/?X-Amz-Signature=0123abcd&b=c":    "https://x/?X-Amz-Signature=[secret]&b=c",
		`"password": "hunter2hunter2hunter2"`:        `"password": "[secret]"`,
		"DB_PASSWORD=hunter2hunter2hunter2":          "DB_PASSWORD=[secret]",
		"arn:aws:ssm:us-east-1:1:parameter/password": "arn:aws:ssm:us-east-1:1:parameter/password",
		`"digest": "sha256:0123456789abcdef"`:        `"digest": "sha256:0123456789abcdef"`,
	} {
		if got := r.redact(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"good":          {Options{Root: root, Yes: true, Confirm: testAccount, Actions: "acme/shop"}, ""},
		"yes alone":     {Options{Root: root, Yes: true}, "--yes needs --account"},
		"a url":         {Options{Root: root, Actions: "https://github.com/acme/shop"}, "--github must be OWNER/NAME"},
		"no migrations": {Options{Root: t.TempDir()}, "has a numbered migration"},
	} {
		if err := c.o.needs(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for typed, want := range map[string]string{testAccount + "\n": "", "yes\n": "nothing was done", "": "nothing was done"} {
		o := Options{In: strings.NewReader(typed), Err: io.Discard}
		if err := o.agree(testAccount); (err == nil) != (want == "") {
			t.Errorf("typed %q: %v", typed, err)
		}
	}
	o := Options{Confirm: "222222222222", Yes: true, Err: io.Discard}
	if err := o.agree(testAccount); err == nil {
		t.Error("credentials of another account were accepted")
	}
}

func TestTrusts(t *testing.T) {
	const provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	policy := `{"Statement":[{"Principal":{"Federated":"` + provider + `"}}]}`
	for name, c := range map[string]struct {
		policy string
		want   bool
	}{"as IAM gives it": {url.QueryEscape(policy), true}, "plain": {policy, true}, "another": {`{"Statement":[]}`, false}} {
		if got := trusts(iamtypes.Role{AssumeRolePolicyDocument: &c.policy}, provider); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
