package cloud

import (
	"slices"
	"strings"
)

// trustOf is a role's trust policy.
func trustOf(role *Object) []statement {
	return documentOf(documentText(role.Inputs, "assumeRolePolicy"))
}

// principalsExist refuses a document that names identities of this account that do not exist: AWS replaces
// them with unique ids when it stores the document.
func principalsExist(a *Account, statements []statement, kind documentKind) error {
	for _, s := range statements {
		for _, of := range []string{"AWS", "Federated"} {
			for _, name := range s.principals[of] {
				parts := strings.SplitN(name, ":", 6)
				if len(parts) != 6 || parts[2] != "iam" || parts[4] != a.AccountID || parts[5] == "root" {
					continue
				}
				if find(a, "arn", name, roleType, userType, oidcType) == nil && !strings.Contains(parts[5], "aws-service-role/") {
					return refuse(kind.code, s.called()+" names it, and it does not exist in this account", "Invalid principal in policy: %q:%q",
						strings.ToUpper(of), name)
				}
			}
		}
	}
	return nil
}

// denial is the kind of policy that fails to allow the role an action on a resource, in AWS's wording ("identity-based policy",
// "permissions boundary"); "" if the role is allowed. Conditions are ignored, and AWS-managed policies whose contents the model
// does not know count as allowing everything.
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

// roleStatements are the statements of all of a role's policies.
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

// managedStatements are the statements of a customer-managed or AWS-managed policy.
func managedStatements(a *Account, arn string) []statement {
	if p := find(a, "arn", arn, policyType); p != nil {
		return documentOf(documentText(p.Inputs, "policy"))
	}
	if text := managedText[lastPart(arn, "/")]; text != "" {
		return documentOf(text)
	}
	return []statement{{actions: []string{"*"}, resources: []string{"*"}}}
}

// managedText holds the AWS-managed policies whose contents the model knows. The others count as allowing everything.
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

// keyNamed finds the account's key by id, ARN, alias or alias ARN; nil if there is none.
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

// A keyUse is a service that uses a KMS key. context holds the condition keys whose values are known; other conditions count
// as true.
type keyUse struct {
	key, service, action string
	context              map[string]string
	code, message        string // the service's own, if it may not
}

// allowed refuses a key whose policy does not allow the use.
func (u keyUse) allowed(a *Account) error {
	key := keyNamed(a, u.key)
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
		if s.deny || !anyMatch(s.actions, u.action) || !s.holds(u.context) {
			continue
		}
		if slices.Contains(s.principals["Service"], u.service) || slices.Contains(s.principals["AWS"], "*") || s.principals["*"] != nil {
			return nil
		}
	}
	return refuse(u.code, "the policy of key "+key.ID+" does not allow "+u.service+" to "+u.action+contextText(u.context), "%s", u.message)
}

func contextText(context map[string]string) string {
	var all []string
	for _, key := range sortedKeys(context) {
		all = append(all, " with "+key+" "+context[key])
	}
	return strings.Join(all, ",")
}
