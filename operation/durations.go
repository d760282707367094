package operation

import (
	"time"

	"slipway/engine"
)

// usual is how long AWS usually takes for a step on one resource, as public logs of deployments show: the median where there are
// several samples. What takes a few seconds is not listed.
var usual = map[string]map[string]time.Duration{
	"aws:rds/instance:Instance": {
		"create": 450 * time.Second, // 12 logs of small Single-AZ instances, 285 to 1026 s; Multi-AZ takes longer
		"update": 130 * time.Second, // 125 and 135 s; another class or Multi-AZ takes 5 to 20 minutes
		"delete": 110 * time.Second, // 106, 111, 266 and 285 s
	},
	// 9 logs, 84 to 121 s; 42 to 61 s
	"aws:ec2/natGateway:NatGateway": {"create": 115 * time.Second, "delete": 50 * time.Second},
	// 8 logs, 141 to 190 s
	"aws:lb/loadBalancer:LoadBalancer": {"create": 174 * time.Second, "delete": 20 * time.Second},
	// 11 to 15 s
	"aws:ec2/vpc:Vpc": {"create": 12 * time.Second},
	// 11 to 14 s if it gives public addresses, else 1 to 4 s
	"aws:ec2/subnet:Subnet": {"create": 12 * time.Second},
	// 9 to 16 s
	"aws:kms/key:Key": {"create": 12 * time.Second},
	// 74 and 75 s, waiting for stable tasks
	"aws:ecs/service:Service": {"create": 75 * time.Second, "update": 75 * time.Second},
	// 61 s; 2 s if it was validated before
	"aws:acm/certificateValidation:CertificateValidation": {"create": 60 * time.Second},
	// an estimate without a sample
	"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": {"create": 60 * time.Second},
	// an estimate without a sample; of gateways, seconds
	"aws:ec2/vpcEndpoint:VpcEndpoint": {"create": 120 * time.Second},
	// 4 logs, 358 to 555 s
	"aws:elasticache/replicationGroup:ReplicationGroup": {"create": 480 * time.Second},
	"aws:ecs/cluster:Cluster":                           {"create": 10 * time.Second},
}

// Usual is how long a step of an operation in an account usually takes; 0 if that is not known, or not worth saying. The model of
// AWS takes no time.
func (t Target) Usual(c engine.Change) time.Duration {
	if !t.Live {
		return 0
	}
	op := map[string]string{"create-replacement": "create", "delete-replaced": "delete"}[c.Op]
	if op == "" {
		op = c.Op
	}
	return usual[c.Type][op]
}
