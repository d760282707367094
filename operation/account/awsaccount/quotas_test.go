package awsaccount

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway/internal/awstest"
	"slipway/operation/account"
)

// answered serves AWS's responses until the test ends: the handler gets the action, and the parameters or the JSON body.
func answered(t *testing.T, answer func(action string, form url.Values) (status int, body string)) *Account {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=test/") {
			t.Errorf("%s %s is not signed", r.Method, r.URL)
		}
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if action == "" {
			_ = r.ParseForm()
			action = r.PostForm.Get("Action")
		} else {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		}
		status, body := answer(action, r.PostForm)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	awstest.Point(t, server.URL)
	return &Account{aws: settings(t), identity: account.Identity{Account: "123456789012", Region: "us-east-1", Partition: "aws"}}
}

// TestQuotas reads responses in the shape of AWS's API reference: an applied quota, one that has only its default, counts over
// several pages, and what does not count.
func TestQuotas(t *testing.T) {
	a := answered(t, func(action string, form url.Values) (int, string) {
		second := form.Get("NextToken")+form.Get("Marker") != ""
		page := func(one, two string) (int, string) {
			if second {
				return 200, two
			}
			return 200, one
		}
		switch action {
		case "GetServiceQuota":
			return 400, `{"__type":"NoSuchResourceException","Message":"none applied"}`
		case "GetAWSDefaultServiceQuota":
			return 200, `{"Quota":{"QuotaCode":"L-0","Value":5.0}}`
		case "DescribeVpcs":
			return page(`<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId></item><item/></vpcSet><nextToken>n</nextToken>`+
				`</DescribeVpcsResponse>`,
				`<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-3</vpcId></item></vpcSet></DescribeVpcsResponse>`)
		case "DescribeAddresses":
			return 200, `<DescribeAddressesResponse><addressesSet><item><domain>vpc</domain><publicIpv4Pool>amazon</publicIpv4Pool></item>` +
				`<item><domain>vpc</domain><publicIpv4Pool>ipv4pool-ec2-1</publicIpv4Pool></item></addressesSet></DescribeAddressesResponse>`
		case "DescribeLoadBalancers":
			return page(`<R><DescribeLoadBalancersResult><LoadBalancers><member><Type>application</Type></member><member>`+
				`<Type>network</Type></member>`+
				`</LoadBalancers><NextMarker>m</NextMarker></DescribeLoadBalancersResult></R>`,
				`<R><DescribeLoadBalancersResult><LoadBalancers><member><Type>application</Type></member></LoadBalancers>`+
					`</DescribeLoadBalancersResult></R>`)
		case "DescribeDBInstances":
			return page(`<R><DescribeDBInstancesResult><DBInstances><DBInstance><Engine>postgres</Engine></DBInstance>`+
				`<DBInstance><Engine>docdb</Engine></DBInstance></DBInstances><Marker>m</Marker></DescribeDBInstancesResult></R>`,
				`<R><DescribeDBInstancesResult><DBInstances><DBInstance><Engine>mysql</Engine></DBInstance></DBInstances>`+
					`</DescribeDBInstancesResult></R>`)
		case "DescribeInternetGateways":
			return 403, `<Response><Errors><Error><Code>UnauthorizedOperation</Code>` +
				`<Message>You are not authorized</Message></Error></Errors></Response>`
		}
		t.Errorf("unexpected call: %s %v", action, form)
		return 500, ""
	})
	quotas, notes := a.Quotas(t.Context(), []string{"aws:ec2/vpc:Vpc", "aws:ec2/eip:Eip", "aws:ec2/internetGateway:InternetGateway",
		"aws:lb/loadBalancer:LoadBalancer", "aws:rds/instance:Instance", "aws:s3/bucketV2:BucketV2"})
	used := map[string]int{}
	for _, q := range quotas {
		if used[q.Type] = q.Used; q.Most != 5 || q.Name == "" {
			t.Errorf("%+v: want the default, 5", q)
		}
	}
	want := map[string]int{"aws:ec2/vpc:Vpc": 3, "aws:ec2/eip:Eip": 1, "aws:lb/loadBalancer:LoadBalancer": 2, "aws:rds/instance:Instance": 2}
	if fmt.Sprint(used) != fmt.Sprint(want) {
		t.Errorf("used are %v, want %v", used, want)
	}
	unread := []string{`the quota "Internet gateways per Region": UnauthorizedOperation: You are not authorized`}
	if !slices.Equal(notes, unread) {
		t.Errorf("notes are %q, want %q", notes, unread)
	}
	if quotas, notes := a.Quotas(t.Context(), nil); len(quotas)+len(notes) > 0 {
		t.Errorf("without types: %v, %v", quotas, notes)
	}
}

// TestQuotasDenied says so instead of failing, and instead of assuming a value.
func TestQuotasDenied(t *testing.T) {
	a := answered(t, func(string, url.Values) (int, string) {
		return 400, `{"__type":"AccessDeniedException","Message":"not authorized to perform: servicequotas:GetServiceQuota"}`
	})
	quotas, notes := a.Quotas(t.Context(), []string{"aws:ec2/vpc:Vpc"})
	if len(quotas) > 0 || len(notes) != 1 || !strings.Contains(notes[0], "AccessDeniedException: not authorized to perform: servicequotas") {
		t.Errorf("quotas are %v, notes %q", quotas, notes)
	}
}

// TestForeignBucket tells a bucket of another account from a policy that denies the caller to look: S3 answers both with 403,
// but without credentials only the first.
func TestForeignBucket(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := r.Header.Get("Authorization") != ""
		switch {
		case strings.HasSuffix(r.URL.Path, "/theirs"), strings.HasSuffix(r.URL.Path, "/denied") && signed:
			w.WriteHeader(403)
		case strings.HasSuffix(r.URL.Path, "/elsewhere"):
			w.WriteHeader(301)
		case strings.HasSuffix(r.URL.Path, "/mine"):
			w.WriteHeader(200)
		default:
			w.WriteHeader(404)
		}
	}))
	t.Cleanup(server.Close)
	awstest.Point(t, server.URL)
	for name, want := range map[string]string{"theirs": "another account", "elsewhere": "a bucket in another region", "mine": here,
		"denied": "", "free": ""} {
		if by, err := findBucket(t.Context(), settings(t), account.Identity{}, name); err != nil || by != want {
			t.Errorf("%s is taken by %q, %v; want %q", name, by, err, want)
		}
	}
}

// TestTakenAgainstMoto has another implementation of the services say which names are taken.
func TestTakenAgainstMoto(t *testing.T) {
	settings, ctx := awsAt(t, moto(t)), t.Context()
	a := &Account{aws: settings, identity: account.Identity{Account: "123456789012", Region: "us-east-1", Partition: "aws"}}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true }).
		CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("shop-media")}))
	must(cloudwatchlogs.NewFromConfig(settings).
		CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("shop-media")}))
	roles := iam.NewFromConfig(settings)
	must(roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("shop-media"), AssumeRolePolicyDocument: aws.String("{}")}))
	must(roles.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("shop-media"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)}))
	must(roles.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://shop-media"),
		ThumbprintList: []string{strings.Repeat("a", 40)}}))
	must(ecr.NewFromConfig(settings).CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop-media")}))
	must(ecs.NewFromConfig(settings).CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("shop-media")}))
	keys := kms.NewFromConfig(settings)
	key, err := keys.CreateKey(ctx, &kms.CreateKeyInput{})
	must(nil, err)
	must(keys.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/shop-media"), TargetKeyId: key.KeyMetadata.KeyId}))
	must(ssm.NewFromConfig(settings).PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/shop-media"), Value: aws.String("x"),
		Type: ssmtypes.ParameterTypeString}))
	must(nil, rdsService.call(ctx, settings, "CreateDBInstance", url.Values{"DBInstanceIdentifier": {"shop-media"}, "Engine": {"postgres"},
		"DBInstanceClass": {"db.t4g.micro"}, "AllocatedStorage": {"20"}, "MasterUsername": {"u"}, "MasterUserPassword": {"password1"}},
		new(struct{})))

	prefix := map[string]string{"aws:kms/alias:Alias": "alias/", "aws:ssm/parameter:Parameter": "/",
		"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "https://"}
	var wanted []account.Name
	for token := range finders {
		wanted = append(wanted, account.Name{Type: token, Name: prefix[token] + "shop-media"},
			account.Name{Type: token, Name: prefix[token] + "shop-med"}, account.Name{Type: token, Name: prefix[token] + "shop-free"})
	}
	taken, notes := a.Taken(ctx, wanted)
	if len(notes) > 0 {
		t.Errorf("notes: %q", notes)
	}
	got := map[string]string{}
	for _, n := range taken {
		if got[n.Type] += n.Name.Name; n.By != here {
			t.Errorf("%v is taken by %q", n.Name, n.By)
		}
	}
	for token := range finders {
		want := prefix[token] + "shop-media"
		if token == "aws:lb/loadBalancer:LoadBalancer" { // it takes a VPC to make one: it is only asked for
			want = ""
		}
		if got[token] != want {
			t.Errorf("%s: taken is %q, want %q", token, got[token], want)
		}
	}

	quotas, notes := a.Quotas(ctx, []string{"aws:ec2/vpc:Vpc"})
	if len(quotas) != 1 || quotas[0].Most != 5 || quotas[0].Used != 1 || len(notes) > 0 { // the default VPC counts
		t.Errorf("quotas are %+v, notes %q", quotas, notes)
	}
}
