//go:build unix

package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/elazarl/goproxy"
	"github.com/google/go-containerregistry/pkg/registry"

	"slipway/internal/awstest"
)

// TestMain is also the docker command of the runs: a script on their PATH starts this binary under that name.
func TestMain(m *testing.M) {
	if os.Getenv("SANDBOX_DOCKER") != "" {
		if err := dockerStandIn(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

const testAccount = "123456789012"

var testCredentials = aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}

// An internet is a proxy of HTTPS behind which AWS's own host names lead to moto, and ECR's registry to one of its own. A
// run does not know: it reaches AWS through HTTPS_PROXY, as in a company's network. It checks every signature, as AWS
// does and moto does not: a recorder that changed a request would be found out.
type internet struct {
	url, authority string
	moto           *url.URL
	registry       http.Handler

	mu        sync.Mutex
	unsigned  []string
	forbidden []string                             // hosts that are not AWS
	refuse    func(service, action string) bool    // what IAM does not allow
	seen      func(r *http.Request, action string) // called for every request
}

func newInternet(t *testing.T, moto string) *internet {
	t.Helper()
	certificate, _, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	i := &internet{registry: registry.New(registry.Logger(log.New(io.Discard, "", 0))), authority: filepath.Join(t.TempDir(), "internet.pem")}
	if i.moto, err = url.Parse(moto); err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(i.authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := goproxy.NewProxyHttpServer()
	proxy.Logger, proxy.KeepAcceptEncoding, proxy.CertStore = log.New(io.Discard, "", 0), true,
		&certificates{made: map[string]*tls.Certificate{}}
	proxy.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		if !strings.HasSuffix(host, ".amazonaws.com:443") {
			i.mu.Lock()
			i.forbidden = append(i.forbidden, host)
			i.mu.Unlock()
			return goproxy.RejectConnect, host
		}
		return &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(certificate)}, host
	})
	proxy.OnRequest().DoFunc(func(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		if strings.Contains(r.Host, ".dkr.ecr.") {
			answer := httptest.NewRecorder()
			i.serveRegistry(answer, r)
			return r, answer.Result()
		}
		resp, err := i.forward(r)
		if err != nil {
			return r, goproxy.NewResponse(r, "text/plain", http.StatusBadGateway, err.Error())
		}
		return r, resp
	})
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// forward sends a request to moto, under the host's name. A bucket's own host becomes a path.
func (i *internet) forward(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := callOf(r)
	i.mu.Lock()
	if wrong := checkSignature(r, body); wrong != "" {
		i.unsigned = append(i.unsigned, r.Method+" "+r.Host+" "+call.Action+": "+wrong)
	}
	refuse, seen := i.refuse, i.seen
	i.mu.Unlock()
	if seen != nil {
		seen(r, call.Action)
	}
	if refuse != nil && refuse(call.Service, call.Action) {
		message := fmt.Sprintf(
			"User: arn:aws:iam::%s:user/ada is not authorized to perform: %s:%s on resource: * because no identity-based policy allows the %s:%s "+
				"action",
			testAccount, call.Service, call.Action, call.Service, call.Action)
		resp := goproxy.NewResponse(r, "application/x-amz-json-1.1", http.StatusBadRequest,
			`{"__type":"AccessDeniedException","message":"`+message+`"}`)
		if r.Header.Get("X-Amz-Target") == "" {
			resp = goproxy.NewResponse(r, "text/xml", http.StatusForbidden,
				"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>"+message+"</Message></Error></ErrorResponse>")
		}
		return resp, nil
	}
	host, path := r.Host, r.URL.EscapedPath()
	if bucket, region, ok := strings.Cut(host, ".s3."); ok {
		host, path = "s3."+region, "/"+bucket+path
	}
	to, err := url.Parse(i.moto.String() + path)
	if err != nil {
		return nil, err
	}
	to.RawQuery = r.URL.RawQuery
	on, err := http.NewRequest(r.Method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	on.Header, on.Host = r.Header.Clone(), host
	on.Header.Del("Expect")
	return (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(on)
}

// checkSignature signs a request once more and compares.
func checkSignature(r *http.Request, body []byte) string {
	given := r.Header.Get("Authorization")
	m := regexp.MustCompile(`Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)`).FindStringSubmatch(given)
	if m == nil {
		return "no signature"
	}
	scope := strings.Split(m[1], "/")
	when, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || len(scope) != 5 {
		return "no date"
	}
	again, _ := http.NewRequest(r.Method, "https://"+r.Host+"/", nil)
	again.URL.Path, again.URL.RawPath, again.URL.RawQuery, again.Host = r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host
	again.ContentLength = 0
	for _, name := range strings.Split(m[2], ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = scope[3] == "s3" }).
		SignHTTP(context.Background(), testCredentials, again, hash, scope[3], scope[2], when)
	if err != nil {
		return err.Error()
	}
	if !strings.HasSuffix(again.Header.Get("Authorization"), "Signature="+m[3]) {
		return "the signature is not that of the request"
	}
	return ""
}

// serveRegistry is ECR's registry. It requires the token of moto's ECR, and reports pushes to moto.
func (i *internet) serveRegistry(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "AWS" || password != testAccount+"-auth-token" {
		w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	settings := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(i.moto.String()),
		Credentials: credentials.StaticCredentialsProvider{Value: testCredentials}}
	if err := awstest.RecordPush(r.Context(), settings, r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.registry.ServeHTTP(w, r)
}

// dockerStandIn is the docker command. Moto runs no migration, so a context with the failing one has moto's next migration fail.
func dockerStandIn(args []string) error {
	work := os.Getenv("SANDBOX_DOCKER")
	return awstest.Docker(work, args, func(tag, folder string) error {
		failing, err := filepath.Glob(filepath.Join(folder, "*", "migrations", "*_slipway_sandbox.py"))
		if err != nil {
			return err
		}
		ends := filepath.Join(work, "task-ends-with")
		os.Remove(ends)
		for _, file := range failing {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if strings.Contains(string(text), "RunPython(fail)") {
				_, repository, _ := strings.Cut(tag, "/")
				stack, _, _ := strings.Cut(repository, "/")
				return os.WriteFile(ends, []byte("1 "+stack+"-site"), 0o600)
			}
		}
		return nil
	})
}

// inventory is everything that an account of moto holds, by listing call. Left out is what a deletion leaves in AWS too, keys
// that wait for it and inactive clusters; the service-linked roles, which stay on purpose; and what moto alone keeps, a deleted NAT gateway
// and its network interface.
func inventory(t *testing.T, moto string) map[string][]string {
	t.Helper()
	type question struct {
		service, call string
		parameters    map[string]any
	}
	none := map[string]any{}
	questions := []question{
		{"rds", "describe_db_instances", none}, {"rds", "describe_db_snapshots", none}, {"rds", "describe_db_subnet_groups", none},
		{"rds", "describe_db_parameter_groups", none}, {"rds", "describe_event_subscriptions", none},
		{"elbv2", "describe_load_balancers", none}, {"elbv2", "describe_target_groups", none},
		{"ec2", "describe_vpcs", none}, {"ec2", "describe_subnets", none}, {"ec2", "describe_route_tables", none},
		{"ec2", "describe_internet_gateways", none}, {"ec2", "describe_addresses", none}, {"ec2", "describe_security_groups", none},
		{"ec2", "describe_instances", none}, {"ec2", "describe_vpc_endpoints", none},
		{"ec2", "describe_flow_logs", none}, {"ec2", "describe_nat_gateways",
			map[string]any{"Filters": []any{map[string]any{"Name": "state", "Values": []string{"available"}}}}},
		{"ecs", "list_clusters", none}, {"ecs", "list_task_definitions", none}, {"ecr", "describe_repositories", none},
		{"logs", "describe_log_groups", none}, {"firehose", "list_delivery_streams", none}, {"s3", "list_buckets", none},
		{"iam", "list_roles", none}, {"iam", "list_policies", map[string]any{"Scope": "Local"}}, {"iam", "list_instance_profiles", none},
		{"iam", "list_open_id_connect_providers", none}, {"kms", "list_aliases", none}, {"kms", "list_keys", none}, {"sns", "list_topics", none},
		{"sqs", "list_queues", none},
		{"ssm", "describe_parameters", none}, {"ssm", "list_documents", none}, {"events", "list_rules", none},
		{"scheduler", "list_schedules", none},
		{"cloudwatch", "describe_alarms", none}, {"cloudwatch", "list_dashboards", none},
		{"application-autoscaling", "describe_scalable_targets", map[string]any{"ServiceNamespace": "ecs"}},
		{"resourcegroupstaggingapi", "get_resources", map[string]any{"TagFilters": []any{map[string]any{"Key": "project"}}}},
	}
	var asked [][]any
	for _, q := range questions {
		asked = append(asked, []any{q.service, q.call, q.parameters})
	}
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.Command("python3", filepath.Join("..", "conformance", "ask.py"))
	python.Stdin = bytes.NewReader(input)
	python.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+moto, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1")
	var wrong bytes.Buffer
	python.Stderr = &wrong
	out, err := python.Output()
	if err != nil {
		t.Fatalf("asking moto: %v: %s", err, wrong.String())
	}
	var answers []map[string]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for n, answer := range answers {
		list := []string{}
		for _, key := range slices.Sorted(keysOf(answer)) {
			if key == "Error" {
				t.Fatalf("moto refuses %v: %v", asked[n], answer[key])
			}
			items, _ := answer[key].([]any)
			for _, item := range items {
				text, _ := json.Marshal(item)
				byTag := questions[n].service == "resourcegroupstaggingapi"
				if byTag && slices.ContainsFunc([]string{":kms:", ":natgateway/", ":cluster/", ":service/"},
					func(kind string) bool { return strings.Contains(string(text), kind) }) {
					continue // held against what KMS, EC2 and ECS say; a cluster with services cannot be deleted
				}
				if !deleted(t, moto, questions[n].call, item) {
					list = append(list, identity(item))
				}
			}
		}
		slices.Sort(list)
		all[questions[n].service+" "+questions[n].call] = list
	}
	return all
}

// deleted reports whether a key waits for its deletion, a cluster is inactive, or a role is a service's own.
func deleted(t *testing.T, moto, call string, item any) bool {
	t.Helper()
	settings := aws.Config{Region: "us-east-1", BaseEndpoint: &moto,
		Credentials: credentials.StaticCredentialsProvider{Value: testCredentials}}
	switch call {
	case "list_keys":
		arn, _ := item.(map[string]any)["KeyArn"].(string)
		found, err := kms.NewFromConfig(settings).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
		if err != nil {
			t.Fatal(err)
		}
		return found.KeyMetadata.KeyState == kmstypes.KeyStatePendingDeletion
	case "list_roles": // AWS keeps one of these for each service of an account, and bootstrap never deletes one
		path, _ := item.(map[string]any)["Path"].(string)
		return strings.HasPrefix(path, "/aws-service-role/")
	case "list_clusters":
		arn, _ := item.(string)
		found, err := ecs.NewFromConfig(settings).DescribeClusters(t.Context(), &ecs.DescribeClustersInput{Clusters: []string{arn}})
		if err != nil || len(found.Clusters) != 1 {
			t.Fatal(err, found)
		}
		return aws.ToString(found.Clusters[0].Status) == "INACTIVE"
	}
	return false
}

func keysOf(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// identity is a short key of an object: a name, an ID or an ARN.
func identity(item any) string {
	fields, ok := item.(map[string]any)
	if !ok {
		return fmt.Sprint(item)
	}
	for _, key := range []string{"Arn", "ResourceARN", "DBInstanceArn", "LoadBalancerArn", "TargetGroupArn", "TopicArn", "repositoryArn",
		"AlarmArn", "DashboardArn"} {
		if text, ok := fields[key].(string); ok {
			return text
		}
	}
	text, _ := json.Marshal(fields)
	return string(text)
}
