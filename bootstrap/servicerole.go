package bootstrap

import "errors"

// ServiceRoles are the services whose service-linked roles every stack needs, in the order in which bootstrap looks for them.
//
// AWS makes each of these roles itself when the first resource that needs it is created, if the caller may. It does so
// asynchronously, so the first deployment to a fresh account can fail with "Unable to assume the service linked role":
// the ECS developer guide, "Using service-linked roles"; aws-cloudformation/cloudformation-coverage-roadmap#818 and
// pulumi/pulumi-aws#1041.
var ServiceRoles = []string{
	"ecs.amazonaws.com", "rds.amazonaws.com", "elasticloadbalancing.amazonaws.com", "ecs.application-autoscaling.amazonaws.com",
}

// WAFServiceRole is the service that logs what a web ACL blocks. The WAF developer guide, "Using service-linked roles".
const WAFServiceRole = "wafv2.amazonaws.com"

// CacheServiceRole is the service that attaches the cache's nodes to the network. The ElastiCache guide, "Using service-linked roles".
const CacheServiceRole = "elasticache.amazonaws.com"

// ErrFound means that a resource exists after all: another caller created it a moment before.
var ErrFound = errors.New("it is there already")

// ServiceRole is what an Outcome calls a service-linked role.
const ServiceRole = "the service-linked role"
