package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The AWS SDK has a table of partitions of its own: the host names of a region show which one it is in.
func TestThePartitionsAreThoseOfTheAWSSDK(t *testing.T) {
	suffixes := map[string]string{"aws": ".amazonaws.com", "aws-cn": ".amazonaws.com.cn", "aws-us-gov": ".amazonaws.com"}
	for _, region := range regions {
		endpoint, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(t.Context(), sts.EndpointParameters{
			Region: aws.String(region), UseDualStack: aws.Bool(false), UseFIPS: aws.Bool(false), UseGlobalEndpoint: aws.Bool(false),
		})
		if want := "sts." + region + suffixes[Partition(region)]; err != nil || endpoint.URI.Host != want {
			t.Errorf("%s: the SDK calls %s, %v, want %s", region, endpoint.URI.Host, err, want)
		}
	}
}

func TestARNsAreInThePartitionOfTheRegion(t *testing.T) {
	const gov = "config:\n  aws:region: us-gov-west-1\n" +
		"  slipway:backend: {bucket: abc, key: 'arn:aws:kms:us-gov-west-1:123456789012:key/x'}\n"
	want := `backend.key: must begin with arn:aws-us-gov:, as the stack is in us-gov-west-1, got ` +
		`"arn:aws:kms:us-gov-west-1:123456789012:key/x"`
	if got := written(t, "dev", gov); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := written(t, "dev", strings.Replace(gov, "arn:aws:", "arn:aws-us-gov:", 1)); len(got) != 0 {
		t.Errorf("the right one: %q", got)
	}
}

// The names of endpoints, principals and hosts that the components use are not those of China, so a rehearsal there would be
// green and the deployment would fail.
func TestChinaIsRefused(t *testing.T) {
	for _, region := range []string{"cn-north-1", "cn-northwest-1"} {
		got := written(t, "dev", "config:\n  aws:region: "+region+"\n")
		if len(got) != 1 || !strings.HasPrefix(got[0], "aws:region: Slipway does not support the regions in China") {
			t.Errorf("%s: %q", region, got)
		}
	}
}

// Regions that AWS opened lately (pulumi-aws#6003, #5708).
func TestNewRegionsAreKnown(t *testing.T) {
	for _, region := range []string{"ap-east-2", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "mx-central-1", "ca-west-1",
		"il-central-1"} {
		if got := written(t, "dev", strings.Replace(in(), "us-east-1", region, 1)); len(got) != 0 {
			t.Errorf("%s: %q", region, got)
		}
	}
}

func TestTheDocumentListsReservedNamesAndKeysOfTheProvider(t *testing.T) {
	data, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	names := awsNames
	for _, key := range keysOf(reflect.TypeFor[AWS]()) {
		names = append(names, "aws:"+key)
	}
	for _, name := range names {
		if !strings.Contains(string(data), "`"+name+"`") {
			t.Errorf("docs/configuration.md does not name %s", name)
		}
	}
}
