package network

import "fmt"

// A Group is one end of a Rule: a security group of the site, or an address range outside the VPC.
type Group string

// The security groups.
const (
	Edge      Group = "edge"      // the balancer
	Web       Group = "web"       // web tasks
	Work      Group = "work"      // workers, jobs and migrations
	Data      Group = "data"      // the database
	Cache     Group = "cache"     // the cache
	Bastion   Group = "bastion"   // the bastion
	Endpoints Group = "endpoints" // interface endpoints of AWS services
)

// The ranges outside the VPC: they have addresses, not a security group.
const (
	World Group = "world" // any address, 0.0.0.0/0
	S3    Group = "s3"    // the addresses of S3 in the region, a managed prefix list
)

// outside reports whether g is outside the VPC.
func (g Group) outside() bool { return g == World || g == S3 }

// Ports are the ones that the groups listen on. The components that run there own them. Cache is 0 without a cache.
type Ports struct{ Web, Data, Cache int }

// A Rule lets From open TCP connections to Port of To. Without a rule a connection is denied. Replies need no rule,
// because security groups are stateful. Security groups do not filter traffic to the VPC's own DNS and time servers.
type Rule struct {
	From, To Group
	Port     int
	Why      string
}

// Rules is the whole firewall: the table from which the security groups are made, and from which one can work out who
// reaches what.
//
// Without NAT the tasks reach AWS through endpoints and nothing else. Without a bastion there are no rules for it. Port 443 is
// closed to visitors unless the balancer listens on it (https).
func Rules(nat NAT, bastion, https bool, ports Ports) []Rule {
	rules := []Rule{{World, Edge, 80, "visitors, who are redirected to HTTPS where the site has a domain"}}
	if https {
		rules = append(rules, Rule{World, Edge, 443, "visitors"})
	}
	rules = append(rules, Rule{Edge, Web, ports.Web, "the balancer passes requests and health checks to nginx"})
	inside := []Group{Web, Work}
	if bastion {
		inside = append(inside, Bastion)
	}
	for _, g := range inside {
		rules = append(rules, Rule{g, Data, ports.Data, "Postgres"})
		if ports.Cache != 0 {
			rules = append(rules, Rule{g, Cache, ports.Cache, "Valkey"})
		}
		if nat == None {
			rules = append(rules,
				Rule{g, Endpoints, 443, "AWS services, through endpoints in the VPC"},
				Rule{g, S3, 443, "image layers, media, session logs, through the gateway endpoint"})
		} else {
			rules = append(rules, Rule{g, World, 443, "AWS services and the APIs that the site calls, through NAT"})
		}
	}
	return rules
}

// Groups lists the security groups that rules mention, in the order in which they appear.
func Groups(rules []Rule) []Group {
	var groups []Group
	seen := map[Group]bool{}
	for _, r := range rules {
		for _, g := range []Group{r.From, r.To} {
			if !g.outside() && !seen[g] {
				seen[g] = true
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// name is the part of the rule's logical name that no other rule shares.
func (r Rule) name() string { return fmt.Sprintf("%s-to-%s-%d", r.From, r.To, r.Port) }

// describe is the rule's description in AWS.
func (r Rule) describe() string { return fmt.Sprintf("%s to %s: %s", r.From, r.To, r.Why) }
