package cloud

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What visitors need besides a network path: a name that resolves to public addresses, a certificate for it, and listeners that send them
// where something answers.

// A front is a load balancer with what leads to it and what it serves.
type front struct {
	a         *Account
	balancer  *Object
	listeners []*Object
	records   []*Object // in public zones
}

func (s settings) front(balancer *Object) front {
	f := front{a: s.a, balancer: balancer}
	for _, l := range s.a.list(listenerType) {
		if Inputs(l.Outputs).String("loadBalancerArn") == balancer.ID {
			f.listeners = append(f.listeners, l)
		}
	}
	host := strings.ToLower(Inputs(balancer.Outputs).String("dnsName"))
	for _, r := range s.a.list(recordType) {
		if s.a.public(r) && slices.Contains(targetsOf(r), host) {
			f.records = append(f.records, r)
		}
	}
	return f
}

// targetsOf are the host names that a record leads to.
func targetsOf(record *Object) []string {
	var all []string
	in := Inputs(record.Outputs)
	for _, alias := range in.Maps("aliases") {
		all = append(all, bareHost(alias.String("name")))
	}
	if in.String("type") == "CNAME" {
		for _, v := range in.Strings("records") {
			all = append(all, bareHost(v))
		}
	}
	return all
}

// internal: the nodes of an internal load balancer have private addresses only, so no visitor reaches them.
func (f front) internal() []Finding {
	if !Inputs(f.balancer.Outputs).Bool("internal") {
		return nil
	}
	why := ""
	for _, r := range f.records {
		why = fmt.Sprintf("record %s in a public zone leads to it", Inputs(r.Outputs).String("fqdn"))
	}
	for _, id := range Inputs(f.balancer.Outputs).Strings("securityGroups") {
		if port := f.a.openedToAll(id); why == "" && port > 0 {
			why = fmt.Sprintf("its security group admits everyone on port %d", port)
		}
	}
	if why == "" {
		return nil
	}
	return []Finding{judged(f.balancer).finding("Timeout", "visitors cannot connect: the load balancer is internal", "set internal to false",
		"Application Load Balancers guide, \"Application Load Balancers\", load balancer scheme",
		"the name of an internal load balancer resolves to private addresses only", why)}
}

// openedToAll is a port that a security group opens to 0.0.0.0/0; 0 if there is none.
func (a *Account) openedToAll(group string) int {
	for _, rule := range a.list(ingressType) {
		if in := Inputs(rule.Outputs); in.String("securityGroupId") == group && in.String("cidrIpv4") == "0.0.0.0/0" {
			return in.Int("fromPort")
		}
	}
	return 0
}

// certified: each name that leads to an HTTPS listener is in one of its certificates.
func (f front) certified() []Finding {
	var found []Finding
	for _, l := range f.listeners {
		if Inputs(l.Outputs).String("protocol") != "HTTPS" {
			continue
		}
		names, known := f.a.certifiedNames(l)
		for _, r := range f.records {
			name := Inputs(r.Outputs).String("fqdn")
			if !known || slices.ContainsFunc(names, func(n string) bool { return covers(n, name) }) {
				continue
			}
			found = append(found, judged(r).finding("CertificateNameMismatch", "https://"+name+": the certificate is not valid for this name",
				"request a certificate for "+name,
				"Application Load Balancers guide, \"SSL certificates for your Application Load Balancer\"",
				fmt.Sprintf("record %s leads to load balancer %s", name, f.balancer.logical()),
				fmt.Sprintf("listener %s presents a certificate for %s", l.logical(), strings.Join(names, ", "))))
		}
	}
	return found
}

// certifiedNames are the names in the certificates of a listener. They are not known if a certificate is not the account's.
func (a *Account) certifiedNames(listener *Object) (names []string, known bool) {
	arns := []string{Inputs(listener.Outputs).String("certificateArn")}
	for _, o := range a.list("aws:lb/listenerCertificate:ListenerCertificate") {
		if in := Inputs(o.Outputs); in.String("listenerArn") == listener.ID {
			arns = append(arns, in.String("certificateArn"))
		}
	}
	for _, arn := range arns {
		c := find(a, "arn", arn, certificateType)
		if c == nil {
			return nil, false
		}
		out := Inputs(c.Outputs)
		names = append(names, out.Strings("subjectAlternativeNames")...)
		if d := out.String("domainName"); d != "" && !slices.Contains(names, d) {
			names = append(names, d)
		}
	}
	return names, true
}

// covers reports whether a name in a certificate is valid for a host. A wildcard stands for one label.
func covers(name, host string) bool {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		_, parent, _ := strings.Cut(host, ".")
		return strings.EqualFold(rest, parent)
	}
	return strings.EqualFold(name, host)
}

// addressed: a load balancer without IPv6 has no AAAA records, so an alias of that type alone resolves to nothing.
func (f front) addressed() []Finding {
	if strings.HasPrefix(Inputs(f.balancer.Outputs).String("ipAddressType"), "dualstack") {
		return nil
	}
	var found []Finding
	for _, r := range f.records {
		out := Inputs(r.Outputs)
		if out.String("type") != "AAAA" || slices.ContainsFunc(f.records, func(o *Object) bool {
			return o != r && Inputs(o.Outputs).String("fqdn") == out.String("fqdn") && Inputs(o.Outputs).String("type") != "AAAA"
		}) {
			continue
		}
		found = append(found, judged(r).finding("NODATA", out.String("fqdn")+" has no address", "make the type of the alias A",
			"Route 53 guide, \"Values specific for simple alias records\", record type",
			fmt.Sprintf("it is an alias of type AAAA, and load balancer %s has the address type ipv4", f.balancer.logical())))
	}
	return found
}

// redirected: a redirect to the load balancer's own name must lead to a listener that speaks the protocol.
func (f front) redirected() []Finding {
	var found []Finding
	for _, l := range f.listeners {
		out := Inputs(l.Outputs)
		for _, action := range out.Maps("defaultActions") {
			to := action.Map("redirect")
			if action.String("type") != "redirect" || to.Has("host") && to.String("host") != "#{host}" {
				continue
			}
			protocol := strings.ReplaceAll(orElse(to.String("protocol"), "#{protocol}"), "#{protocol}", out.String("protocol"))
			port := strings.ReplaceAll(orElse(to.String("port"), "#{port}"), "#{port}", strconv.Itoa(out.Int("port")))
			if fault := f.landing(l, to, protocol, port); fault != "" {
				found = append(found, judged(l).finding("RedirectFails", fmt.Sprintf("%s://...:%s is redirected to %s://...:%s, which does not work",
					strings.ToLower(out.String("protocol")), strconv.Itoa(out.Int("port")), strings.ToLower(protocol), port),
					"redirect to the protocol and port of a listener", "ELB API Reference, RedirectActionConfig", fault))
			}
		}
	}
	return found
}

// landing is why a redirect does not work; "" if it does.
func (f front) landing(from *Object, redirect Inputs, protocol, port string) string {
	for _, l := range f.listeners {
		out := Inputs(l.Outputs)
		switch {
		case strconv.Itoa(out.Int("port")) != port:
		case out.String("protocol") != protocol:
			return fmt.Sprintf("listener %s on port %s speaks %s", l.logical(), port, out.String("protocol"))
		case l == from && orElse(redirect.String("path"), "/#{path}") == "/#{path}":
			return "it leads to the same listener and path: browsers stop with ERR_TOO_MANY_REDIRECTS"
		default:
			return ""
		}
	}
	return "the load balancer has no listener on port " + port
}

// blocked: a web ACL that blocks by default admits no request unless a rule allows it.
func (f front) blocked() []Finding {
	for _, guard := range f.a.list(webACLGuardType) {
		in := Inputs(guard.Inputs)
		acl := find(f.a, "arn", in.String("webAclArn"), webACLType)
		if in.String("resourceArn") != f.balancer.ID || acl == nil || !Inputs(acl.Outputs).Has("defaultAction.block") ||
			slices.ContainsFunc(Inputs(acl.Outputs).Maps("rules"), func(r Inputs) bool { return r.Has("action.allow") }) {
			continue
		}
		return []Finding{judged(acl).finding("403", "Request blocked by the default action",
			"set defaultAction to allow, or add a rule that allows",
			"AWS WAF Developer Guide, \"Setting the protection pack (web ACL) default action in AWS WAF\"",
			"its default action is block, and none of its rules allows a request")}
	}
	return nil
}

// unresolved: a name that an HTTPS listener has a certificate for, in a zone of the account, must exist.
func (s settings) unresolved() []Finding {
	var found []Finding
	asked := map[string]bool{}
	for _, l := range s.a.list(listenerType) {
		names, known := s.a.certifiedNames(l)
		for _, name := range names {
			zone := s.a.zoneOf(name)
			if !known || zone == nil || strings.HasPrefix(name, "*.") || asked[name] || s.a.resolves(zone, name) {
				continue
			}
			asked[name] = true
			found = append(found, judged(l).finding("NXDOMAIN", name+" does not resolve", "add an alias record for "+name,
				"Route 53 guide, \"Routing traffic to an ELB load balancer\"",
				fmt.Sprintf("listener %s has a certificate for %s, and zone %s has no such record", l.logical(), name,
					Inputs(zone.Outputs).String("name"))))
		}
	}
	return found
}

// zoneOf is the account's public zone that answers for a name: the one with the longest name.
func (a *Account) zoneOf(name string) *Object {
	var best *Object
	length := 0
	for _, zone := range a.list(zoneType) {
		parent := bareHost(Inputs(zone.Outputs).String("name"))
		if len(Inputs(zone.Inputs).List("vpcs")) == 0 && (name == parent || strings.HasSuffix(name, "."+parent)) && len(parent) > length {
			best, length = zone, len(parent)
		}
	}
	return best
}

// resolves reports whether a zone has an address, an alias or a wildcard for a name, or gives it to other name servers.
func (a *Account) resolves(zone *Object, name string) bool {
	return slices.ContainsFunc(a.list(recordType), func(r *Object) bool {
		out := Inputs(r.Outputs)
		fqdn := out.String("fqdn")
		switch out.String("type") {
		case "A", "AAAA", "CNAME":
			return out.String("zoneId") == zone.ID && covers(fqdn, name)
		case "NS":
			return out.String("zoneId") == zone.ID && (fqdn == name || strings.HasSuffix(name, "."+fqdn))
		}
		return false
	})
}
