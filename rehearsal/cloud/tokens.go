package cloud

// The resource types that other types refer to.
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
	scheduleType      = "aws:scheduler/schedule:Schedule"
	scalingPolicyType = "aws:appautoscaling/policy:Policy"
	scheduleGroupType = "aws:scheduler/scheduleGroup:ScheduleGroup"
	certificateType   = "aws:acm/certificate:Certificate"
	validationType    = "aws:acm/certificateValidation:CertificateValidation"
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

// snapshotType is the model's own type for the final snapshot of a deleted instance. It outlives the stack, and its name stays
// taken.
const snapshotType = "rds:final-snapshot"

// cacheSnapshotType is the same for a deleted cache.
const cacheSnapshotType = "elasticache:final-snapshot"

// scheduledSecret is the model's own type for a secret that is scheduled for deletion; its name stays taken.
const scheduledSecret = "secretsmanager:scheduled"

// imageType is the model's own type for a container image in a repository. An image is owned by its repository.
const imageType = "ecr:image"

// taskRunType is the model's own type for a task that the program runs itself: the migration.
const taskRunType = "ecs:task"

// defaultsMark is the input in which providers record the inputs that they filled in.
const defaultsMark = "__defaults"
