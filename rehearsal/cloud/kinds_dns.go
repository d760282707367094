package cloud

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Route 53 zones and records, and ACM certificates, which are validated by records.

var hostForm = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.)+[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]$`)

const pendingValidation, issuedCertificate = "PENDING_VALIDATION", "ISSUED"

// dnsKinds are the resource types of Route 53 and ACM.
func dnsKinds() []Kind {
	return []Kind{
		zoneKind(), recordKind(), healthCheckKind(), certificateKind(), certificateValidationKind(),
	}
}

func zoneKind() Kind {
	return Kind{
		Type: zoneType, CreateAction: "route53:CreateHostedZone", UpdateAction: "route53:UpdateHostedZoneComment",
		DeleteAction: "route53:DeleteHostedZone",
		Name:         Name{Input: "name", Manual: true, Max: 255},
		NotFound:     "NoSuchHostedZone", InUse: "HostedZoneNotEmpty",
		Refs:     []Ref{soft("vpcs[].vpcId", "id", vpcType)},
		Defaults: map[string]any{"comment": "Managed by Pulumi", "forceDestroy": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := tagProblems(in)
			if name := strings.TrimSuffix(in.String("name"), "."); in.Has("name") && (!hostForm.MatchString(name) || strings.HasPrefix(name, "*")) {
				p = append(p, awsProblem("name", "InvalidDomainName", "expected a domain such as example.com, got %q", name))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = "Z" + drawLetters(20, fresh(a, o)...)
			}
			o.Outputs["zoneId"] = o.ID
			o.Outputs["arn"] = "arn:" + a.Partition + ":route53:::hostedzone/" + o.ID
			var servers []any
			for i, tld := range words("com net org co.uk") {
				servers = append(servers, fmt.Sprintf("ns-%d.awsdns-%02d.%s", int(crc(o.ID+tld))%512+512*i, int(crc(tld+o.ID))%64, tld))
			}
			o.Outputs["nameServers"] = servers
			o.Outputs["primaryNameServer"] = servers[0]
			return nil
		},
	}
}

func recordKind() Kind {
	return Kind{
		Type: recordType, CreateAction: "route53:ChangeResourceRecordSets", UpdateAction: "route53:ChangeResourceRecordSets",
		DeleteAction: "route53:ChangeResourceRecordSets",
		NotFound:     "InvalidChangeBatch",
		Refs:         []Ref{held("zoneId", "id", zoneType), held("healthCheckId", "id", healthCheckType)},
		Defaults:     map[string]any{"allowOverwrite": false},
		Check:        checkRecord,
		CheckState:   checkRecordState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.Outputs["fqdn"] = recordName(a, o)
			if o.ID == "" {
				o.ID = in.String("zoneId") + "_" + strings.ToLower(in.String("name")) + "_" + in.String("type")
				if s := in.String("setIdentifier"); s != "" {
					o.ID += "_" + s
				}
			}
			o.Outputs["name"] = strings.TrimSuffix(in.String("name"), ".") // the provider's form; the id keeps the dot
			return nil
		},
	}
}

func healthCheckKind() Kind {
	return Kind{
		Type: healthCheckType, CreateAction: "route53:CreateHealthCheck", UpdateAction: "route53:UpdateHealthCheck",
		DeleteAction: "route53:DeleteHealthCheck",
		NotFound:     "NoSuchHealthCheck", InUse: "HealthCheckInUse",
		Refs:     []Ref{soft("cloudwatchAlarmName", "id", alarmType), held("childHealthchecks[]", "id", healthCheckType)},
		Defaults: map[string]any{"disabled": false, "invertHealthcheck": false, "measureLatency": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "type", words("HTTP HTTPS HTTP_STR_MATCH HTTPS_STR_MATCH TCP CALCULATED CLOUDWATCH_METRIC RECOVERY_CONTROL")...),
				oneOf(in, "requestInterval", "10", "30"),
				between(in, "failureThreshold", 1, 10), between(in, "port", 1, 65535), longest(in, "resourcePath", 255), tagProblems(in))
			if strings.HasPrefix(in.String("type"), "HTTP") && given(in, unknown, "fqdn", "ipAddress") == 0 {
				p = append(p, awsProblem("fqdn", "InvalidInput", "one of fqdn and ipAddress must be given"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
			}
			o.Outputs["arn"] = "arn:" + a.Partition + ":route53:::healthcheck/" + o.ID
			fill(o, "failureThreshold", 3)
			fill(o, "enableSni", Inputs(o.Outputs).String("type") == "HTTPS")
			return nil
		},
	}
}

func certificateKind() Kind {
	return Kind{
		Type: certificateType, CreateAction: "acm:RequestCertificate", UpdateAction: "acm:UpdateCertificateOptions",
		DeleteAction: "acm:DeleteCertificate",
		NotFound:     "ResourceNotFoundException", InUse: "ResourceInUseException",
		Check: checkCertificate,
		CheckState: func(a *Account, o *Object) error {
			return limit{most: 2500, code: "LimitExceededException", message: "Error: you have reached your limit of certificates."}.check(a, o)
		},
		Compute: computeCertificate,
	}
}

func certificateValidationKind() Kind {
	return Kind{
		Type: validationType, CreateAction: "acm:DescribeCertificate",
		UpdateAction: "acm:DescribeCertificate", DeleteAction: "acm:DescribeCertificate",
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("certificateArn", "arn", certificateType)},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			c := find(a, "arn", in.String("certificateArn"), certificateType)
			if c == nil {
				return nil
			}
			if names := in.Strings("validationRecordFqdns"); len(names) > 0 {
				for _, option := range Inputs(c.Outputs).Maps("domainValidationOptions") {
					want := strings.TrimSuffix(option.String("resourceRecordName"), ".")
					if !slices.ContainsFunc(names, func(n string) bool { return strings.TrimSuffix(n, ".") == want }) {
						return refuse("MissingValidationRecord", "", "missing %s DNS validation record: %s", option.String("domainName"), want)
					}
				}
			}
			if !validated(a, c) {
				return refuse(pendingValidation, missingRecord(a, c),
					"waiting for ACM Certificate (%s) to be issued: timeout while waiting for state to become 'ISSUED' (last state: "+
						"'PENDING_VALIDATION', timeout: 1h15m0s)", c.ID)
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			// The provider's ID is when the certificate was issued.
			for at := a.now().UTC().Truncate(time.Second); o.ID == ""; at = at.Add(-time.Second) {
				if id := at.String(); a.get(o.Type, id) == nil {
					o.ID = id
				}
			}
			return nil
		},
	}
}

// recordName is the full name of a record: the provider appends the zone's name if it is missing.
func recordName(a *Account, o *Object) string {
	in := Inputs(o.Inputs)
	name := strings.ToLower(strings.TrimSuffix(in.String("name"), "."))
	zone := find(a, "id", in.String("zoneId"), zoneType)
	if zone == nil {
		return name
	}
	parent := strings.TrimSuffix(Inputs(zone.Outputs).String("name"), ".")
	switch {
	case name == "":
		return parent
	case name == parent || strings.HasSuffix(name, "."+parent):
		return name
	}
	return name + "." + parent
}

var recordTypes = words("A AAAA CAA CNAME DS HTTPS MX NAPTR NS PTR SOA SPF SRV SSHFP SVCB TLSA TXT")

func checkRecord(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidChangeBatch"
	p := allOf(oneOf(in, "type", recordTypes...), between(in, "ttl", 0, 2147483647))
	if in.Has("zoneId") && in.String("zoneId") == "" {
		p = append(p, problem("zoneId", "a record needs its hosted zone"))
	}
	kind := in.String("type")
	if n := given(in, unknown, "records", "aliases"); n != 1 && !unknown.Within("records") && !unknown.Within("aliases") {
		p = append(p, problem("records", "exactly one of records and aliases must be given, got %d", n))
	}
	if in.Has("records") && !in.Has("aliases") && given(in, unknown, "ttl") == 0 {
		p = append(p, awsProblem("ttl", "InvalidInput", "records need a ttl in seconds"))
	}
	if in.Has("aliases") && in.Has("ttl") {
		p = append(p, problem("ttl", "an alias has the ttl of what it names"))
	}
	in.Each("records[]", func(path string, v any) {
		text, _ := v.(string)
		switch ip, err := netip.ParseAddr(text); {
		case kind == "A" && (err != nil || !ip.Is4()):
			p = append(p, awsProblem(path, code, "ARRDATAIllegalIPv4Address: value is not a valid IPv4 address: %q", text))
		case kind == "AAAA" && (err != nil || !ip.Is6()):
			p = append(p, awsProblem(path, code, "AAAARRDATAIllegalIPv6Address: value is not a valid IPv6 address: %q", text))
		}
	})
	if n := len(in.List("records")); kind == "CNAME" && n > 1 {
		p = append(p, awsProblem("records", code, "InvalidRData: a CNAME has one value, got %d", n))
	}
	if name := strings.TrimSuffix(in.String("name"), "."); strings.ContainsAny(name, " /:") || strings.Contains(name, "..") {
		p = append(p, awsProblem("name", code, "FATAL problem: DomainLabelEmpty or illegal characters in %q", name))
	}
	if policies := given(in, unknown, words("weightedRoutingPolicies failoverRoutingPolicies latencyRoutingPolicies "+
		"geolocationRoutingPolicies geoproximityRoutingPolicy cidrRoutingPolicy")...); policies > 0 && given(in, unknown, "setIdentifier") == 0 {
		p = append(p, problem("setIdentifier", "required with a routing policy"))
	}
	return p
}

func checkRecordState(a *Account, o *Object) error {
	const code = "InvalidChangeBatch"
	in := Inputs(o.Inputs)
	zone := find(a, "id", in.String("zoneId"), zoneType)
	if zone == nil {
		return nil
	}
	name, kind := recordName(a, o), in.String("type")
	if kind == "CNAME" && name == strings.TrimSuffix(Inputs(zone.Outputs).String("name"), ".") {
		return refuse(code, "use an alias", "[RRSet of type CNAME with DNS name %s. is not permitted at apex in zone %s.]", name, name)
	}
	for _, other := range others(a, o, recordType) {
		if other.Inputs["zoneId"] != zone.ID || Inputs(other.Outputs).String("fqdn") != name {
			continue
		}
		oi := Inputs(other.Inputs)
		if oi.String("type") == kind && oi.String("setIdentifier") == in.String("setIdentifier") && !in.Bool("allowOverwrite") {
			return refuse(code, "created by "+other.URN, "[Tried to create resource record set [name='%s.', type='%s'] but it already exists]",
				name, kind)
		}
		if (kind == "CNAME") != (oi.String("type") == "CNAME") {
			return refuse(code, "", "[RRSet of type %s with DNS name %s. is not permitted as it conflicts with other records with the same DNS "+
				"name in zone %s.]", kind, name, Inputs(zone.Outputs).String("name"))
		}
	}
	for _, alias := range in.Maps("aliases") {
		target, at := strings.TrimSuffix(strings.TrimPrefix(alias.String("name"), "dualstack."), "."), alias.String("zoneId")
		if !strings.HasSuffix(target, ".elb.amazonaws.com") {
			continue
		}
		if kind != "A" && kind != "AAAA" { // Route 53 guide, "Values specific for simple alias records", record type
			return refuse(code, "an alias of a load balancer has type A or AAAA", "[Tried to create an alias that targets %s., type %s in zone %s, "+
				"but that target was not found]", target, kind, at)
		}
		b := find(a, "dnsName", target, balancerType)
		if b == nil || b.Outputs["zoneId"] != at {
			return refuse(code, "", "[Tried to create an alias that targets %s., type %s in zone %s, but the alias target name does not lie "+
				"within the target zone]", target, kind, at)
		}
	}
	return nil
}

func checkCertificate(in Inputs, unknown Unknowns) []Problem {
	const code = "ValidationException"
	p := allOf(oneOf(in, "validationMethod", "DNS", "EMAIL"),
		oneOf(in, "keyAlgorithm", words("RSA_1024 RSA_2048 RSA_3072 RSA_4096 EC_prime256v1 EC_secp384r1 EC_secp521r1")...),
		oneOf(in, "options.certificateTransparencyLoggingPreference", "ENABLED", "DISABLED"), tagProblems(in))
	imported := given(in, unknown, "certificateBody", "privateKey") > 0
	if !imported && given(in, unknown, "domainName") == 0 {
		p = append(p, problem("domainName", "one of domainName and certificateBody must be given"))
	}
	if !imported && given(in, unknown, "validationMethod", "certificateAuthorityArn") == 0 {
		p = append(p, problem("validationMethod", "expected DNS or EMAIL"))
	}
	if k := in.String("keyAlgorithm"); !imported && slices.Contains(words("RSA_1024 RSA_3072 RSA_4096 EC_secp521r1"), k) {
		// ACM API Reference, RequestCertificate, KeyAlgorithm: the others are for imported certificates.
		p = append(p, awsProblem("keyAlgorithm", code, "ACM issues certificates with RSA_2048, EC_prime256v1 or EC_secp384r1, got %s", k))
	}
	judge := func(path, name string) {
		switch {
		case strings.HasSuffix(name, "."):
			p = append(p, problem(path, "a domain name has no dot at its end, got %q", name))
		case !hostForm.MatchString(name):
			p = append(p, awsProblem(path, code, "expected a domain such as www.example.com or *.example.com, got %q", name))
		case len(name) > 64 && path == "domainName":
			p = append(p, awsProblem(path, code, "a certificate's first name has at most 64 characters, got %d", len(name)))
		}
	}
	if in.Has("domainName") {
		judge("domainName", in.String("domainName"))
	}
	in.Each("subjectAlternativeNames[]", func(path string, v any) { s, _ := v.(string); judge(path, s) })
	if n := len(in.List("subjectAlternativeNames")); n > 10 {
		p = append(p, awsProblem("subjectAlternativeNames", "LimitExceededException", "a certificate has at most 10 names, got %d", n))
	}
	return p
}

func computeCertificate(a *Account, o *Object) error {
	in := Inputs(o.Outputs)
	if o.ID == "" {
		o.ID = a.arn("acm", "certificate/"+drawUUID(fresh(a, o)...))
	}
	o.Outputs["arn"] = o.ID
	imported := in.Has("certificateBody")
	names := in.Strings("subjectAlternativeNames")
	if d := in.String("domainName"); d != "" && !slices.Contains(names, d) {
		names = append([]string{d}, names...)
	}
	fill(o, "subjectAlternativeNames", names)
	var options []any
	proofs := map[string]bool{}
	for _, name := range names {
		// A wildcard is validated by the same record as the name without it.
		proof := strings.TrimPrefix(name, "*.")
		if in.String("validationMethod") != "DNS" || imported {
			break
		}
		proofs[proof] = true
		options = append(options, map[string]any{"domainName": name, "resourceRecordType": "CNAME",
			"resourceRecordName":  "_" + draw(32, a.AccountID, proof) + "." + proof + ".",
			"resourceRecordValue": "_" + draw(32, o.ID, proof) + "." + draw(10, proof) + ".acm-validations.aws."})
	}
	o.Outputs["domainValidationOptions"] = options
	status, kind := pendingValidation, "AMAZON_ISSUED"
	if imported {
		status, kind = issuedCertificate, "IMPORTED"
	}
	o.Outputs["status"] = kept(a, o, "status", func() any { return status })
	o.Outputs["type"] = kind
	for name, v := range map[string]any{"notAfter": "", "notBefore": "", "pendingRenewal": false, "renewalEligibility": "INELIGIBLE",
		"renewalSummaries": []any{}, "validationEmails": []any{}} {
		o.Outputs[name] = v
	}
	fill(o, "keyAlgorithm", "RSA_2048")
	fill(o, "options", map[string]any{"certificateTransparencyLoggingPreference": "ENABLED"})
	fill(o, "validationMethod", "NONE")
	return nil
}

// validated reports whether a certificate is issued: it was imported, or each name has its validation record in a zone of the account.
func validated(a *Account, c *Object) bool { return missingRecord(a, c) == "" }

// Issued reports whether a certificate is issued. The provider reads the status only when it creates or refreshes one.
func (a *Account) Issued(certificate *Object) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return validated(a, certificate)
}

// missingRecord names the first DNS validation record that is missing.
func missingRecord(a *Account, c *Object) string {
	out := Inputs(c.Outputs)
	if out.String("status") == issuedCertificate {
		return ""
	}
	for _, name := range out.Strings("subjectAlternativeNames") {
		if r := forbids(a, name); r != nil && out.String("type") != "IMPORTED" {
			return fmt.Sprintf("CAA_ERROR: record %s CAA names no authority of Amazon", Inputs(r.Outputs).String("fqdn"))
		}
	}
	options := out.Maps("domainValidationOptions")
	if len(options) == 0 {
		return "the validation e-mail must be answered"
	}
	for _, option := range options {
		name, value := strings.TrimSuffix(option.String("resourceRecordName"), "."), strings.TrimSuffix(option.String("resourceRecordValue"), ".")
		proved := slices.ContainsFunc(a.list(recordType), func(r *Object) bool {
			ri := Inputs(r.Inputs)
			zone := find(a, "id", ri.String("zoneId"), zoneType)
			return Inputs(r.Outputs).String("fqdn") == name && ri.String("type") == "CNAME" && zone != nil &&
				len(Inputs(zone.Inputs).List("vpcs")) == 0 &&
				slices.ContainsFunc(ri.Strings("records"), func(v string) bool { return strings.TrimSuffix(v, ".") == value })
		})
		if !proved {
			return "no record " + name + " CNAME " + value
		}
	}
	return ""
}

// amazonAuthorities are the names of Amazon's certificate authorities in CAA records. Source: ACM User Guide, "(Optional) Configure a CAA
// record".
var amazonAuthorities = words("amazon.com amazontrust.com awstrust.com amazonaws.com")

// forbids is the CAA record that forbids Amazon to issue a certificate for a name: the first on the way to the root decides (RFC 8659).
func forbids(a *Account, name string) *Object {
	wild := strings.HasPrefix(name, "*.")
	for at := strings.TrimPrefix(name, "*."); strings.Contains(at, "."); _, at, _ = strings.Cut(at, ".") {
		for _, r := range a.list(recordType) {
			out := Inputs(r.Outputs)
			if out.String("type") != "CAA" || out.String("fqdn") != at || !a.public(r) {
				continue
			}
			if issuers, limited := authorities(out.Strings("records"), wild); limited && !slices.ContainsFunc(issuers, func(issuer string) bool {
				return slices.Contains(amazonAuthorities, issuer)
			}) {
				return r
			}
			return nil
		}
	}
	return nil
}

// authorities are those that CAA records admit, and whether they limit them at all.
func authorities(records []string, wild bool) (issuers []string, limited bool) {
	byTag := map[string][]string{}
	for _, record := range records {
		if fields := strings.Fields(record); len(fields) >= 3 {
			issuer, _, _ := strings.Cut(strings.Trim(strings.Join(fields[2:], " "), `"`), ";")
			byTag[fields[1]] = append(byTag[fields[1]], strings.TrimSpace(issuer))
		}
	}
	if wild && len(byTag["issuewild"]) > 0 {
		return byTag["issuewild"], true
	}
	return byTag["issue"], len(byTag["issue"]) > 0
}

// public reports whether a record is in a zone that the internet resolves.
func (a *Account) public(record *Object) bool {
	zone := find(a, "id", Inputs(record.Outputs).String("zoneId"), zoneType)
	return zone != nil && len(Inputs(zone.Inputs).List("vpcs")) == 0
}

func bareHost(name string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(name, ".")), "dualstack.")
}
