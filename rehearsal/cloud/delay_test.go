package cloud

import (
	"strings"
	"testing"
)

// Other services see a new role only at a later attempt, in the words in which they refuse a role that they cannot use. What the account
// had before is seen at once.
func TestServicesSeeANewRoleLate(t *testing.T) {
	w := newWorld(t)
	bucket := w.create(bucketType, "logs", properties{"bucket": "slipway-archive-1"})
	stream := func(name string, role *Object) error {
		_, err := w.try(firehoseType, name, properties{"name": name, "destination": "extended_s3",
			"extendedS3Configuration": properties{"roleArn": role.Outputs["arn"], "bucketArn": bucket.Outputs["arn"]}})
		return err
	}
	allow := func(role string) {
		w.create("aws:iam/rolePolicy:RolePolicy", role, properties{"role": role,
			"policy": policyOfStatements(`{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}`)})
	}
	old := w.create(roleType, "old", properties{"name": "old", "assumeRolePolicy": trustFor("firehose.amazonaws.com")})
	allow("old")
	w.a.IAMDelay = true
	if err := stream("first", old); err != nil {
		t.Fatalf("a role that the account had before: %v", err)
	}

	young := w.create(roleType, "young", properties{"name": "young", "assumeRolePolicy": trustFor("firehose.amazonaws.com")})
	allow("young")
	for n := range unseenAttempts {
		err := stream("second", young)
		if e, ok := err.(*Error); !ok || e.Code != firehoseCode || !strings.Contains(e.Message, "Firehose is unable to assume role") ||
			!strings.Contains(e.Why, "Run the same command again") {
			t.Fatalf("attempt %d: expected that the role is not seen, got %v", n+1, err)
		}
	}
	if err := stream("second", young); err != nil {
		t.Errorf("a later attempt: %v", err)
	}
	if delayed := w.a.Delayed(); len(delayed) != 1 || !strings.Contains(delayed[0], "firehose:CreateDeliveryStream") {
		t.Errorf("delayed: %v", delayed)
	}
}

// A policy that names a role is refused until the role is seen, and a role without its right never becomes one.
func TestPoliciesThatNameANewRoleAreRefusedAtFirst(t *testing.T) {
	w := newWorld(t)
	w.a.IAMDelay = true
	role := w.create(roleType, "reader", properties{"name": "reader", "assumeRolePolicy": trustFor("ec2.amazonaws.com")})
	queue := func() error {
		_, err := w.try(queueType, "queue", properties{"name": "queue",
			"policy": policyOfStatements(`{"Effect": "Allow", "Principal": {"AWS": "` +
				role.Outputs["arn"].(string) + `"}, "Action": "sqs:ReceiveMessage", "Resource": "*"}`)})
		return err
	}
	for range unseenAttempts {
		if err := queue(); err == nil || !strings.Contains(err.Error(), "Invalid value for the parameter Policy") {
			t.Fatalf("expected that the role is not seen, got %v", err)
		}
	}
	if err := queue(); err != nil {
		t.Error(err)
	}
	distrusted := w.create(roleType, "wrong", properties{"name": "wrong", "assumeRolePolicy": trustFor("ec2.amazonaws.com")})
	for range 2 * unseenAttempts {
		_, err := w.try(firehoseType, "stream", properties{"name": "stream", "destination": "extended_s3", "extendedS3Configuration": properties{
			"roleArn": distrusted.Outputs["arn"], "bucketArn": "arn:aws:s3:::logs"}})
		if err == nil || strings.Contains(err.Error(), "Run the same command again") {
			t.Fatalf("a role that Firehose will never assume: %v", err)
		}
	}
}

// The first cluster of an account creates ECS's service-linked role, and tries it at once.
func TestTheFirstClusterTriesItsServiceLinkedRole(t *testing.T) {
	w := newWorld(t)
	w.a.IAMDelay = true
	cluster := func() error {
		_, err := w.try(clusterType, "site", properties{"name": "site"})
		return err
	}
	for range unseenAttempts {
		if err := cluster(); err == nil || !strings.Contains(err.Error(), "Unable to assume the service linked role") {
			t.Fatalf("expected that the role is not seen, got %v", err)
		}
	}
	if err := cluster(); err != nil {
		t.Error(err)
	}
}
