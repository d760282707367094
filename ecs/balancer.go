package ecs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/bucket"
	"slipway/internal/catalog"
	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const balancerType = "slipway:ecs:Balancer"

// tlsPolicy allows TLS 1.3, and TLS 1.2 with forward secrecy.
const tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"

// drain is how long a deregistered task may finish its requests, in seconds. The containers' stop timeout is longer.
const drain = 30

// idleSeconds is how long a balancer keeps an idle connection by default (Application Load Balancer guide, "Load balancer
// attributes", idle_timeout.timeout_seconds).
const idleSeconds = 60

// BalancerArgs describe a Balancer.
type BalancerArgs struct {
	Site      wiring.Site
	VPCID     pulumi.StringInput
	Placement wiring.Placement // public subnets, the group of the edge

	// Domain is the site's host name. With it the site serves HTTPS and redirects HTTP; without it the site serves plain
	// HTTP under the balancer's own name.
	Domain string
	ZoneID pulumi.StringInput // Route 53 hosted zone of Domain; required with it

	Port        int  // of nginx; default Port
	Strict      bool // 2xx and 3xx are healthy; otherwise also 4xx, because the app has no path for health checks
	IdleSeconds int  // how long a connection may be idle, at least 60

	// AccessLogs is a bucket with SSE-S3, the only encryption that the balancer supports; its policy allows alb/.
	AccessLogs *bucket.Private
}

// A Balancer is an Application Load Balancer in the public subnets, with its listeners, its target group and, for a
// domain, certificate and DNS records. In a protected stack it cannot be deleted.
//
// Cost: about $16 a month and $0.008 an hour per LCU (us-east-1, from memory), and $3.65 for each zone's public address.
// The first deployment waits 3 minutes for it, and another minute for the certificate. Renaming the stack replaces it;
// another Domain replaces the certificate.
type Balancer struct {
	pulumi.ResourceState
	URL                                   pulumi.StringOutput
	DNSName                               pulumi.StringOutput // the balancer's own name, with or without a domain
	LoadBalancerARN, TargetGroupARN       pulumi.StringOutput
	LoadBalancerSuffix, TargetGroupSuffix pulumi.StringOutput // the dimensions of their CloudWatch metrics

	Offer wiring.Offer // the site's host names and URL

	listeners []pulumi.Resource
}

// Ready are the listeners: ECS rejects a target group that no listener uses.
func (b *Balancer) Ready() []pulumi.Resource { return b.listeners }

// Watch is the alarms of the balancer and its targets.
func (b *Balancer) Watch() catalog.Watch {
	if b == nil {
		return catalog.Watch{}
	}
	return catalog.Watch{
		Alarms: slices.Concat(balancerAlarms, targetAlarms),
		Dimensions: map[string]pulumi.StringInput{
			"LoadBalancer": b.LoadBalancerSuffix, "TargetGroup": b.TargetGroupSuffix,
		},
	}
}

func (args *BalancerArgs) check() error {
	var all []error
	if args.AccessLogs == nil {
		all = append(all, errors.New("ecs: access logs must have a bucket"))
	}
	if args.Domain != "" && args.ZoneID == nil {
		all = append(all, fmt.Errorf("ecs: domain %s must have a hosted zone", args.Domain))
	}
	if physical := args.Site.Name("web"); len(physical) > 32 {
		all = append(all, fmt.Errorf("ecs: balancer name %q must be at most 32 characters, got %d: shorten the project or the stack",
			physical, len(physical)))
	}
	return errors.Join(all...)
}

// NewBalancer creates the balancer.
func NewBalancer(ctx *pulumi.Context, name string, args *BalancerArgs, opts ...pulumi.ResourceOption) (*Balancer, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	b := &Balancer{}
	if err := ctx.RegisterComponentResource(balancerType, name, b, opts...); err != nil {
		return nil, err
	}

	idle := pulumi.IntPtrInput(nil)
	if args.IdleSeconds > idleSeconds {
		idle = pulumi.Int(args.IdleSeconds)
	}
	balancer, err := lb.NewLoadBalancer(ctx, name, &lb.LoadBalancerArgs{
		Name:                     pulumi.String(args.Site.Name("web")),
		LoadBalancerType:         pulumi.String("application"),
		Internal:                 pulumi.Bool(false),
		Subnets:                  args.Placement.Subnets,
		SecurityGroups:           args.Placement.SecurityGroups,
		DropInvalidHeaderFields:  pulumi.Bool(true),
		DesyncMitigationMode:     pulumi.String("defensive"),
		IdleTimeout:              idle,
		EnableDeletionProtection: pulumi.Bool(args.Site.Protect),
		AccessLogs: &lb.LoadBalancerAccessLogsArgs{
			Enabled: pulumi.Bool(true), Bucket: args.AccessLogs.Name, Prefix: pulumi.String("alb"),
		},
		// ELB writes a test object when it turns access logs on, so the bucket's policy must exist first.
	}, pulumi.Parent(b), pulumi.Protect(args.Site.Protect), fargate.After(args.AccessLogs))
	if err != nil {
		return nil, err
	}
	targets, err := lb.NewTargetGroup(ctx, name+"-targets", targetGroup(args), pulumi.Parent(b))
	if err != nil {
		return nil, err
	}

	b.DNSName = balancer.DnsName
	b.LoadBalancerARN, b.TargetGroupARN = balancer.Arn, targets.Arn
	b.LoadBalancerSuffix, b.TargetGroupSuffix = balancer.ArnSuffix, targets.ArnSuffix
	if args.Domain == "" {
		err = b.listen(ctx, name)
	} else {
		err = b.listenTLS(ctx, name, args, balancer)
	}
	if err != nil {
		return nil, err
	}
	b.offer(args.Domain)
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"url": b.URL, "dnsName": b.DNSName})
}

// HealthPath is what the balancer asks. nginx answers it by asking the app, with the site's host and scheme.
const HealthPath = "/.slipway/health"

// targetGroup takes about 20 seconds to consider a new task healthy: two checks, ten seconds apart. A matcher of 200 to 499 is the
// widest that a balancer takes (ELB API reference, Matcher, HttpCode).
func targetGroup(args *BalancerArgs) *lb.TargetGroupArgs {
	healthy := "200-499"
	if args.Strict {
		healthy = "200-399"
	}
	return &lb.TargetGroupArgs{
		Name:                       pulumi.String(args.Site.Name("web")),
		VpcId:                      args.VPCID.ToStringOutput(),
		TargetType:                 pulumi.String("ip"),
		Port:                       pulumi.Int(cmp.Or(args.Port, Port)),
		Protocol:                   pulumi.String("HTTP"),
		DeregistrationDelay:        pulumi.Int(drain),
		LoadBalancingAlgorithmType: pulumi.String("least_outstanding_requests"),
		HealthCheck: &lb.TargetGroupHealthCheckArgs{
			Enabled: pulumi.Bool(true), Path: pulumi.String(HealthPath), Port: pulumi.String("traffic-port"),
			Protocol: pulumi.String("HTTP"), Matcher: pulumi.String(healthy),
			Interval: pulumi.Int(10), Timeout: pulumi.Int(5),
			HealthyThreshold: pulumi.Int(2), UnhealthyThreshold: pulumi.Int(3),
		},
	}
}

func (b *Balancer) forward() lb.ListenerDefaultActionArray {
	return lb.ListenerDefaultActionArray{&lb.ListenerDefaultActionArgs{
		Type: pulumi.String("forward"), TargetGroupArn: b.TargetGroupARN,
	}}
}

func (b *Balancer) listener(ctx *pulumi.Context, name string, args *lb.ListenerArgs) error {
	made, err := lb.NewListener(ctx, name, args, pulumi.Parent(b))
	b.listeners = append(b.listeners, made)
	return err
}

// listen serves plain HTTP.
func (b *Balancer) listen(ctx *pulumi.Context, name string) error {
	return b.listener(ctx, name+"-http", &lb.ListenerArgs{
		LoadBalancerArn: b.LoadBalancerARN, Port: pulumi.Int(80), Protocol: pulumi.String("HTTP"),
		DefaultActions: b.forward(),
	})
}

// listenTLS serves HTTPS for the domain and redirects HTTP to it.
func (b *Balancer) listenTLS(ctx *pulumi.Context, name string, args *BalancerArgs, balancer *lb.LoadBalancer) error {
	certificate, err := b.certificate(ctx, name, args)
	if err != nil {
		return err
	}
	if err := b.listener(ctx, name+"-https", &lb.ListenerArgs{
		LoadBalancerArn: b.LoadBalancerARN, Port: pulumi.Int(443), Protocol: pulumi.String("HTTPS"),
		SslPolicy: pulumi.String(tlsPolicy), CertificateArn: certificate,
		DefaultActions: b.forward(),
	}); err != nil {
		return err
	}
	if err := b.listener(ctx, name+"-http", &lb.ListenerArgs{
		LoadBalancerArn: b.LoadBalancerARN, Port: pulumi.Int(80), Protocol: pulumi.String("HTTP"),
		DefaultActions: lb.ListenerDefaultActionArray{&lb.ListenerDefaultActionArgs{
			Type: pulumi.String("redirect"),
			Redirect: &lb.ListenerDefaultActionRedirectArgs{
				Port: pulumi.String("443"), Protocol: pulumi.String("HTTPS"), StatusCode: pulumi.String("HTTP_301"),
			},
		}},
	}); err != nil {
		return err
	}
	_, err = route53.NewRecord(ctx, name+"-alias", &route53.RecordArgs{
		ZoneId: args.ZoneID, Name: pulumi.String(args.Domain), Type: pulumi.String("A"),
		Aliases: route53.RecordAliasArray{&route53.RecordAliasArgs{
			Name: balancer.DnsName, ZoneId: balancer.ZoneId, EvaluateTargetHealth: pulumi.Bool(true),
		}},
	}, pulumi.Parent(b))
	return err
}

// certificate returns the ARN of the domain's certificate, resolved when ACM has validated and issued it.
func (b *Balancer) certificate(ctx *pulumi.Context, name string, args *BalancerArgs) (pulumi.StringOutput, error) {
	certificate, err := acm.NewCertificate(ctx, name+"-certificate", &acm.CertificateArgs{
		DomainName: pulumi.String(args.Domain), ValidationMethod: pulumi.String("DNS"),
	}, pulumi.Parent(b))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	option := certificate.DomainValidationOptions.ApplyT(first).(acm.CertificateDomainValidationOptionOutput)
	proof, err := route53.NewRecord(ctx, name+"-proof", &route53.RecordArgs{
		ZoneId:  args.ZoneID,
		Name:    option.ResourceRecordName().Elem(),
		Type:    option.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{option.ResourceRecordValue().Elem()},
		Ttl:     pulumi.Int(60),
		// The validation record depends on domain and account only, so another stack's certificate may have made it already.
		AllowOverwrite: pulumi.Bool(true),
	}, pulumi.Parent(b))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	issued, err := acm.NewCertificateValidation(ctx, name+"-issued", &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: pulumi.StringArray{proof.Fqdn},
	}, pulumi.Parent(b), pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "15m"}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return issued.CertificateArn, nil
}

// first is the record that proves the domain. A certificate that is validated by e-mail has none.
func first(options []acm.CertificateDomainValidationOption) (acm.CertificateDomainValidationOption, error) {
	if len(options) == 0 {
		return acm.CertificateDomainValidationOption{}, errors.New("ecs: ACM names no DNS record that proves the domain")
	}
	return options[0], nil
}

// offer sets the URL and what the app needs to know of it.
func (b *Balancer) offer(domain string) {
	host, scheme, https := b.DNSName, "http", "false"
	if domain != "" {
		host, scheme, https = pulumi.String(domain).ToStringOutput(), "https", "true"
	}
	b.URL = pulumi.Sprintf("%s://%s", scheme, host)
	b.Offer = wiring.Offer{Values: map[string]wiring.Value{
		"host": {Text: host}, "hosts": {Text: host}, "url": {Text: b.URL}, "origins": {Text: b.URL}, "https": {Text: pulumi.String(https)},
	}}
}
