package cicd

import (
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about the images, and about the roles of the workflows: the deploy role only reads those.
func Facts(site wiring.Site) []catalog.Resource {
	push := catalog.Grant{Area: "compute", Statement: policy.Statement{
		Sid: "PushImages",
		Actions: []string{
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository",
			"ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DeleteRepositoryPolicy", "ecr:DescribeImages",
			"ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy",
			"ecr:InitiateLayerUpload", "ecr:ListTagsForResource", "ecr:PutImage", "ecr:PutImageScanningConfiguration",
			"ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:TagResource", "ecr:UntagResource",
			"ecr:UploadLayerPart",
		},
		Resources: []any{
			site.ARN("ecr", "repository/"+repositoryName(site, "django")), site.ARN("ecr", "repository/"+repositoryName(site, "nginx")),
			site.ARN("ecr", "repository/"+repositoryName(site, psqlPart)),
		},
	}}
	const harmless = catalog.Inert | catalog.Risks
	return []catalog.Resource{
		{
			Type: "aws:ecr/repository:Repository",
			Deploy: []catalog.Grant{
				catalog.Look("compute", "ecr:GetAuthorizationToken"), push, catalog.UseKey(site, "ecr"), catalog.GrantKey(site, "ecr"),
				// ECR guide, "Encryption at rest": needed to make and to delete an encrypted repository.
				{Area: "keys", Statement: policy.Statement{
					Sid: "RetireGrants", Actions: []string{"kms:RetireGrant"}, Resources: []any{site.ARN("kms", "key/*")},
					Conditions: policy.Conditions{"StringEquals": {"kms:ViaService": catalog.Endpoint(site, "ecr")}},
				}},
			},
			Bound: []policy.Statement{
				{Sid: "PullImages", Actions: pulls, Resources: []any{site.ARN("ecr", "repository/"+repositoryName(site, "*"))}},
				{Sid: "SignInToRegistry", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []any{"*"}},
			},
			Risks: []catalog.Risk{{
				Path: `imageTagMutability|encryptionConfigurations|forceDelete`,
				Why:  "an image can be replaced, or the repository be deleted with all of them",
			}},
			Effects: []catalog.Effect{{Path: `forceDelete`, Does: catalog.Loses, When: catalog.TurnedOn,
				Says: "it loses its protection: from then on its images are deleted with it"}},
			Missing: "the images of every release were in it",
			Loss: catalog.Loss{
				Kind: "repository", Order: 3, Says: "its images are deleted", Holds: "image",
				Counted: "deleted with it; a release that runs nowhere else cannot be had again",
			},
			None: catalog.AWSManaged | catalog.Mirrors | catalog.Alarms | catalog.Offers | catalog.Ports,
		},
		{Type: "aws:ecr/lifecyclePolicy:LifecyclePolicy", Deploy: []catalog.Grant{push}, None: harmless},
		{
			Type: "aws:ecr/repositoryPolicy:RepositoryPolicy", Deploy: []catalog.Grant{push},
			Risks: []catalog.Risk{{Path: `policy`, Why: "other accounts may pull the images, or no longer may"}}, None: catalog.Inert,
		},
		{Type: "docker:index/image:Image", Deploy: []catalog.Grant{push}, None: harmless},
		{
			Type: "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
			Deploy: []catalog.Grant{{Area: "identity", Statement: policy.Statement{
				Sid: "LookAtProvider", Actions: []string{"iam:GetOpenIDConnectProvider", "iam:ListOpenIDConnectProviderTags"},
				Resources: []any{catalog.Global(site, "iam", "oidc-provider/"+issuer)},
			}}},
			Risks: []catalog.Risk{{Path: `url|clientIdLists|thumbprintLists`, Why: "another issuer of tokens is trusted"}},
			None:  catalog.Inert,
		},
		{
			// Reading the roles of the workflows, and the boundary.
			Type: "aws:iam/policy:Policy",
			Deploy: []catalog.Grant{{Area: "identity", Statement: policy.Statement{
				Sid: "KeepRoles", Actions: []string{"iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions"},
				Resources: []any{catalog.Global(site, "iam", "policy/"+site.Name("*"))},
			}}},
			Risks: []catalog.Risk{{Path: `policy`, Why: "the role or policy allows something other than the program declares"}},
			None:  catalog.Inert,
		},
		catalog.Role(site), catalog.Attachment(site),
		catalog.Parameter(site), // what the repositories hold
	}
}
