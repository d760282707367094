package cloud

import "slipway/rehearsal/iam"

// IAM, KMS, SSM, ACM, Route 53.

const (
	iamPage       = authorization + "awsidentityandaccessmanagement.html"
	iamVersions   = "the provider's policyPruneVersions: a managed policy has at most five versions, so it lists them and deletes the oldest"
	profilePage   = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html"
	kmsPage       = authorization + "awskeymanagementservice.html"
	kmsTagging    = "https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html"
	kmsAliases    = "https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html"
	ssmPage       = authorization + "awssystemsmanager.html"
	parameterKeys = "https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html"
	acmPage       = authorization + "awscertificatemanager.html"
	acmRequest    = "https://github.com/ministryofjustice/modernisation-platform/issues/3313"
	dnsPage       = authorization + "amazonroute53.html"
)

func identityCalls() map[string]lifecycle {
	// bounded sends the permissions boundary that a role has, and in a request for a new one the one that it is to have.
	bounded := func(r row) row { return r.key("iam:PermissionsBoundary", "{permissionsBoundary}") }
	boundaryOf := func(r row) row {
		return r.with(func(v view, c iam.Context) {
			if role := v.a.get(roleType, v.str("role")); role != nil {
				if boundary := Inputs(role.Inputs).String("permissionsBoundary"); boundary != "" {
					c.Set("iam:PermissionsBoundary", iam.One(boundary))
				}
			}
		})
	}
	ofRole := func(action string) row {
		return call(action).on_(func(v view) []string { return roleNamed(v.a, v.str("role")) })
	}
	kms := func(action string) row { return call("kms:"+action, "{arn}") }
	aliased := func(action string) []row {
		return all(call("kms:"+action, "kms:{name}").from(kmsAliases), call("kms:"+action).from(kmsAliases).on_(aliasTargets))
	}
	onParameter := "ssm:parameter/{name|relative}"
	secure := is("type", "SecureString")
	parameterKey := func(action string) []row {
		rows := keyRights("ssm", "keyId", parameterKeys, action)
		for i := range rows {
			rows[i] = rows[i].if_(secure).with(func(v view, c iam.Context) {
				c.Set("kms:EncryptionContext:PARAMETER_ARN", iam.One(v.a.resource(v.expand(onParameter)[0])))
				c.Set("kms:EncryptionContextKeys", iam.Several("PARAMETER_ARN"))
			})
		}
		return rows
	}
	document := func(action string) row {
		return call("ssm:"+action, "ssm:document/{name}").key("ssm:DocumentType", "{documentType}")
	}
	return map[string]lifecycle{
		roleType: {
			source: iamPage,
			create: all(bounded(call("iam:CreateRole").on_(newRole).tags()), call("iam:TagRole").on_(newRole).creating("", ""),
				bounded(call("iam:PutRolePolicy").on_(newRole)).if_(has("inlinePolicies[]")),
				bounded(call("iam:AttachRolePolicy").on_(newRole)).if_(has("managedPolicyArns[]"))),
			read: all(call("iam:GetRole", "{arn}"), call("iam:ListRolePolicies", "{arn}"), call("iam:ListAttachedRolePolicies", "{arn}")),
			update: all(bounded(call("iam:UpdateAssumeRolePolicy").on_(oldRole)).if_(changes("assumeRolePolicy")),
				bounded(call("iam:UpdateRoleDescription").on_(oldRole)).if_(changes("description")),
				bounded(call("iam:UpdateRole").on_(oldRole)).if_(changes("maxSessionDuration")),
				bounded(call("iam:PutRolePermissionsBoundary").on_(oldRole)).if_(changes("permissionsBoundary"), has("permissionsBoundary")),
				call("iam:DeleteRolePermissionsBoundary").on_(oldRole).if_(changes("permissionsBoundary"), not(has("permissionsBoundary"))),
				bounded(call("iam:PutRolePolicy").on_(oldRole)).if_(changes("inlinePolicies"), has("inlinePolicies[]")),
				retagRole()),
			delete: all(call("iam:ListInstanceProfilesForRole", "{arn}").from("the provider's deleteRoleInstanceProfiles, recorded"),
				bounded(call("iam:DeleteRole", "{arn}"))),
		},
		"aws:iam/rolePolicy:RolePolicy": {
			source: iamPage,
			create: all(boundaryOf(ofRole("iam:PutRolePolicy"))),
			read:   all(ofRole("iam:GetRolePolicy")),
			update: all(boundaryOf(ofRole("iam:PutRolePolicy"))),
			delete: all(boundaryOf(ofRole("iam:DeleteRolePolicy"))),
		},
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment": {
			source: iamPage,
			create: all(boundaryOf(ofRole("iam:AttachRolePolicy")).key("iam:PolicyARN", "{policyArn}")),
			read:   all(ofRole("iam:ListAttachedRolePolicies")),
			delete: all(boundaryOf(ofRole("iam:DetachRolePolicy")).key("iam:PolicyARN", "{policyArn}")),
		},
		policyType: {
			source: iamPage,
			create: all(call("iam:CreatePolicy", "iam::policy/{name}").tags(), call("iam:TagPolicy", "iam::policy/{name}").creating("", "")),
			read:   all(call("iam:GetPolicy", "{arn}"), call("iam:GetPolicyVersion", "{arn}")),
			update: all(call("iam:ListPolicyVersions", "iam::policy/{name}").if_(changes("policy")).from(iamVersions),
				call("iam:DeletePolicyVersion", "iam::policy/{name}").if_(changes("policy")).from(iamVersions),
				call("iam:CreatePolicyVersion", "iam::policy/{name}").if_(changes("policy")),
				retag("iam:TagPolicy", "iam:UntagPolicy", "iam::policy/{name}")),
			delete: all(call("iam:ListPolicyVersions", "{arn}"), call("iam:DeletePolicy", "{arn}")),
		},
		profileType: {
			source: iamPage,
			create: all(call("iam:CreateInstanceProfile", "iam::instance-profile/{name}").tags(),
				call("iam:TagInstanceProfile", "iam::instance-profile/{name}").creating("", ""),
				call("iam:AddRoleToInstanceProfile", "iam::instance-profile/{name}").if_(has("role")),
				ofRole("iam:PassRole").because("a role in an instance profile is passed to EC2").from(profilePage).
					with(func(_ view, c iam.Context) { c.Set("iam:PassedToService", iam.One("ec2.amazonaws.com")) })),
			read: all(call("iam:GetInstanceProfile", "{arn}"), ofRole("iam:GetRole")),
			update: all(call("iam:RemoveRoleFromInstanceProfile", "iam::instance-profile/{name}").if_(changes("role")),
				call("iam:AddRoleToInstanceProfile", "iam::instance-profile/{name}").if_(changes("role")),
				ofRole("iam:PassRole").if_(changes("role")).because("a role in an instance profile is passed to EC2").from(profilePage).
					with(func(_ view, c iam.Context) { c.Set("iam:PassedToService", iam.One("ec2.amazonaws.com")) }),
				retag("iam:TagInstanceProfile", "iam:UntagInstanceProfile", "iam::instance-profile/{name}")),
			delete: all(call("iam:RemoveRoleFromInstanceProfile", "{arn}").if_(has("role")), call("iam:DeleteInstanceProfile", "{arn}")),
		},
		oidcType: {
			source: iamPage,
			create: all(call("iam:CreateOpenIDConnectProvider", "iam::oidc-provider/*").tags(),
				call("iam:TagOpenIDConnectProvider", "iam::oidc-provider/*").creating("", "")),
			read: all(call("iam:GetOpenIDConnectProvider", "{arn}")),
			update: all(call("iam:AddClientIDToOpenIDConnectProvider", "{id}").if_(changes("clientIdLists")),
				call("iam:RemoveClientIDFromOpenIDConnectProvider", "{id}").if_(changes("clientIdLists")),
				call("iam:UpdateOpenIDConnectProviderThumbprint", "{id}").if_(changes("thumbprintLists")),
				retag("iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider", "{id}")),
			delete: all(call("iam:DeleteOpenIDConnectProvider", "{arn}")),
		},
		keyType: {
			source: kmsPage,
			create: all(call("kms:CreateKey", "*").tags()),
			then: all(kms("TagResource").creating("", "").from(kmsTagging), kms("EnableKeyRotation").if_(on("enableKeyRotation")),
				kms("DisableKey").if_(func(v view) bool { return v.o.Outputs["isEnabled"] == false })),
			read: all(kms("DescribeKey"), kms("GetKeyPolicy"), kms("GetKeyRotationStatus"), kms("ListResourceTags")),
			update: all(keyUpdate("PutKeyPolicy", changes("policy")), keyUpdate("UpdateKeyDescription", changes("description")),
				keyUpdate("EnableKeyRotation", changes("enableKeyRotation"), on("enableKeyRotation")),
				keyUpdate("DisableKeyRotation", changes("enableKeyRotation"), not(on("enableKeyRotation"))),
				keyUpdate("EnableKey", changes("isEnabled"), on("isEnabled")), keyUpdate("DisableKey", changes("isEnabled"), not(on("isEnabled"))),
				retag("kms:TagResource", "kms:UntagResource", "kms:key/{id}")),
			delete: all(kms("ScheduleKeyDeletion").with(func(v view, c iam.Context) {
				c.Set("kms:ScheduleKeyDeletionPendingWindowInDays", iam.One(plainNumber(numberOr(v.o.Outputs, "deletionWindowInDays", 30))))
			}), kms("DescribeKey")),
		},
		aliasType: {
			source: kmsPage,
			create: aliased("CreateAlias"),
			read:   all(call("kms:ListAliases", "*")),
			update: aliased("UpdateAlias"),
			delete: aliased("DeleteAlias"),
		},
		"aws:kms/keyPolicy:KeyPolicy": {
			source: kmsPage,
			create: all(call("kms:PutKeyPolicy", "kms:key/{keyId|last}")),
			read:   all(call("kms:DescribeKey", "kms:key/{keyId|last}"), call("kms:GetKeyPolicy", "kms:key/{keyId|last}")),
			update: all(call("kms:PutKeyPolicy", "kms:key/{keyId|last}")),
			delete: all(call("kms:PutKeyPolicy", "kms:key/{keyId|last}")),
		},
		parameterType: {
			source: ssmPage,
			create: all(call("ssm:PutParameter", onParameter).tags(), call("ssm:AddTagsToResource", onParameter).creating("", ""),
				parameterKey("Encrypt")),
			read: all(call("ssm:GetParameter", onParameter), call("ssm:DescribeParameters", "*"), call("ssm:ListTagsForResource", onParameter),
				parameterKey("Decrypt")),
			update: all(call("ssm:PutParameter", onParameter).if_(otherThan()).
				with(func(_ view, c iam.Context) { c.Set("ssm:Overwrite", iam.One("true")) }),
				limited(parameterKey("Encrypt"), otherThan()), retag("ssm:AddTagsToResource", "ssm:RemoveTagsFromResource", onParameter)),
			delete: all(call("ssm:DeleteParameter", onParameter)),
		},
		"aws:ssm/document:Document": {
			source: ssmPage,
			create: all(document("CreateDocument").tags(), call("ssm:AddTagsToResource", "ssm:document/{name}").creating("", "")),
			read:   all(document("DescribeDocument"), document("GetDocument"), document("DescribeDocumentPermission")),
			update: all(document("UpdateDocument").if_(otherThan()), document("UpdateDocumentDefaultVersion").if_(otherThan()),
				retag("ssm:AddTagsToResource", "ssm:RemoveTagsFromResource", "ssm:document/{name}")),
			delete: all(document("DescribeDocumentPermission"), document("DeleteDocument")),
		},
		certificateType: {
			source: acmPage,
			create: all(call("acm:RequestCertificate", "acm:certificate/*").tags().from(acmRequest),
				call("acm:AddTagsToCertificate", "acm:certificate/*").creating("", "")),
			read: all(call("acm:DescribeCertificate", "{arn}"), call("acm:ListTagsForCertificate", "{arn}")),
			update: all(call("acm:UpdateCertificateOptions", "{id}").if_(otherThan()),
				retag("acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate", "{id}")),
			delete: all(call("acm:DeleteCertificate", "{arn}")),
		},
		"aws:acm/certificateValidation:CertificateValidation": {
			source: "recorded requests of the genuine provider: it waits for the certificate, and deletes nothing",
			create: all(call("acm:DescribeCertificate", "{certificateArn}")),
			read:   all(call("acm:DescribeCertificate", "{certificateArn}")),
		},
		recordType: {
			source: dnsPage,
			create: all(call("route53:GetHostedZone", "route53:::hostedzone/{zoneId}"), changeRecords(),
				call("route53:GetChange", "route53:::change/*")),
			read: all(call("route53:GetHostedZone", "route53:::hostedzone/{zoneId}"),
				call("route53:ListResourceRecordSets", "route53:::hostedzone/{zoneId}")),
			update: all(changeRecords(), call("route53:GetChange", "route53:::change/*")),
			delete: all(changeRecords(), call("route53:GetChange", "route53:::change/*")),
		},
	}
}

func limited(rows []row, conditions ...func(v view) bool) []row {
	for i := range rows {
		rows[i] = rows[i].if_(conditions...)
	}
	return rows
}

func changeRecords() row {
	return call("route53:ChangeResourceRecordSets", "route53:::hostedzone/{zoneId}").with(func(v view, c iam.Context) {
		if kind := v.str("type"); kind != "" {
			c.Set("route53:ChangeResourceRecordSetsRecordTypes", iam.Several(kind))
		}
	})
}

// newRole is the ARN that a role will have, oldRole the one that it has.
func newRole(v view) []string {
	path := v.str("path")
	if path == "" {
		path = "/"
	}
	return []string{v.a.globalARN("iam", "role"+path+orElse(v.str("name"), v.str("namePrefix")+"*"))}
}

func oldRole(v view) []string {
	if role := v.a.get(roleType, v.o.ID); role != nil {
		return []string{Inputs(role.Outputs).String("arn")}
	}
	return newRole(v)
}

func retagRole() []row {
	rows := retag("iam:TagRole", "iam:UntagRole", "")
	for i := range rows {
		rows[i].on = nil
		rows[i] = rows[i].on_(oldRole)
	}
	return rows
}

func keyUpdate(action string, conditions ...func(v view) bool) row {
	return call("kms:"+action, "kms:key/{id}").if_(conditions...)
}

// aliasTargets are the keys that an alias names, or is to name: KMS checks the right on each.
func aliasTargets(v view) []string {
	var found []string
	for _, m := range []*Object{v.o, v.was} {
		if m == nil {
			continue
		}
		if key := keyNamed(v.a, Inputs(m.Outputs).String("targetKeyId")); key != nil {
			if arn := Inputs(key.Outputs).String("arn"); !contains(found, arn) {
				found = append(found, arn)
			}
		}
	}
	return found
}
