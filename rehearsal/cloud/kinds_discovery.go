package cloud

import "strings"

// Cloud Map.

// discoveryKinds are the resource types of Cloud Map.
func discoveryKinds() []Kind {
	return []Kind{
		privateDnsNamespaceKind(), discoveryServiceKind(),
	}
}

func privateDnsNamespaceKind() Kind {
	return Kind{
		Type: namespaceType, CreateAction: "servicediscovery:CreatePrivateDnsNamespace",
		UpdateAction: "servicediscovery:UpdatePrivateDnsNamespace", DeleteAction: "servicediscovery:DeleteNamespace",
		Name:     Name{Input: "name", Manual: true, Max: 253, Form: `[!-~]+`, Taken: "NamespaceAlreadyExists"},
		NotFound: "NamespaceNotFound", InUse: "ResourceInUse",
		Refs:  []Ref{held("vpc", "id", vpcType)},
		Check: func(in Inputs, unknown Unknowns) []Problem { return tagProblems(in) },
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = "ns-" + strings.ToLower(drawLetters(16, fresh(a, o)...))
			}
			o.Outputs["arn"] = a.arn("servicediscovery", "namespace/"+o.ID)
			o.Outputs["hostedZone"] = "Z" + drawLetters(20, o.ID)
			return nil
		},
	}
}

func discoveryServiceKind() Kind {
	return Kind{
		Type: discoveryType, CreateAction: "servicediscovery:CreateService", UpdateAction: "servicediscovery:UpdateService",
		DeleteAction: "servicediscovery:DeleteService",
		Name: Name{Input: "name", Max: 127, Form: `[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?`, Scope: "namespaceId",
			Taken: "ServiceAlreadyExists"},
		NotFound: "ServiceNotFound", InUse: "ResourceInUse",
		Refs:     []Ref{held("namespaceId", "id", namespaceType), held("dnsConfig.namespaceId", "id", namespaceType)},
		Defaults: map[string]any{"forceDestroy": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "dnsConfig.routingPolicy", "MULTIVALUE", "WEIGHTED"), tagProblems(in))
			for i, r := range in.Maps("dnsConfig.dnsRecords") {
				for _, x := range oneOf(r, "type", "A", "AAAA", "SRV", "CNAME") {
					x.Path = at("dnsConfig.dnsRecords", i) + "." + x.Path
					p = append(p, x)
				}
			}
			if in.Has("healthCheckConfig") && in.Has("healthCheckCustomConfig") {
				p = append(p, awsProblem("healthCheckConfig", "InvalidInput", "a service has one kind of health check"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = "srv-" + strings.ToLower(drawLetters(16, fresh(a, o)...))
			}
			o.Outputs["arn"] = a.arn("servicediscovery", "service/"+o.ID)
			in := Inputs(o.Outputs)
			fill(o, "namespaceId", in.String("dnsConfig.namespaceId"))
			fill(o, "type", "DNS_HTTP")
			return nil
		},
	}
}
