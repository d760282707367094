package cloud

import (
	"strings"
)

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
				known := find(a, "arn", name, roleType, userType, oidcType)
				if known == nil && !strings.Contains(parts[5], "aws-service-role/") || known != nil && a.unseen(known) {
					return refuse(kind.code, s.called()+" names it, and it does not exist in this account", "Invalid principal in policy: %q:%q",
						strings.ToUpper(of), name)
				}
			}
		}
	}
	return nil
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
