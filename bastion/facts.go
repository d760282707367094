package bastion

import (
	"fmt"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about the operation server.
func Facts(site wiring.Site) []catalog.Resource {
	documents := catalog.Named(site, "ssm", "document/")
	aws := fmt.Sprintf("arn:%s:ssm:%s:", site.Partition, site.Region)
	return []catalog.Resource{
		instance(site, aws),
		{
			Type: "aws:iam/instanceProfile:InstanceProfile",
			Deploy: []catalog.Grant{{Area: "identity", Statement: policy.Statement{
				Sid: "KeepRoles",
				Actions: []string{
					"iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:GetInstanceProfile",
					"iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile",
				},
				Resources: []any{catalog.Global(site, "iam", "instance-profile/"+site.Name("*"))},
			}}},
			None: catalog.Inert | catalog.Risks,
		},
		{
			Type: "aws:ssm/document:Document",
			Deploy: []catalog.Grant{{Area: "data", Statement: policy.Statement{
				Sid: "KeepSessionDocument",
				Actions: []string{
					"ssm:AddTagsToResource", "ssm:CreateDocument", "ssm:DeleteDocument", "ssm:DescribeDocument", "ssm:DescribeDocumentPermission",
					"ssm:GetDocument", "ssm:RemoveTagsFromResource", "ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion",
				},
				Resources: documents,
			}}},
			Bound: []policy.Statement{{
				// Session Manager gives the agent a document of the stack's; patching and inventory are AWS's own.
				Sid: "ReadDocuments", Actions: []string{"ssm:DescribeDocument", "ssm:GetDocument"},
				Resources: append(documents[:1:1], aws+"*:document/AWS*"),
			}},
			Risks: []catalog.Risk{{Path: `content`, Why: "sessions run differently, or are not recorded"}},
			None:  catalog.Inert &^ catalog.Bound,
		},
		catalog.Role(site), catalog.RolePolicy(site), catalog.Attachment(site),
	}
}

func instance(site wiring.Site, aws string) catalog.Resource {
	return catalog.Resource{
		Type: "aws:ec2/instance:Instance",
		Deploy: []catalog.Grant{
			catalog.Look("network", "ec2:DescribeIamInstanceProfileAssociations", "ec2:DescribeImages", "ec2:DescribeInstanceAttribute",
				"ec2:DescribeInstanceCreditSpecifications", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
				"ec2:DescribeNetworkInterfaces", "ec2:DescribeTags", "ec2:DescribeVolumes"),
			{Area: "network", Statement: policy.Statement{
				Sid: "RunBastion",
				Actions: []string{
					"ec2:AssociateIamInstanceProfile", "ec2:DisassociateIamInstanceProfile", "ec2:ModifyInstanceAttribute",
					"ec2:ModifyInstanceCreditSpecification", "ec2:ModifyInstanceMetadataOptions", "ec2:ModifyVolume", "ec2:MonitorInstances",
					"ec2:ReplaceIamInstanceProfileAssociation", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances",
					"ec2:TerminateInstances", "ec2:UnmonitorInstances",
				},
				// Images belong to the account that published them.
				Resources: []any{site.ARN("ec2", "*"), fmt.Sprintf("arn:%s:ec2:%s::image/*", site.Partition, site.Region)},
			}},
			// The image is looked up in a parameter of AWS's.
			{Area: "data", Statement: policy.Statement{
				Sid: "ReadPublicParameters", Actions: []string{"ssm:GetParameter"},
				Resources: []any{aws + ":parameter/aws/service/*"},
			}},
			catalog.UseKey(site, "ec2"), catalog.GrantKey(site, "ec2"), catalog.PassRole(site, "ec2.amazonaws.com"),
			// EBS guide, "Requirements for Amazon EBS encryption": without these the instance ends with Client.InternalError.
			{Area: "keys", Statement: policy.Statement{
				Sid: "EncryptDisks", Actions: []string{"kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"},
				Resources: []any{site.ARN("kms", "key/*")},
				Conditions: policy.Conditions{
					"StringEquals":         {"kms:ViaService": catalog.Endpoint(site, "ec2")},
					"StringEqualsIfExists": catalog.Tagged(site, "aws:ResourceTag"),
				},
			}},
		},
		Bound: []policy.Statement{{
			// Calls that know no resource: the channels of Session Manager, and what its agent says of itself. Of AWS's policy for
			// that agent, all but its parameters and documents of the whole account.
			Sid: "SpeakToSystemsManager",
			Actions: []string{
				"ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint",
				"ec2messages:GetMessages", "ec2messages:SendReply", "ssm:DescribeAssociation", "ssm:GetDeployablePatchSnapshotForInstance",
				"ssm:GetManifest", "ssm:ListAssociations", "ssm:ListInstanceAssociations", "ssm:PutComplianceItems",
				"ssm:PutConfigurePackageResult", "ssm:PutInventory", "ssm:UpdateAssociationStatus", "ssm:UpdateInstanceAssociationStatus",
				"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
				"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
			},
			Resources: []any{"*"},
		}},
		AWSManaged: `instanceState|publicIp|publicDns`,
		Risks: []catalog.Risk{{
			Path: `metadataOptions|iamInstanceProfile|vpcSecurityGroupIds|userData.*|associatePublicIpAddress`,
			Why:  "the bastion is reached differently, or has more permissions",
		}},
		None: catalog.Mirrors | catalog.Missing | catalog.Losses | catalog.Alarms | catalog.Offers | catalog.Ports,
	}
}
