package cloud

import (
	"slices"
	"strings"
)

// trustOf is who may assume a role.
func trustOf(role *Object) []statement {
	return documentOf(documentText(role.Inputs, "assumeRolePolicy"))
}

// principalsExist refuses a document that names identities of this account that do not exist: AWS turns them into their
// unique ids when it stores the document.
func principalsExist(a *Account, statements []statement, kind documentKind) error {
	for _, s := range statements {
		for _, of := range []string{"AWS", "Federated"} {
			for _, name := range s.principals[of] {
				parts := strings.SplitN(name, ":", 6)
				if len(parts) != 6 || parts[2] != "iam" || parts[4] != a.AccountID || parts[5] == "root" {
					continue
				}
				if find(a, "arn", name, roleType, userType, oidcType) == nil && !strings.Contains(parts[5], "aws-service-role/") {
					return refuse(kind.code, s.called()+" names it, and the account has none of this name", "Invalid principal in policy: %q:%q",
						strings.ToUpper(of), name)
				}
			}
		}
	}
	return nil
}

// denial is what keeps the role from action on resource, in the words of AWS: that no policy of it allows that, or no
// permissions boundary; "" if nothing does. It is what services find out when they try. Conditions are left aside, and
// managed policies of AWS are taken to allow what they are for.
func denial(a *Account, role *Object, action, resource string) string {
	if !permits(roleStatements(a, role), action, resource) {
		return "identity-based policy"
	}
	if boundary := Inputs(role.Inputs).String("permissionsBoundary"); boundary != "" &&
		!permits(managedStatements(a, boundary), action, resource) {
		return "permissions boundary"
	}
	return ""
}

func permits(statements []statement, action, resource string) bool {
	allowed := false
	for _, s := range statements {
		if !anyMatch(s.actions, action) || !slices.ContainsFunc(s.resources, func(p string) bool { return matches(p, resource) }) {
			continue
		}
		if s.deny && len(s.conditions) == 0 {
			return false
		}
		allowed = allowed || !s.deny
	}
	return allowed
}

// roleStatements are the statements of all policies that a role has.
func roleStatements(a *Account, role *Object) []statement {
	var all []statement
	for _, p := range a.list("aws:iam/rolePolicy:RolePolicy") {
		if p.Inputs["role"] == role.ID {
			all = append(all, documentOf(documentText(p.Inputs, "policy"))...)
		}
	}
	for _, inline := range Inputs(role.Inputs).Maps("inlinePolicies") {
		all = append(all, documentOf(documentText(inline, "policy"))...)
	}
	arns := Inputs(role.Inputs).Strings("managedPolicyArns")
	for _, p := range a.list("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		if p.Inputs["role"] == role.ID {
			arns = append(arns, Inputs(p.Inputs).String("policyArn"))
		}
	}
	for _, name := range arns {
		all = append(all, managedStatements(a, name)...)
	}
	return all
}

// managedStatements are those of a managed policy, the account's own or AWS's.
func managedStatements(a *Account, arn string) []statement {
	if p := find(a, "arn", arn, policyType); p != nil {
		return documentOf(documentText(p.Inputs, "policy"))
	}
	if text := managedText[lastPart(arn, "/")]; text != "" {
		return documentOf(text)
	}
	return []statement{{actions: []string{"*"}, resources: []string{"*"}}}
}

// managedText are the AWS-managed policies whose contents the model knows; the others are taken to allow everything.
var managedText = map[string]string{
	"AmazonECSTaskExecutionRolePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken",` +
		`"ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],` +
		`"Resource":"*"}]}`,
	"AmazonSSMManagedInstanceCore": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:DescribeAssociation",` +
		`"ssm:GetDeployablePatchSnapshotForInstance","ssm:GetDocument","ssm:DescribeDocument","ssm:GetManifest","ssm:GetParameter",` +
		`"ssm:GetParameters","ssm:ListAssociations","ssm:ListInstanceAssociations","ssm:PutInventory","ssm:PutComplianceItems",` +
		`"ssm:PutConfigurePackageResult","ssm:UpdateAssociationStatus","ssm:UpdateInstanceAssociationStatus",` +
		`"ssm:UpdateInstanceInformation","ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel",` +
		`"ssmmessages:OpenControlChannel","ssmmessages:OpenDataChannel","ec2messages:AcknowledgeMessage","ec2messages:DeleteMessage",` +
		`"ec2messages:FailMessage","ec2messages:GetEndpoint","ec2messages:GetMessages","ec2messages:SendReply"],"Resource":"*"}]}`,
}

// keyNamed is the key that a KMS key id, ARN, alias or alias ARN names; nil when it is not one of the account's.
func keyNamed(a *Account, name string) *Object {
	if alias := find(a, "arn", name, aliasType); alias != nil {
		name = Inputs(alias.Outputs).String("targetKeyId")
	} else if alias := find(a, "id", name, aliasType); alias != nil {
		name = Inputs(alias.Outputs).String("targetKeyId")
	}
	if key := find(a, "id", name, keyType); key != nil {
		return key
	}
	return find(a, "arn", name, keyType)
}

// keyLets refuses a key whose policy does not let the service use it. context are the condition keys whose values are
// known; other conditions are taken to hold. The refusal's code and words are the service's.
func keyLets(a *Account, name, service, action string, context map[string]string, code, message string) error {
	key := keyNamed(a, name)
	if key == nil {
		return nil
	}
	if key.Outputs["isEnabled"] == false {
		return refuse("KMSInvalidStateException", "", "%s is disabled.", key.Outputs["arn"])
	}
	text := documentText(key.Outputs, "policy")
	for _, p := range a.list("aws:kms/keyPolicy:KeyPolicy") {
		if p.ID == key.ID {
			text = documentText(p.Inputs, "policy")
		}
	}
	for _, s := range documentOf(text) {
		if s.deny || !anyMatch(s.actions, action) || !s.holds(context) {
			continue
		}
		if slices.Contains(s.principals["Service"], service) || slices.Contains(s.principals["AWS"], "*") || s.principals["*"] != nil {
			return nil
		}
	}
	return refuse(code, "the policy of key "+key.ID+" lets "+service+" do no "+action+said(context), "%s", message)
}

func said(context map[string]string) string {
	var all []string
	for _, key := range sortedKeys(context) {
		all = append(all, " with "+key+" "+context[key])
	}
	return strings.Join(all, ",")
}
