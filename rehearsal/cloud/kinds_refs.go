package cloud

// The types that other types refer to.
const (
	vpcType           = "aws:ec2/vpc:Vpc"
	subnetType        = "aws:ec2/subnet:Subnet"
	gatewayType       = "aws:ec2/internetGateway:InternetGateway"
	eipType           = "aws:ec2/eip:Eip"
	natType           = "aws:ec2/natGateway:NatGateway"
	routeTableType    = "aws:ec2/routeTable:RouteTable"
	mainTableType     = "aws:ec2/defaultRouteTable:DefaultRouteTable"
	routeType         = "aws:ec2/route:Route"
	groupType         = "aws:ec2/securityGroup:SecurityGroup"
	defaultGroupType  = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
	groupRuleType     = "aws:ec2/securityGroupRule:SecurityGroupRule"
	ingressType       = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType        = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	endpointType      = "aws:ec2/vpcEndpoint:VpcEndpoint"
	aclType           = "aws:ec2/networkAcl:NetworkAcl"
	defaultAclType    = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"
	instanceType      = "aws:ec2/instance:Instance"
	interfaceType     = "aws:ec2/networkInterface:NetworkInterface"
	keyPairType       = "aws:ec2/keyPair:KeyPair"
	templateType      = "aws:ec2/launchTemplate:LaunchTemplate"
	dhcpType          = "aws:ec2/vpcDhcpOptions:VpcDhcpOptions"
	secondaryCIDRType = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"

	clusterType     = "aws:ecs/cluster:Cluster"
	providersType   = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
	taskType        = "aws:ecs/taskDefinition:TaskDefinition"
	serviceType     = "aws:ecs/service:Service"
	scalingType     = "aws:appautoscaling/target:Target"
	balancerType    = "aws:lb/loadBalancer:LoadBalancer"
	targetGroupType = "aws:lb/targetGroup:TargetGroup"
	listenerType    = "aws:lb/listener:Listener"
	ruleType        = "aws:lb/listenerRule:ListenerRule"

	databaseType       = "aws:rds/instance:Instance"
	databaseSubnetType = "aws:rds/subnetGroup:SubnetGroup"
	parametersType     = "aws:rds/parameterGroup:ParameterGroup"
	optionsType        = "aws:rds/optionGroup:OptionGroup"

	bucketType    = "aws:s3/bucketV2:BucketV2"
	objectType    = "aws:s3/bucketObjectv2:BucketObjectv2"
	publicType    = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	ownershipType = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
	versionsType  = "aws:s3/bucketVersioningV2:BucketVersioningV2"

	keyType   = "aws:kms/key:Key"
	aliasType = "aws:kms/alias:Alias"

	roleType     = "aws:iam/role:Role"
	policyType   = "aws:iam/policy:Policy"
	profileType  = "aws:iam/instanceProfile:InstanceProfile"
	oidcType     = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
	userType     = "aws:iam/user:User"
	iamGroupType = "aws:iam/group:Group"

	parameterType  = "aws:ssm/parameter:Parameter"
	secretType     = "aws:secretsmanager/secret:Secret"
	repositoryType = "aws:ecr/repository:Repository"

	logGroupType     = "aws:cloudwatch/logGroup:LogGroup"
	subscriptionType = "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"
	alarmType        = "aws:cloudwatch/metricAlarm:MetricAlarm"
	compositeType    = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
	eventRuleType    = "aws:cloudwatch/eventRule:EventRule"
	firehoseType     = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
	streamType       = "aws:kinesis/stream:Stream"

	topicType         = "aws:sns/topic:Topic"
	queueType         = "aws:sqs/queue:Queue"
	scheduleGroupType = "aws:scheduler/scheduleGroup:ScheduleGroup"
	certificateType   = "aws:acm/certificate:Certificate"
	zoneType          = "aws:route53/zone:Zone"
	recordType        = "aws:route53/record:Record"
	healthCheckType   = "aws:route53/healthCheck:HealthCheck"
	vaultType         = "aws:backup/vault:Vault"
	planType          = "aws:backup/plan:Plan"
	namespaceType     = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
	discoveryType     = "aws:servicediscovery/service:Service"
	cacheSubnetType   = "aws:elasticache/subnetGroup:SubnetGroup"
	cacheParamsType   = "aws:elasticache/parameterGroup:ParameterGroup"
)

var (
	anyGroup = []string{groupType, defaultGroupType}
	anyTable = []string{routeTableType, mainTableType}
)

// held is a reference that keeps its target from being deleted.
func held(path, by string, to ...string) Ref { return Ref{Path: path, To: to, By: by} }

// soft is a reference that AWS looks up and that does not keep its target.
func soft(path, by string, to ...string) Ref { return Ref{Path: path, To: to, By: by, Weak: true} }

// maybe is soft, but the input may also speak of something outside the model.
func maybe(path, by string, to ...string) Ref {
	return Ref{Path: path, To: to, By: by, Weak: true, Any: true}
}

// keyRef is an input that takes a KMS key by ARN, id or alias.
func keyRef(path string) Ref { return maybe(path, "arn,id,name", keyType, aliasType) }

// roleRef is an input that takes a role by ARN.
func roleRef(path string) Ref { return soft(path, "arn", roleType) }

// prefixed registers a kind of which the program may name only the beginning: the provider adds the time and a counter,
// 26 characters in all.
func prefixed(k Kind) {
	const added = 26
	name, check, compute := k.Name, k.Check, k.Compute
	k.Check = func(in Inputs, unknown Unknowns) []Problem {
		var p []Problem
		if check != nil {
			p = check(in, unknown)
		}
		prefix := in.String(name.Prefix)
		if n := len(prefix); name.Max > 0 && n > name.Max-added {
			p = append(p, problem(name.Prefix, "the name has at most %d characters, of which the provider makes %d: expected at most %d, got %d", name.Max, added, name.Max-added, n))
		}
		if prefix != "" && in.String(name.Input) != "" {
			p = append(p, problem(name.Prefix, "only one of %s and %s may be given", name.Input, name.Prefix))
		}
		return p
	}
	k.Compute = func(a *Account, o *Object) error {
		if prefix := Inputs(o.Inputs).String(name.Prefix); o.Outputs[name.Input] == nil && prefix != "" {
			o.Outputs[name.Input] = kept(a, o, name.Input, func() any {
				return prefix + a.now().UTC().Format("20060102150405") + "0000" + draw(8, fresh(a, o)...)
			})
		}
		return compute(a, o)
	}
	register(k)
}
