package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// Roles, policies and their attachments.

const (
	iamName = `[\w+=,.@-]+`
	iamPath = `/|/[\x21-\x7e]*/`
)

// iamKinds are the resource types of IAM.
func iamKinds() []Kind {
	return []Kind{
		roleKind(), rolePolicyKind(), managedPolicyKind(), rolePolicyAttachmentKind(), rolePolicyAttachmentsExclusiveKind(),
		rolePoliciesExclusiveKind(), instanceProfileKind(), openIdConnectProviderKind(), serviceLinkedRoleKind(), userKind(), iamGroupKind(),
	}
}

func roleKind() Kind {
	return prefixed(Kind{
		Type: roleType, CreateAction: "iam:CreateRole", UpdateAction: "iam:UpdateRole", DeleteAction: "iam:DeleteRole",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 64, Form: iamName, Taken: "EntityAlreadyExists"},
		NotFound: "NoSuchEntity", InUse: "DeleteConflict",
		Refs:     []Ref{maybe("managedPolicyArns[]", "arn", policyType), maybe("permissionsBoundary", "arn", policyType)},
		Defaults: map[string]any{"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": false, "namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(policyProblems(in, "assumeRolePolicy", trustDocument), arns(in, "permissionsBoundary"),
				between(in, "maxSessionDuration", 3600, 43200),
				longest(in, "description", 1000), pathProblems(in), tagProblems(in))
			for i, inline := range in.Maps("inlinePolicies") {
				for _, x := range policyProblems(inline, "policy", inlineDocument) {
					x.Path = at("inlinePolicies", i) + "." + x.Path
					p = append(p, x)
				}
			}
			return append(p, managedProblems(in, "managedPolicyArns[]")...)
		},
		CheckState: func(a *Account, o *Object) error {
			return principalsExist(a, documentOf(documentText(o.Inputs, "assumeRolePolicy")), trustDocument)
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.globalARN("iam", "role"+in.String("path")+o.ID)
			o.Outputs["uniqueId"] = kept(a, o, "uniqueId", func() any { return "AROA" + drawLetters(17, fresh(a, o)...) })
			o.Outputs["createDate"] = kept(a, o, "createDate", func() any { return stamp(a) })
			fill(o, "managedPolicyArns", []any{})
			fill(o, "inlinePolicies", []any{})
			return nil
		},
	})
}

func rolePolicyKind() Kind {
	return prefixed(Kind{
		Type: "aws:iam/rolePolicy:RolePolicy", CreateAction: "iam:PutRolePolicy", UpdateAction: "iam:PutRolePolicy",
		DeleteAction: "iam:DeleteRolePolicy",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 128, Form: iamName, Scope: "role"},
		NotFound:     "NoSuchEntity",
		Refs:         []Ref{held("role", "id", roleType)},
		Defaults:     map[string]any{"namePrefix": ""},
		Check:        func(in Inputs, unknown Unknowns) []Problem { return policyProblems(in, "policy", inlineDocument) },
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			total := printedLength(documentText(in, "policy"))
			for _, other := range others(a, o, o.Type) {
				if other.Inputs["role"] == in.String("role") {
					total += printedLength(documentText(other.Inputs, "policy"))
				}
			}
			if total > 10240 {
				return refuse("LimitExceeded", fmt.Sprintf("they have %d characters", total),
					"Maximum policy size of 10240 bytes exceeded for role %s", in.String("role"))
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("role") + ":" + in.String("name")
			return nil
		},
	})
}

func managedPolicyKind() Kind {
	return prefixed(Kind{
		Type: policyType, CreateAction: "iam:CreatePolicy", UpdateAction: "iam:CreatePolicyVersion", DeleteAction: "iam:DeletePolicy",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 128, Form: iamName, Taken: "EntityAlreadyExists"},
		NotFound: "NoSuchEntity", InUse: "DeleteConflict",
		Defaults: map[string]any{"path": "/", "description": "", "namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(policyProblems(in, "policy", identityDocument), longest(in, "description", 1000), pathProblems(in), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = a.globalARN("iam", "policy"+in.String("path")+in.String("name"))
			o.Outputs["arn"] = o.ID
			o.Outputs["policyId"] = kept(a, o, "policyId", func() any { return "ANPA" + drawLetters(17, fresh(a, o)...) })
			o.Outputs["attachmentCount"] = 0
			return nil
		},
	})
}

func rolePolicyAttachmentKind() Kind {
	return Kind{
		Type: "aws:iam/rolePolicyAttachment:RolePolicyAttachment", CreateAction: "iam:AttachRolePolicy", DeleteAction: "iam:DetachRolePolicy",
		NotFound: "NoSuchEntity",
		Refs:     []Ref{held("role", "id", roleType), {Path: "policyArn", To: []string{policyType}, By: "arn", Any: true}},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return managedProblems(in, "policyArn") },
		CheckState: func(a *Account, o *Object) error {
			n := 1
			for _, other := range others(a, o, o.Type) {
				if other.Inputs["role"] == o.Inputs["role"] {
					n++
				}
			}
			if n > 10 {
				return refuse("LimitExceeded", "", "Cannot exceed quota for PoliciesPerRole: 10")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = in.String("role") + "-" + draw(26, in.String("policyArn"))
			return nil
		},
	}
}

func rolePolicyAttachmentsExclusiveKind() Kind {
	return Kind{
		Type: "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive", CreateAction: "iam:AttachRolePolicy",
		UpdateAction: "iam:AttachRolePolicy", DeleteAction: "iam:ListAttachedRolePolicies",
		NotFound: "NoSuchEntity",
		Refs:     []Ref{soft("roleName", "id", roleType), maybe("policyArns[]", "arn", policyType)},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return managedProblems(in, "policyArns[]") },
		Compute:  func(a *Account, o *Object) error { o.ID = Inputs(o.Inputs).String("roleName"); return nil },
	}
}

func rolePoliciesExclusiveKind() Kind {
	return Kind{
		Type: "aws:iam/rolePoliciesExclusive:RolePoliciesExclusive", CreateAction: "iam:DeleteRolePolicy", UpdateAction: "iam:DeleteRolePolicy",
		DeleteAction: "iam:ListRolePolicies",
		NotFound:     "NoSuchEntity",
		Refs:         []Ref{soft("roleName", "id", roleType)},
		Compute:      func(a *Account, o *Object) error { o.ID = Inputs(o.Inputs).String("roleName"); return nil },
	}
}

func instanceProfileKind() Kind {
	return prefixed(Kind{
		Type: profileType, CreateAction: "iam:CreateInstanceProfile", UpdateAction: "iam:AddRoleToInstanceProfile",
		DeleteAction: "iam:DeleteInstanceProfile",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 128, Form: iamName, Taken: "EntityAlreadyExists"},
		NotFound:     "NoSuchEntity", InUse: "DeleteConflict",
		Refs:     []Ref{held("role", "id", roleType)},
		Defaults: map[string]any{"path": "/", "namePrefix": ""},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return allOf(pathProblems(in), tagProblems(in)) },
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.globalARN("iam", "instance-profile"+in.String("path")+o.ID)
			o.Outputs["uniqueId"] = kept(a, o, "uniqueId", func() any { return "AIPA" + drawLetters(17, fresh(a, o)...) })
			o.Outputs["createDate"] = kept(a, o, "createDate", func() any { return stamp(a) })
			return nil
		},
	})
}

func openIdConnectProviderKind() Kind {
	return Kind{
		Type: oidcType, CreateAction: "iam:CreateOpenIDConnectProvider", UpdateAction: "iam:AddClientIDToOpenIDConnectProvider",
		DeleteAction: "iam:DeleteOpenIDConnectProvider",
		NotFound:     "NoSuchEntity",
		Check: func(in Inputs, unknown Unknowns) []Problem {
			var p []Problem
			if u := in.String("url"); u != "" && (!strings.HasPrefix(u, "https://") || strings.ContainsAny(u, "?#")) {
				p = append(p, awsProblem("url", "InvalidInput", "expected an address that begins with https:// and has no query, got %q", u))
			}
			in.Each("thumbprintLists[]", func(path string, v any) {
				if s, _ := v.(string); len(s) != 40 || strings.Trim(strings.ToLower(s), "0123456789abcdef") != "" {
					p = append(p, awsProblem(path, "InvalidInput", "a thumbprint has 40 hexadecimal digits, got %q", s))
				}
			})
			if n := len(in.List("clientIdLists")); n == 0 && !unknown.Within("clientIdLists") || n > 100 {
				p = append(p, awsProblem("clientIdLists", "InvalidInput", "expected 1 to 100 client ids, got %d", n))
			}
			return append(p, tagProblems(in)...)
		},
		Compute: func(a *Account, o *Object) error {
			host := strings.TrimPrefix(Inputs(o.Inputs).String("url"), "https://")
			o.ID = a.globalARN("iam", "oidc-provider/"+host)
			o.Outputs["arn"] = o.ID
			o.Outputs["url"] = host
			fill(o, "thumbprintLists", []any{draw(40, host)})
			return nil
		},
		Name: Name{Taken: "EntityAlreadyExists"},
	}
}

func serviceLinkedRoleKind() Kind {
	return Kind{
		Type: "aws:iam/serviceLinkedRole:ServiceLinkedRole", CreateAction: "iam:CreateServiceLinkedRole",
		UpdateAction: "iam:UpdateRoleDescription", DeleteAction: "iam:DeleteServiceLinkedRole",
		Name:     Name{Taken: "InvalidInput"},
		NotFound: "NoSuchEntity",
		Check: func(in Inputs, unknown Unknowns) []Problem {
			s := in.String("awsServiceName")
			if s == "" || linkedRoles[s] != "" {
				return tagProblems(in)
			}
			return []Problem{awsProblem("awsServiceName", "InvalidInput", "the model knows the service-linked roles of %s, not of %q",
				alternatives(sortedKeys(linkedRoles)), s)}
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			service := in.String("awsServiceName")
			name := "AWSServiceRoleFor" + linkedRoles[service]
			if s := in.String("customSuffix"); s != "" {
				name += "_" + s
			}
			o.ID = a.globalARN("iam", "role/aws-service-role/"+service+"/"+name)
			o.Outputs["arn"], o.Outputs["name"], o.Outputs["path"] = o.ID, name, "/aws-service-role/"+service+"/"
			o.Outputs["uniqueId"] = kept(a, o, "uniqueId", func() any { return "AROA" + drawLetters(17, fresh(a, o)...) })
			o.Outputs["createDate"] = kept(a, o, "createDate", func() any { return stamp(a) })
			return nil
		},
	}
}

func userKind() Kind {
	return Kind{
		Type: userType, CreateAction: "iam:CreateUser", UpdateAction: "iam:UpdateUser", DeleteAction: "iam:DeleteUser",
		Name:     Name{Input: "name", Max: 64, Form: iamName, Taken: "EntityAlreadyExists"},
		NotFound: "NoSuchEntity", InUse: "DeleteConflict",
		Refs:     []Ref{maybe("permissionsBoundary", "arn", policyType)},
		Defaults: map[string]any{"path": "/", "forceDestroy": false},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return allOf(pathProblems(in), tagProblems(in)) },
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.globalARN("iam", "user"+in.String("path")+o.ID)
			o.Outputs["uniqueId"] = kept(a, o, "uniqueId", func() any { return "AIDA" + drawLetters(17, fresh(a, o)...) })
			return nil
		},
	}
}

func iamGroupKind() Kind {
	return Kind{
		Type: iamGroupType, CreateAction: "iam:CreateGroup", UpdateAction: "iam:UpdateGroup", DeleteAction: "iam:DeleteGroup",
		Name:     Name{Input: "name", Max: 128, Form: iamName, Taken: "EntityAlreadyExists"},
		NotFound: "NoSuchEntity", InUse: "DeleteConflict",
		Defaults: map[string]any{"path": "/"},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return pathProblems(in) },
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.globalARN("iam", "group"+in.String("path")+o.ID)
			o.Outputs["uniqueId"] = kept(a, o, "uniqueId", func() any { return "AGPA" + drawLetters(17, fresh(a, o)...) })
			return nil
		},
	}
}

// linkedRoles are the names of service-linked roles, by service.
var linkedRoles = map[string]string{
	"ecs.amazonaws.com": "ECS", "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing", "rds.amazonaws.com": "RDS",
	"ecs.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_ECSService", "autoscaling.amazonaws.com": "AutoScaling",
	"elasticache.amazonaws.com": "ElastiCache", "spot.amazonaws.com": "EC2Spot", "backup.amazonaws.com": "Backup",
	"replication.ecr.amazonaws.com": "ECRReplication", "ssm.amazonaws.com": "AmazonSSM", "wafv2.amazonaws.com": "WAFV2Logging",
}

// managedPolicies are the AWS-managed policies that the model knows. Others are refused.
var managedPolicies = words(`AdministratorAccess PowerUserAccess ReadOnlyAccess SecurityAudit ViewOnlyAccess
	AmazonSSMManagedInstanceCore AmazonSSMPatchAssociation AmazonSSMReadOnlyAccess CloudWatchAgentServerPolicy
	CloudWatchLogsFullAccess CloudWatchReadOnlyAccess AmazonEC2ContainerRegistryReadOnly
	AmazonEC2ContainerRegistryPowerUser AmazonEC2ContainerRegistryPullOnly AmazonEC2ContainerRegistryFullAccess
	AmazonEC2ReadOnlyAccess AmazonEC2FullAccess AmazonECS_FullAccess AmazonRDSReadOnlyAccess AmazonRDSFullAccess
	AmazonS3ReadOnlyAccess AmazonS3FullAccess SecretsManagerReadWrite AmazonVPCReadOnlyAccess AmazonVPCFullAccess
	AmazonKinesisFirehoseFullAccess AmazonSQSFullAccess AmazonSNSFullAccess AWSXrayWriteOnlyAccess AWSXRayDaemonWriteAccess
	IAMReadOnlyAccess IAMFullAccess AmazonEventBridgeSchedulerFullAccess ElasticLoadBalancingReadOnly
	service-role/AmazonECSTaskExecutionRolePolicy service-role/AmazonEC2ContainerServiceEventsRole
	service-role/AmazonRDSEnhancedMonitoringRole service-role/AWSBackupServiceRolePolicyForBackup
	service-role/AWSBackupServiceRolePolicyForRestores service-role/AWSLambdaBasicExecutionRole
	service-role/AWSLambdaVPCAccessExecutionRole service-role/AmazonSSMMaintenanceWindowRole
	service-role/AmazonSSMAutomationRole service-role/AmazonECSInfrastructureRolePolicyForVolumes
	AWSBackupServiceRolePolicyForS3Backup AWSBackupServiceRolePolicyForS3Restore`)

// managedProblems checks the names of AWS-managed policies at path.
func managedProblems(in Inputs, path string) []Problem {
	var p []Problem
	in.Each(path, func(path string, v any) {
		text, _ := v.(string)
		parts := strings.SplitN(text, ":", 6)
		if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "policy/") {
			p = append(p, awsProblem(path, "ValidationError", "expected the ARN of a policy, got %q", text))
			return
		}
		if name := strings.TrimPrefix(parts[5], "policy/"); parts[4] == "aws" && !slices.Contains(managedPolicies, name) {
			p = append(p, awsProblem(path, "NoSuchEntity", "the model does not know the AWS-managed policy %s%s", name,
				suggest(name, managedPolicies)))
		}
	})
	return p
}

func pathProblems(in Inputs) []Problem {
	path := in.String("path")
	if path == "" || path == "/" || strings.HasPrefix(path, "/") && strings.HasSuffix(path, "/") && len(path) <= 512 {
		return nil
	}
	return []Problem{awsProblem("path", "ValidationError", "a path begins and ends with /, got %q", path)}
}
