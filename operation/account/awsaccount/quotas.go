package awsaccount

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"slipway/operation/account"
)

// A limit is a quota that counts resources of one type in the whole region, and how AWS counts what there is.
// Source: Service Quotas, "AWS services" in the console, and AWS General Reference, "Service endpoints and quotas".
type limit struct {
	token, service, code, name string
	used                       func(context.Context, aws.Config) (int, error)
}

// Not among them: NAT gateways count in each zone, and of Fargate's vCPUs AWS only shows a metric that is minutes old. A count
// that may be wrong must not refuse a plan.
var limits = []limit{
	{"aws:ec2/vpc:Vpc", "vpc", "L-F678F1CE", "VPCs per Region", countVPCs},
	{"aws:ec2/internetGateway:InternetGateway", "vpc", "L-A4707A72", "Internet gateways per Region", countGateways},
	{"aws:ec2/eip:Eip", "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", countAddresses},
	{"aws:lb/loadBalancer:LoadBalancer", "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region", countBalancers},
	{"aws:rds/instance:Instance", "rds", "L-7B6409FD", "DB instances", countDatabases},
}

// Quotas implements account.Account. It needs servicequotas:GetServiceQuota, servicequotas:GetAWSDefaultServiceQuota, and the
// Describe calls of the types.
func (a *Account) Quotas(ctx context.Context, types []string) (quotas []account.Quota, notes []string) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	client := servicequotas.NewFromConfig(a.aws)
	for _, l := range limits {
		if !slices.Contains(types, l.token) {
			continue
		}
		most, err := quota(ctx, client, l)
		if err == nil {
			var used int
			if used, err = l.used(ctx, a.aws); err == nil {
				quotas = append(quotas, account.Quota{Type: l.token, Name: l.name, Most: most, Used: used})
				continue
			}
		}
		notes = append(notes, fmt.Sprintf("the quota %q: %v", l.name, short(err)))
	}
	return quotas, notes
}

// quota is the applied value, or AWS's default if none was applied.
// Source: Service Quotas API reference, ListServiceQuotas: "For some quotas, only the default values are available."
func quota(ctx context.Context, client *servicequotas.Client, l limit) (int, error) {
	applied, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &l.service, QuotaCode: &l.code})
	if err == nil && applied.Quota != nil && applied.Quota.Value != nil {
		return int(*applied.Quota.Value), nil
	}
	if err != nil && !is(err, "NoSuchResourceException") {
		return 0, err
	}
	standard, err := client.GetAWSDefaultServiceQuota(ctx,
		&servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &l.service, QuotaCode: &l.code})
	if err != nil {
		return 0, err
	}
	if standard.Quota == nil || standard.Quota.Value == nil {
		return 0, fmt.Errorf("the quota %s has no value", l.code)
	}
	return int(*standard.Quota.Value), nil
}

// maxResults is the size of a page of EC2's answers.
const maxResults = "1000"

// countPages counts the items of an EC2 answer over all its pages.
func countPages(ctx context.Context, settings aws.Config, action string) (int, error) {
	n, params := 0, url.Values{"MaxResults": {maxResults}}
	for {
		var page struct {
			VPCs      []struct{} `xml:"vpcSet>item"`
			Gateways  []struct{} `xml:"internetGatewaySet>item"`
			NextToken string     `xml:"nextToken"`
		}
		if err := ec2Service.call(ctx, settings, action, params, &page); err != nil {
			return 0, err
		}
		n += len(page.VPCs) + len(page.Gateways)
		if page.NextToken == "" {
			return n, nil
		}
		params.Set("NextToken", page.NextToken)
	}
}

func countVPCs(ctx context.Context, settings aws.Config) (int, error) {
	return countPages(ctx, settings, "DescribeVpcs")
}

func countGateways(ctx context.Context, settings aws.Config) (int, error) {
	return countPages(ctx, settings, "DescribeInternetGateways")
}

// countAddresses counts Elastic IP addresses. The answer has no pages. Addresses from a pool that the account brought have a
// quota of their own (Amazon EC2 User Guide, "Bring your own IP addresses").
func countAddresses(ctx context.Context, settings aws.Config) (int, error) {
	var out struct {
		Addresses []struct {
			Domain string `xml:"domain"`
			Pool   string `xml:"publicIpv4Pool"`
		} `xml:"addressesSet>item"`
	}
	err := ec2Service.call(ctx, settings, "DescribeAddresses", nil, &out)
	n := 0
	for _, address := range out.Addresses {
		if address.Domain == "vpc" && cmp.Or(address.Pool, "amazon") == "amazon" {
			n++
		}
	}
	return n, err
}

// countBalancers counts Application Load Balancers: network and gateway load balancers have quotas of their own.
func countBalancers(ctx context.Context, settings aws.Config) (int, error) {
	n, params := 0, url.Values{"PageSize": {"400"}}
	for {
		var page struct {
			Types      []string `xml:"DescribeLoadBalancersResult>LoadBalancers>member>Type"`
			NextMarker string   `xml:"DescribeLoadBalancersResult>NextMarker"`
		}
		if err := elbService.call(ctx, settings, "DescribeLoadBalancers", params, &page); err != nil {
			return 0, err
		}
		for _, kind := range page.Types {
			if kind == "application" {
				n++
			}
		}
		if page.NextMarker == "" {
			return n, nil
		}
		params.Set("Marker", page.NextMarker)
	}
}

// countDatabases counts DB instances. RDS also lists those of DocumentDB and Neptune, which are left out.
func countDatabases(ctx context.Context, settings aws.Config) (int, error) {
	n, params := 0, url.Values{"MaxRecords": {"100"}}
	for {
		var page struct {
			Engines []string `xml:"DescribeDBInstancesResult>DBInstances>DBInstance>Engine"`
			Marker  string   `xml:"DescribeDBInstancesResult>Marker"`
		}
		if err := rdsService.call(ctx, settings, "DescribeDBInstances", params, &page); err != nil {
			return 0, err
		}
		for _, engine := range page.Engines {
			if engine != "docdb" && engine != "neptune" {
				n++
			}
		}
		if page.Marker == "" {
			return n, nil
		}
		params.Set("Marker", page.Marker)
	}
}
