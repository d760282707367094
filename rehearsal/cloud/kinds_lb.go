package cloud

import (
	"fmt"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// Application and network load balancers, target groups, listeners and their rules.

const balancerName = `[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?`

// balancerZones are the hosted zone ids of application load balancers, by region.
var balancerZones = map[string]string{
	"us-east-1": "Z35SXDOTRQ7X7K", "us-east-2": "Z3AADJGX6KTTL2", "us-west-1": "Z368ELLRRE2KJ0", "us-west-2": "Z1H1FL5HABSF5",
	"af-south-1": "Z268VQBMOI5EKX", "ap-east-1": "Z3DQVH9N71FHZ0", "ap-south-1": "ZP97RAFLXTNZK", "ap-northeast-1": "Z14GRHDCWA56QT",
	"ap-northeast-2": "ZWKZPGTI48KDX", "ap-northeast-3": "Z5LXEXXYW11ES", "ap-southeast-1": "Z1LMS91P8CMLE5",
	"ap-southeast-2": "Z1GM3OXH4ZPM65",
	"ca-central-1":   "ZQSVJUPU6J1EY", "eu-central-1": "Z215JYRZR1TBD5", "eu-west-1": "Z32O12XQLNTSW2", "eu-west-2": "ZHURV8PSTC4K8",
	"eu-west-3": "Z3Q77PNBQS71R4", "eu-north-1": "Z23TAZ6LKFMNIO", "eu-south-1": "Z3ULH7SSC9OV64", "me-south-1": "ZS929ML54UICD",
	"sa-east-1": "Z2P70J7HTTTPLU",
}

// logAccounts are the AWS accounts that write access logs in regions launched before August 2022. Other regions use a service
// principal.
var logAccounts = map[string]string{
	"us-east-1": "127311923021", "us-east-2": "033677994240", "us-west-1": "027434742980", "us-west-2": "797873946194",
	"af-south-1": "098369216593", "ap-east-1": "754344448648", "ap-south-1": "718504428378", "ap-northeast-1": "582318560864",
	"ap-northeast-2": "600734575887", "ap-northeast-3": "383597477331", "ap-southeast-1": "114774131450", "ap-southeast-2": "783225319266",
	"ap-southeast-3": "589379963580", "ca-central-1": "985666609251", "eu-central-1": "054676820928", "eu-west-1": "156460612806",
	"eu-west-2": "652711504416", "eu-west-3": "009996457667", "eu-north-1": "897822967062", "eu-south-1": "635631232127",
	"me-south-1": "076674570225", "sa-east-1": "507241528517",
}

const logDelivery = "logdelivery.elasticloadbalancing.amazonaws.com"

// tlsPolicies are the predefined security policies for listeners.
var tlsPolicies = words(`ELBSecurityPolicy-2016-08 ELBSecurityPolicy-TLS-1-0-2015-04 ELBSecurityPolicy-TLS-1-1-2017-01
	ELBSecurityPolicy-TLS-1-2-2017-01 ELBSecurityPolicy-TLS-1-2-Ext-2018-06 ELBSecurityPolicy-FS-2018-06 ELBSecurityPolicy-FS-1-1-2019-08
	ELBSecurityPolicy-FS-1-2-2019-08 ELBSecurityPolicy-FS-1-2-Res-2019-08 ELBSecurityPolicy-FS-1-2-Res-2020-10
	ELBSecurityPolicy-TLS13-1-0-2021-06 ELBSecurityPolicy-TLS13-1-1-2021-06 ELBSecurityPolicy-TLS13-1-2-2021-06
	ELBSecurityPolicy-TLS13-1-2-Res-2021-06 ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06 ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06
	ELBSecurityPolicy-TLS13-1-3-2021-06 ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04 ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04
	ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04 ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04 ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-2023-04
	ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-2023-04 ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-2023-04 ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04`)

// balancerKinds are the resource types of Elastic Load Balancing.
func balancerKinds() []Kind {
	return []Kind{
		loadBalancerKind(), targetGroupKind(), listenerKind(), listenerRuleKind(), listenerCertificateKind(),
	}
}

func loadBalancerKind() Kind {
	return prefixed(Kind{
		Type: balancerType, CreateAction: "elasticloadbalancing:CreateLoadBalancer",
		UpdateAction: "elasticloadbalancing:ModifyLoadBalancerAttributes", DeleteAction: "elasticloadbalancing:DeleteLoadBalancer",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 32, Form: balancerName, Taken: "DuplicateLoadBalancerName"},
		NotFound: "LoadBalancerNotFound",
		Refs: []Ref{held("subnets[]", "id", subnetType), held("securityGroups[]", "id", anyGroup...),
			held("subnetMappings[].subnetId", "id", subnetType),
			held("subnetMappings[].allocationId", "id", eipType), soft("accessLogs.bucket", "id", bucketType),
			soft("connectionLogs.bucket", "id", bucketType)},
		Defaults: map[string]any{"internal": false, "loadBalancerType": "application", "idleTimeout": 60,
			"enableDeletionProtection": false, "enableHttp2": true,
			"dropInvalidHeaderFields": false, "desyncMitigationMode": "defensive", "enableCrossZoneLoadBalancing": true, "ipAddressType": "ipv4",
			"preserveHostHeader":                    false,
			"enableTlsVersionAndCipherSuiteHeaders": false, "enableXffClientPort": false, "xffHeaderProcessingMode": "append",
			"enableWafFailOpen": false, "clientKeepAlive": 3600,
			"enableZonalShift": false, "dnsRecordClientRoutingPolicy": "any_availability_zone", "namePrefix": "", "customerOwnedIpv4Pool": ""},
		Check:      checkBalancer,
		CheckState: checkBalancerState,
		Compute:    computeLoadBalancer,
		CheckDelete: func(a *Account, o *Object) error {
			if Inputs(o.Outputs).Bool("enableDeletionProtection") {
				return refuse("OperationNotPermitted", "enableDeletionProtection is true",
					"Load balancer '%s' cannot be deleted because deletion protection is enabled", o.ID)
			}
			return nil
		},
	})
}

func computeLoadBalancer(a *Account, o *Object) error {
	in := Inputs(o.Outputs)
	class := map[string]string{"network": "net", "gateway": "gwy"}[in.String("loadBalancerType")]
	if class == "" {
		class = "app"
	}
	if o.ID == "" {
		o.ID = a.arn("elasticloadbalancing", "loadbalancer/"+class+"/"+in.String("name")+"/"+draw(16, fresh(a, o)...))
	}
	o.Outputs["arn"] = o.ID
	_, o.Outputs["arnSuffix"], _ = strings.Cut(o.ID, ":loadbalancer/")
	dns := in.String("name") + "-" + drawDigits(10, o.ID) + "." + a.Region + ".elb.amazonaws.com"
	if in.Bool("internal") {
		dns = "internal-" + dns
	}
	o.Outputs["dnsName"] = dns
	o.Outputs["zoneId"] = balancerZones[a.Region]
	for _, id := range balancerSubnets(o.Inputs) {
		if s := find(a, "id", id, subnetType); s != nil {
			o.Outputs["vpcId"] = s.Outputs["vpcId"]
		}
	}
	fill(o, "subnets", balancerSubnets(o.Inputs))
	var mappings []any
	for _, id := range balancerSubnets(o.Inputs) {
		mappings = append(mappings, map[string]any{"subnetId": id})
	}
	fill(o, "subnetMappings", mappings)
	if class == "app" {
		delete(o.Outputs, "dnsRecordClientRoutingPolicy")
	}
	fill(o, "securityGroups", []any{})
	fill(o, "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic", "")
	return nil
}

func targetGroupKind() Kind {
	return prefixed(Kind{
		Type: targetGroupType, CreateAction: "elasticloadbalancing:CreateTargetGroup", UpdateAction: "elasticloadbalancing:ModifyTargetGroup",
		DeleteAction: "elasticloadbalancing:DeleteTargetGroup",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 32, Form: balancerName, Taken: "DuplicateTargetGroupName"},
		NotFound:     "TargetGroupNotFound", InUse: "ResourceInUse",
		Refs: []Ref{held("vpcId", "id", vpcType)},
		Defaults: map[string]any{"targetType": "instance", "deregistrationDelay": 300, "slowStart": 0,
			"loadBalancingAlgorithmType":     "round_robin",
			"loadBalancingAnomalyMitigation": "off", "loadBalancingCrossZoneEnabled": "use_load_balancer_configuration", "ipAddressType": "ipv4",
			"proxyProtocolV2":                false,
			"lambdaMultiValueHeadersEnabled": false, "namePrefix": "", "preserveClientIp": "", "connectionTermination": false},
		Check: checkTargetGroup,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			if o.ID == "" {
				o.ID = a.arn("elasticloadbalancing", "targetgroup/"+in.String("name")+"/"+draw(16, fresh(a, o)...))
			}
			o.Outputs["arn"] = o.ID
			o.Outputs["arnSuffix"] = lastPart(o.ID, ":")
			o.Outputs["loadBalancerArns"] = []any{}
			protocol := in.String("protocol")
			if protocol == "HTTP" || protocol == "HTTPS" {
				fill(o, "protocolVersion", "HTTP1")
				fill(o, "stickiness", map[string]any{"type": "lb_cookie", "enabled": false, "cookieDuration": 86400, "cookieName": ""})
			}
			for path, v := range map[string]any{"enabled": true, "healthyThreshold": 5, "unhealthyThreshold": 2, "interval": 30, "timeout": 5,
				"path": "/", "port": "traffic-port", "protocol": "HTTP", "matcher": "200"} {
				fill(o, "healthCheck."+path, v)
			}
			return nil
		},
	})
}

func listenerKind() Kind {
	return Kind{
		Type: listenerType, CreateAction: "elasticloadbalancing:CreateListener", UpdateAction: "elasticloadbalancing:ModifyListener",
		DeleteAction: "elasticloadbalancing:DeleteListener",
		NotFound:     "ListenerNotFound",
		Defaults:     redirectDefaults("defaultActions[]."),
		Refs: append(actionRefs("defaultActions[]."), soft("loadBalancerArn", "arn", balancerType),
			Ref{Path: "certificateArn", To: []string{certificateType}, By: "arn", Any: true}),
		Check:      checkListener,
		CheckState: checkListenerState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			if o.ID == "" {
				o.ID = strings.Replace(in.String("loadBalancerArn"), ":loadbalancer/", ":listener/", 1) + "/" + draw(16, fresh(a, o)...)
			}
			o.Outputs["arn"] = o.ID
			fill(o, "protocol", "HTTP")
			if p := Inputs(o.Outputs).String("protocol"); p == "HTTPS" || p == "TLS" {
				fill(o, "sslPolicy", "ELBSecurityPolicy-2016-08")
			} else {
				fill(o, "sslPolicy", "")
			}
			return nil
		},
	}
}

func listenerRuleKind() Kind {
	return Kind{
		Type: ruleType, CreateAction: "elasticloadbalancing:CreateRule", UpdateAction: "elasticloadbalancing:ModifyRule",
		DeleteAction: "elasticloadbalancing:DeleteRule",
		NotFound:     "RuleNotFound",
		Defaults:     redirectDefaults("actions[]."),
		Refs:         append(actionRefs("actions[]."), soft("listenerArn", "arn", listenerType)),
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(between(in, "priority", 1, 50000), actionProblems(in, unknown, "actions"), tagProblems(in))
			values := 0
			for i, c := range in.Maps("conditions") {
				path := at("conditions", i)
				if n := given(c, nil, "hostHeader", "httpHeader", "httpRequestMethod", "pathPattern", "queryStrings",
					"sourceIp"); n != 1 && !unknown.Within(path) {
					p = append(p, awsProblem(path, "InvalidConfigurationRequest", "a condition has exactly one field, got %d", n))
				}
				for _, f := range words("hostHeader httpHeader httpRequestMethod pathPattern sourceIp") {
					values += len(c.List(f + ".values"))
				}
				values += len(c.List("queryStrings"))
			}
			if values > 5 {
				p = append(p, awsProblem("conditions", "TooManyConditionValues", "a rule takes 5 condition values, got %d", values))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			for _, other := range others(a, o, ruleType) {
				if other.Inputs["listenerArn"] == in.String("listenerArn") && in.Has("priority") &&
					Inputs(other.Outputs).Int("priority") == in.Int("priority") {
					return refuse("PriorityInUse", "created by "+other.URN, "Priority '%d' is currently in use", in.Int("priority"))
				}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			if o.ID == "" {
				o.ID = strings.Replace(in.String("listenerArn"), ":listener/", ":listener-rule/", 1) + "/" + draw(16, fresh(a, o)...)
			}
			o.Outputs["arn"] = o.ID
			last := 0
			for _, other := range others(a, o, ruleType) {
				if other.Inputs["listenerArn"] == in.String("listenerArn") {
					last = max(last, Inputs(other.Outputs).Int("priority"))
				}
			}
			fill(o, "priority", kept(a, o, "priority", func() any { return last + 1 }))
			return nil
		},
	}
}

func listenerCertificateKind() Kind {
	return Kind{
		Type: "aws:lb/listenerCertificate:ListenerCertificate", CreateAction: "elasticloadbalancing:AddListenerCertificates",
		DeleteAction: "elasticloadbalancing:RemoveListenerCertificates",
		NotFound:     "CertificateNotFound",
		Refs: []Ref{soft("listenerArn", "arn", listenerType),
			{Path: "certificateArn", To: []string{certificateType}, By: "arn", Any: true}},
		CheckState: func(a *Account, o *Object) error { return issued(a, Inputs(o.Inputs).String("certificateArn"), true) },
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = in.String("listenerArn") + "_" + in.String("certificateArn")
			return nil
		},
	}
}

// redirectDefaults are the parts of the request that a redirect keeps by default.
func redirectDefaults(prefix string) map[string]any {
	return map[string]any{prefix + "redirect.host": "#{host}", prefix + "redirect.path": "/#{path}", prefix + "redirect.port": "#{port}",
		prefix + "redirect.protocol": "#{protocol}", prefix + "redirect.query": "#{query}"}
}

func actionRefs(prefix string) []Ref {
	return []Ref{held(prefix+"targetGroupArn", "arn", targetGroupType), held(prefix+"forward.targetGroups[].arn", "arn", targetGroupType)}
}

func balancerSubnets(in Inputs) []string {
	all := in.Strings("subnets")
	for _, m := range in.Maps("subnetMappings") {
		all = append(all, m.String("subnetId"))
	}
	return all
}

func checkBalancer(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "loadBalancerType", "application", "network", "gateway"), between(in, "idleTimeout", 1, 4000),
		between(in, "clientKeepAlive", 60, 604800),
		oneOf(in, "desyncMitigationMode", "monitor", "defensive", "strictest"), oneOf(in, "ipAddressType", "ipv4", "dualstack",
			"dualstack-without-public-ipv4"),
		oneOf(in, "xffHeaderProcessingMode", "append", "preserve", "remove"), tagProblems(in))
	if strings.HasPrefix(in.String("name"), "internal-") {
		p = append(p, awsProblem("name", "ValidationError", "a load balancer's name cannot begin with internal-, got %q", in.String("name")))
	}
	if n := given(in, unknown, "subnets", "subnetMappings"); n == 0 && !unknown.Within("subnets") {
		p = append(p, awsProblem("subnets", "ValidationError", "A load balancer needs subnets"))
	}
	application := !in.Has("loadBalancerType") || in.String("loadBalancerType") == "application"
	if n := len(balancerSubnets(in)); application && n == 1 && !unknown.Within("subnets") && !unknown.Within("subnetMappings") {
		p = append(p, awsProblem("subnets", "ValidationError",
			"At least two subnets in two different Availability Zones must be specified, got %d", n))
	}
	if n := len(in.List("securityGroups")); n > quotaGroupsPerENI {
		p = append(p, awsProblem("securityGroups", "TooManySecurityGroups", "expected at most %d security groups, got %d", quotaGroupsPerENI, n))
	}
	return p
}

// checkBalancerState checks the zones of the subnets, that public ones have an internet gateway, and that access logs can be written.
func checkBalancerState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	zones := map[string]string{}
	for _, id := range balancerSubnets(in) {
		s := find(a, "id", id, subnetType)
		if s == nil {
			continue
		}
		zone := Inputs(s.Outputs).String("availabilityZone")
		if first := zones[zone]; first != "" {
			return refuse("InvalidConfigurationRequest", first+" and "+id+" are both in "+zone,
				"A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		zones[zone] = id
	}
	if application := !in.Has("loadBalancerType") || in.String("loadBalancerType") == "application"; application && len(zones) == 1 {
		return refuse("ValidationError", "", "At least two subnets in two different Availability Zones must be specified")
	}
	vpc, err := oneNetwork(a, balancerSubnets(in), in.Strings("securityGroups"))
	if err != nil {
		return refuse("InvalidConfigurationRequest", err.Error(), "One or more security groups or subnets are in another VPC")
	}
	if !in.Bool("internal") && vpc != "" && !hasGateway(a, vpc) {
		return refuse("InvalidSubnet", "", "VPC %s has no internet gateway", vpc)
	}
	if strings.HasPrefix(in.String("ipAddressType"), "dualstack") {
		// Application Load Balancers guide, "Application Load Balancers", IP address type
		if id := withoutIPv6(a, balancerSubnets(in)); id != "" {
			return refuse("InvalidSubnet", "", "You must specify subnets with an associated IPv6 CIDR block, which %s does not have", id)
		}
	}
	for _, id := range balancerSubnets(in) {
		if free, known := freeAddresses(a, o, id); known && free < balancerNeeds {
			return refuse("InvalidSubnet", fmt.Sprintf("%d addresses are free", free),
				"Not enough IP space available in %s. ELB requires at least %d free IP addresses in each subnet.", id, balancerNeeds)
		}
	}
	if in.Bool("accessLogs.enabled") {
		return accessLogsArrive(a, in.String("accessLogs.bucket"), in.String("accessLogs.prefix"))
	}
	return nil
}

// balancerNeeds is how many addresses of each subnet must be free. Source: Elastic Load Balancing guide, "Subnets for your load balancer".
const balancerNeeds = 8

// accessLogsArrive refuses a bucket that a load balancer cannot write to, because of its policy or because it is encrypted with a
// KMS key, which access logs do not support.
func accessLogsArrive(a *Account, bucket, prefix string) error {
	deny := func(why string) error {
		return refuse("InvalidConfigurationRequest", why, "Access Denied for bucket: %s. Please check S3bucket permission", bucket)
	}
	if e := subresource(a, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", bucket); e != nil {
		for _, r := range Inputs(e.Inputs).Maps("rules") {
			if strings.HasPrefix(r.String("applyServerSideEncryptionByDefault.sseAlgorithm"), "aws:kms") {
				return deny("the bucket encrypts with KMS; access logs need SSE-S3 (AES256)")
			}
		}
	}
	policy := subresource(a, "aws:s3/bucketPolicy:BucketPolicy", bucket)
	if policy == nil {
		return deny("the bucket has no policy")
	}
	key := "AWSLogs/" + a.AccountID + "/ELBAccessLogTestFile"
	if prefix != "" {
		key = prefix + "/" + key
	}
	object := "arn:" + a.Partition + ":s3:::" + bucket + "/" + key
	allowed := false
	for _, s := range documentOf(documentText(policy.Inputs, "policy")) {
		writer := slices.Contains(s.principals["Service"], logDelivery) ||
			slices.ContainsFunc(s.principals["AWS"], func(p string) bool {
				return logAccounts[a.Region] != "" && strings.Contains(p, logAccounts[a.Region])
			})
		if !s.deny && writer && anyMatch(s.actions, "s3:PutObject") && slices.ContainsFunc(s.resources, func(r string) bool {
			return iam.Glob(r, object)
		}) {
			allowed = true
		}
	}
	if !allowed {
		return deny(fmt.Sprintf("no statement of the bucket policy allows %s to put %s", logDelivery, object))
	}
	return nil
}

func checkTargetGroup(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "targetType", "instance", "ip", "lambda", "alb"),
		oneOf(in, "protocol", words("HTTP HTTPS TCP TLS UDP TCP_UDP GENEVE")...),
		between(in, "port", 1, 65535), between(in, "deregistrationDelay", 0, 3600), between(in, "healthCheck.interval", 5, 300),
		between(in, "healthCheck.timeout", 2, 120), oneOf(in, "healthCheck.protocol", "HTTP", "HTTPS", "TCP"),
		between(in, "healthCheck.healthyThreshold", 2, 10), between(in, "healthCheck.unhealthyThreshold", 2, 10),
		oneOf(in, "loadBalancingAlgorithmType", "round_robin", "least_outstanding_requests", "weighted_random"),
		oneOf(in, "protocolVersion", "HTTP1", "HTTP2", "GRPC"), tagProblems(in))
	if strings.HasPrefix(in.String("name"), "internal-") {
		p = append(p, awsProblem("name", "ValidationError", "a target group's name cannot begin with internal-, got %q", in.String("name")))
	}
	if in.String("targetType") != "lambda" {
		for _, name := range words("port protocol vpcId") {
			if given(in, unknown, name) == 0 {
				p = append(p, awsProblem(name, "ValidationError", "%s should be set when target type is %s", name,
					orElse(in.String("targetType"), "instance")))
			}
		}
	}
	p = append(p, stickinessProblems(in)...)
	if strings.HasPrefix(in.String("protocol"), "HTTP") && in.String("healthCheck.protocol") == "TCP" {
		p = append(p, awsProblem("healthCheck.protocol", "ValidationError", "Health check protocol 'TCP' is not supported for target groups "+
			"with the protocol %s: expected HTTP or HTTPS", in.String("protocol")))
	}
	if in.Int("slowStart") > 0 &&
		slices.Contains(words("least_outstanding_requests weighted_random"), in.String("loadBalancingAlgorithmType")) {
		// Application Load Balancers guide, "Target group attributes", slow start mode
		p = append(p, awsProblem("slowStart", "InvalidConfigurationRequest", "slow start needs the algorithm round_robin, got %s",
			in.String("loadBalancingAlgorithmType")))
	}
	if n := in.Int("slowStart"); in.Has("slowStart") && n != 0 && (n < 30 || n > 900) {
		p = append(p, awsProblem("slowStart", "ValidationError", "expected 0 or 30 to 900, got %d", n))
	}
	if in.Has("healthCheck.enabled") && !in.Bool("healthCheck.enabled") && in.String("targetType") != "lambda" {
		// ELB API Reference, CreateTargetGroup, HealthCheckEnabled
		p = append(p, awsProblem("healthCheck.enabled", "ValidationError", "Health check enabled must be true for target groups with target "+
			"type '%s'", orElse(in.String("targetType"), "instance")))
	}
	interval, timeout := numberOr(in, "healthCheck.interval", 30), numberOr(in, "healthCheck.timeout", 5)
	if timeout >= interval && !unknown.Within("healthCheck") {
		p = append(p, awsProblem("healthCheck.timeout", "ValidationError",
			"Health check timeout '%v' must be smaller than the interval '%v'", timeout, interval))
	}
	if h := in.String("healthCheck.path"); in.Has("healthCheck.path") && (!strings.HasPrefix(h, "/") || len(h) > 1024 ||
		strings.ContainsAny(h, " \t")) {
		p = append(p, awsProblem("healthCheck.path", "ValidationError",
			"Health check path must begin with a '/' character and have no spaces, got %q", h))
	}
	if in.String("protocolVersion") == "GRPC" && in.Has("healthCheck.matcher") {
		// ELB API Reference, Matcher: gRPC codes are 0 to 99.
		first, _, _ := strings.Cut(in.String("healthCheck.matcher"), ",")
		first, _, _ = strings.Cut(first, "-")
		if low, ok := asNumber(first); !ok || low > 99 {
			p = append(p, awsProblem("healthCheck.matcher", "ValidationError", "Health check matcher must be gRPC codes from 0 to 99, got %q",
				in.String("healthCheck.matcher")))
		}
	} else if m := in.String("healthCheck.matcher"); in.Has("healthCheck.matcher") && !statusCodes(m) {
		p = append(p, awsProblem("healthCheck.matcher", "ValidationError",
			"expected status codes from 200 to 499 such as 200, 200,301 or 200-299, got %q", m))
	}
	return p
}

// stickinessProblems checks sticky sessions. Sources: Application Load Balancers guide, "Sticky sessions"; ELB API Reference,
// TargetGroupAttribute.
func stickinessProblems(in Inputs) []Problem {
	if !in.Has("stickiness") {
		return nil
	}
	p := between(in, "stickiness.cookieDuration", 1, 604800)
	kinds := words("source_ip source_ip_dest_ip source_ip_dest_ip_proto")
	if strings.HasPrefix(in.String("protocol"), "HTTP") {
		kinds = words("lb_cookie app_cookie")
	}
	kind := in.String("stickiness.type")
	if kind != "" && !slices.Contains(kinds, kind) {
		p = append(p, awsProblem("stickiness.type", "InvalidConfigurationRequest", "Stickiness type '%s' is not supported for target groups "+
			"with the %s protocol: expected %s", kind, in.String("protocol"), alternatives(kinds)))
	}
	name := in.String("stickiness.cookieName")
	if kind == "app_cookie" && name == "" {
		p = append(p, awsProblem("stickiness.cookieName", "InvalidConfigurationRequest", "app_cookie needs the name of the cookie"))
	}
	if slices.ContainsFunc(words("AWSALB AWSALBAPP AWSALBTG"), func(own string) bool { return strings.HasPrefix(name, own) }) {
		p = append(p, awsProblem("stickiness.cookieName", "InvalidConfigurationRequest", "the name %q is reserved by the load balancer", name))
	}
	return p
}

// statusCodes reports whether text is a list of codes or ranges between 200 and 499.
func statusCodes(text string) bool {
	for _, part := range strings.Split(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		low, ok := asNumber(from)
		if !ok || low < 200 || low > 499 {
			return false
		}
		if high, ok := asNumber(to); ranged && (!ok || high < low || high > 499) {
			return false
		}
	}
	return true
}

func checkListener(in Inputs, unknown Unknowns) []Problem {
	p := allOf(between(in, "port", 1, 65535), oneOf(in, "protocol", words("HTTP HTTPS TCP TLS UDP TCP_UDP")...),
		actionProblems(in, unknown, "defaultActions"), tagProblems(in))
	if s := in.String("sslPolicy"); s != "" && !slices.Contains(tlsPolicies, s) {
		p = append(p, awsProblem("sslPolicy", "SSLPolicyNotFound", "SSL policy %q not found%s", s, suggest(s, tlsPolicies)))
	}
	if in.Has("defaultActions") && len(in.List("defaultActions")) == 0 {
		p = append(p, awsProblem("defaultActions", "ValidationError", "a listener needs a default action"))
	}
	secure := in.String("protocol") == "HTTPS" || in.String("protocol") == "TLS"
	if secure && given(in, unknown, "certificateArn") == 0 {
		p = append(p, awsProblem("certificateArn", "ValidationError", "A certificate must be specified for %s listeners", in.String("protocol")))
	}
	if !secure && !unknown.Has("protocol") && in.String("certificateArn") != "" {
		p = append(p, awsProblem("certificateArn", "ValidationError", "only HTTPS and TLS listeners take a certificate"))
	}
	return p
}

func checkListenerState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	for _, other := range others(a, o, listenerType) {
		if other.Inputs["loadBalancerArn"] == in.String("loadBalancerArn") && Inputs(other.Inputs).Int("port") == in.Int("port") {
			return refuse("DuplicateListener", "created by "+other.URN, "A listener already exists on this port for this load balancer '%s'",
				in.String("loadBalancerArn"))
		}
	}
	if err := issued(a, in.String("certificateArn"), a.was(o) == nil); err != nil {
		return err
	}
	balancer := find(a, "arn", in.String("loadBalancerArn"), balancerType)
	var groups []string
	for _, action := range in.Maps("defaultActions") {
		groups = append(groups, actionGroups(action)...)
	}
	for _, arn := range groups {
		g := find(a, "arn", arn, targetGroupType)
		if g == nil || balancer == nil {
			continue
		}
		// Application Load Balancers guide, "Target groups", protocol version
		if version := Inputs(g.Outputs).String("protocolVersion"); version == "GRPC" && in.String("protocol") == "HTTP" {
			return refuse("InvalidConfigurationRequest", "target group "+arn+" has it",
				"Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC': expected HTTPS")
		}
		if kind := Inputs(g.Outputs).String("protocol"); kind != "" && strings.HasPrefix(in.String("protocol"), "HTTP") &&
			!strings.HasPrefix(kind, "HTTP") {
			return refuse("IncompatibleProtocols", "the listener speaks "+in.String("protocol"),
				"The target group '%s' has protocol %s, which is not compatible with the listener", arn, kind)
		}
		if v := Inputs(g.Outputs).String("vpcId"); v != "" && v != balancer.Outputs["vpcId"] {
			return refuse("ValidationError", "", "The target group '%s' is in a different VPC than the load balancer", arn)
		}
	}
	return nil
}

// issued refuses a certificate that is not issued yet: a listener cannot use it. ACM needs minutes for it, so a new listener must wait
// for a CertificateValidation (govuk-paas/paas-cf#3063).
func issued(a *Account, arn string, fresh bool) error {
	c := find(a, "arn", arn, certificateType)
	if c == nil {
		return nil
	}
	waited := Inputs(c.Outputs).String("status") == issuedCertificate || !fresh ||
		slices.ContainsFunc(a.list(validationType), func(o *Object) bool { return Inputs(o.Inputs).String("certificateArn") == arn })
	if validated(a, c) && waited {
		return nil
	}
	return refuse("UnsupportedCertificate", "its status is PENDING_VALIDATION; wait for an aws:acm:CertificateValidation",
		"The certificate '%s' must have a fully-qualified domain name, a supported signature, and a supported key size.", arn)
}

func actionGroups(action Inputs) []string {
	var all []string
	if s := action.String("targetGroupArn"); s != "" {
		all = append(all, s)
	}
	for _, g := range action.Maps("forward.targetGroups") {
		all = append(all, g.String("arn"))
	}
	return all
}

func actionProblems(in Inputs, unknown Unknowns, list string) []Problem {
	var p []Problem
	wants := map[string][]string{"forward": {"targetGroupArn", "forward"}, "redirect": {"redirect"}, "fixed-response": {"fixedResponse"},
		"authenticate-oidc": {"authenticateOidc"}, "authenticate-cognito": {"authenticateCognito"}}
	for i, action := range in.Maps(list) {
		path := at(list, i)
		kind := action.String("type")
		if kind == "" {
			continue
		}
		names, ok := wants[kind]
		if !ok {
			p = append(p, awsProblem(path+".type", "ValidationError", "expected %s, got %q", alternatives(sortedKeys(wants)), kind))
			continue
		}
		if given(action, nil, names...) == 0 && !unknown.Within(path) {
			p = append(p, awsProblem(path, "InvalidLoadBalancerAction", "an action of type %s needs %s", kind, alternatives(names)))
		}
		for _, x := range allOf(oneOf(action, "redirect.statusCode", "HTTP_301", "HTTP_302"), oneOf(action, "redirect.protocol",
			"HTTP", "HTTPS", "#{protocol}"),
			oneOf(action, "fixedResponse.contentType", words("text/plain text/css text/html application/javascript application/json")...)) {
			x.Path = path + "." + x.Path
			p = append(p, x)
		}
		if c := action.String("fixedResponse.statusCode"); c != "" && (len(c) != 3 || !strings.ContainsAny(c[:1], "245")) {
			p = append(p, awsProblem(path+".fixedResponse.statusCode", "ValidationError", "expected 2XX, 4XX or 5XX, got %q", c))
		}
		if len(action.String("fixedResponse.messageBody")) > 1024 {
			p = append(p, awsProblem(path+".fixedResponse.messageBody", "ValidationError", "expected at most 1024 characters"))
		}
	}
	return p
}

// listenersOf are the listeners and rules that forward to a target group.
func listenersOf(a *Account, group *Object) []*Object {
	var all []*Object
	for t, list := range map[string]string{listenerType: "defaultActions", ruleType: "actions"} {
		for _, o := range a.list(t) {
			for _, action := range Inputs(o.Inputs).Maps(list) {
				if slices.Contains(actionGroups(action), group.ID) {
					all = append(all, o)
				}
			}
		}
	}
	return all
}
