//go:build unix

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	taggingtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// An account calls AWS directly, without slipway.
type account struct {
	id, region, caller, partition string

	logs *cloudwatchlogs.Client
	ecr  *ecr.Client
	ecs  *ecs.Client
	iam  *iam.Client
	kms  *kms.Client
	s3   *s3.Client
	tags *tagging.Client
}

// newAccount finds out whose credentials the environment has.
func newAccount(ctx context.Context, client *http.Client) (*account, error) {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if settings.Region == "" {
		return nil, errors.New("no region: set AWS_REGION to the one that the run may use")
	}
	// Credentials come as the caller has set them up; the calls that use them go through the recorder.
	settings.HTTPClient = client
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	caller, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("no AWS credentials: %w\nlog in, or set AWS_PROFILE; aws sts get-caller-identity must work", err)
	}
	arn := aws.ToString(caller.Arn)
	return &account{
		id: aws.ToString(caller.Account), region: settings.Region, caller: arn, partition: strings.Split(arn+"::", ":")[1],
		logs: cloudwatchlogs.NewFromConfig(settings), ecr: ecr.NewFromConfig(settings), ecs: ecs.NewFromConfig(settings),
		iam: iam.NewFromConfig(settings), kms: kms.NewFromConfig(settings), s3: s3.NewFromConfig(settings), tags: tagging.NewFromConfig(settings),
	}, nil
}

// is reports whether an error has one of these codes.
func is(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// unless is err, but for errors with these codes: what is gone already needs no deleting.
func unless(err error, codes ...string) error {
	if is(err, codes...) {
		return nil
	}
	return err
}

func (a *account) providerARN() string {
	return "arn:" + a.partition + ":iam::" + a.id + ":oidc-provider/token.actions.githubusercontent.com"
}

// hasProvider reports whether the account has an OIDC provider for GitHub.
func (a *account) hasProvider(ctx context.Context) (bool, error) {
	_, err := a.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(a.providerARN())})
	if is(err, "NoSuchEntity", "NoSuchEntityException") {
		return false, nil
	}
	return err == nil, err
}

func (a *account) versioned(ctx context.Context, bucket string) (bool, error) {
	found, err := a.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	if err != nil {
		return false, err
	}
	return found.Status == s3types.BucketVersioningStatusEnabled, nil
}

// digests are the digests of the images that a service runs, sorted.
func (a *account) digests(ctx context.Context, cluster, service string) ([]string, error) {
	found, err := a.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{service}})
	if err != nil {
		return nil, err
	}
	if len(found.Services) != 1 {
		return nil, fmt.Errorf("ECS knows no service %s in cluster %s", service, cluster)
	}
	definition, err := a.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: found.Services[0].TaskDefinition})
	if err != nil {
		return nil, err
	}
	var digests []string
	for _, container := range definition.TaskDefinition.ContainerDefinitions {
		_, digest, _ := strings.Cut(aws.ToString(container.Image), "@")
		digests = append(digests, digest)
	}
	slices.Sort(digests)
	return digests, nil
}

// retain changes the retention of a log group.
func (a *account) retain(ctx context.Context, group string, days int32) error {
	_, err := a.logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &group, RetentionInDays: &days})
	return err
}

func (a *account) retention(ctx context.Context, group string) (int32, error) {
	found, err := a.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &group})
	if err != nil || len(found.LogGroups) == 0 {
		return 0, err
	}
	return aws.ToInt32(found.LogGroups[0].RetentionInDays), nil
}

// tagged are the ARNs of what carries the project's tag. It may be some minutes behind.
func (a *account) tagged(ctx context.Context, project string) ([]tag, error) {
	var all []tag
	pages := tagging.NewGetResourcesPaginator(a.tags, &tagging.GetResourcesInput{
		TagFilters: []taggingtypes.TagFilter{{Key: aws.String("project"), Values: []string{project}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.ResourceTagMappingList {
			t := tag{arn: aws.ToString(r.ResourceARN)}
			for _, pair := range r.Tags {
				switch aws.ToString(pair.Key) {
				case "Name":
					t.name = aws.ToString(pair.Value)
				case "stack":
					t.stack = aws.ToString(pair.Value)
				}
			}
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(x, y tag) int { return strings.Compare(x.arn, y.arn) })
	return all, nil
}

// A tag is a resource that carries the project's tag.
type tag struct{ arn, name, stack string }

// id is the last part of the ARN: the ID of a resource of EC2, the name of many others.
func (t tag) id() string { return t.arn[strings.LastIndexAny(t.arn, ":/")+1:] }

// removers delete what bears the project's name and slipway does not delete, or did not, kind by kind, in this order. Each
// can be repeated, and returns what it deleted.
func (a *account) removers() []remover {
	return []remover{
		{"bucket", a.removeBuckets}, {"log group", a.removeLogGroups}, {"repository", a.removeRepositories},
		{"task definition", a.removeTaskDefinitions}, {"instance profile", a.removeProfiles}, {"role", a.removeRoles},
		{"policy", a.removePolicies}, {"key", a.removeKeys},
	}
}

type remover struct {
	kind   string
	remove func(ctx context.Context, project string) (removed []string, err error)
}

func (a *account) removeBuckets(ctx context.Context, project string) (removed []string, err error) {
	for pages := s3.NewListBucketsPaginator(a.s3, &s3.ListBucketsInput{Prefix: aws.String(project + "-")}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, bucket := range page.Buckets {
			if !strings.HasPrefix(aws.ToString(bucket.Name), project+"-") {
				continue
			}
			if err := a.removeBucket(ctx, aws.ToString(bucket.Name)); err != nil {
				return removed, fmt.Errorf("%s: %w", aws.ToString(bucket.Name), err)
			}
			removed = append(removed, aws.ToString(bucket.Name))
		}
	}
	return removed, nil
}

// removeBucket deletes every version of every object, what is left of uploads, and the bucket.
func (a *account) removeBucket(ctx context.Context, bucket string) error {
	const gone = "NoSuchBucket"
	for { // always the first page: what it listed is deleted
		page, err := a.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
		if err != nil {
			return unless(err, gone)
		}
		var objects []s3types.ObjectIdentifier
		for _, v := range page.Versions {
			objects = append(objects, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			objects = append(objects, s3types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(objects) == 0 {
			break
		}
		for batch := range slices.Chunk(objects, 1000) {
			quietly := &s3types.Delete{Objects: batch, Quiet: aws.Bool(true)}
			out, err := a.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: quietly})
			if err != nil {
				return err
			}
			if len(out.Errors) > 0 {
				return fmt.Errorf("%s: %s", aws.ToString(out.Errors[0].Key), aws.ToString(out.Errors[0].Message))
			}
		}
	}
	for pages := s3.NewListMultipartUploadsPaginator(a.s3, &s3.ListMultipartUploadsInput{Bucket: &bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unless(err, gone)
		}
		for _, u := range page.Uploads {
			_, err := a.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId})
			if err != nil {
				return err
			}
		}
	}
	_, err := a.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	return unless(err, gone)
}

// removeLogGroups deletes also those that AWS makes itself under the name of a cluster or a database.
func (a *account) removeLogGroups(ctx context.Context, project string) (removed []string, err error) {
	in := &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePattern: &project}
	for pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(a.logs, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, group := range page.LogGroups {
			if !strings.Contains(aws.ToString(group.LogGroupName), project) {
				continue
			}
			_, err := a.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group.LogGroupName})
			if unless(err, "ResourceNotFoundException") != nil {
				return removed, err
			}
			removed = append(removed, aws.ToString(group.LogGroupName))
		}
	}
	return removed, nil
}

func (a *account) removeRepositories(ctx context.Context, project string) (removed []string, err error) {
	for pages := ecr.NewDescribeRepositoriesPaginator(a.ecr, &ecr.DescribeRepositoriesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, repository := range page.Repositories {
			if !strings.HasPrefix(aws.ToString(repository.RepositoryName), project+"-") {
				continue
			}
			_, err := a.ecr.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: repository.RepositoryName, Force: true})
			if unless(err, "RepositoryNotFoundException") != nil {
				return removed, err
			}
			removed = append(removed, aws.ToString(repository.RepositoryName))
		}
	}
	return removed, nil
}

// removeTaskDefinitions deregisters revisions that are still active, and deletes those that are not.
func (a *account) removeTaskDefinitions(ctx context.Context, project string) (removed []string, err error) {
	for _, status := range []ecstypes.TaskDefinitionStatus{ecstypes.TaskDefinitionStatusActive, ecstypes.TaskDefinitionStatusInactive} {
		var arns []string
		families := ecs.NewListTaskDefinitionFamiliesPaginator(a.ecs, &ecs.ListTaskDefinitionFamiliesInput{
			FamilyPrefix: aws.String(project + "-"), Status: ecstypes.TaskDefinitionFamilyStatus(status)})
		for families.HasMorePages() {
			page, err := families.NextPage(ctx)
			if err != nil {
				return removed, err
			}
			for _, family := range page.Families {
				revisions := ecs.NewListTaskDefinitionsPaginator(a.ecs, &ecs.ListTaskDefinitionsInput{FamilyPrefix: &family, Status: status})
				for revisions.HasMorePages() {
					page, err := revisions.NextPage(ctx)
					if err != nil {
						return removed, err
					}
					arns = append(arns, page.TaskDefinitionArns...)
				}
			}
		}
		if status == ecstypes.TaskDefinitionStatusActive {
			for _, arn := range arns {
				if _, err := a.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &arn}); err != nil {
					return removed, err
				}
			}
			continue
		}
		for batch := range slices.Chunk(arns, 10) { // as many as one call takes
			out, err := a.ecs.DeleteTaskDefinitions(ctx, &ecs.DeleteTaskDefinitionsInput{TaskDefinitions: batch})
			if err != nil {
				return removed, err
			}
			for _, f := range out.Failures {
				return removed, fmt.Errorf("%s: %s", aws.ToString(f.Arn), aws.ToString(f.Reason))
			}
			removed = append(removed, batch...)
		}
	}
	return removed, nil
}

const noEntity, noEntityException = "NoSuchEntity", "NoSuchEntityException"

func (a *account) removeProfiles(ctx context.Context, project string) (removed []string, err error) {
	for pages := iam.NewListInstanceProfilesPaginator(a.iam, &iam.ListInstanceProfilesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, profile := range page.InstanceProfiles {
			if !strings.HasPrefix(aws.ToString(profile.InstanceProfileName), project+"-") {
				continue
			}
			for _, role := range profile.Roles {
				_, err := a.iam.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{
					InstanceProfileName: profile.InstanceProfileName, RoleName: role.RoleName})
				if unless(err, noEntity, noEntityException) != nil {
					return removed, err
				}
			}
			_, err := a.iam.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: profile.InstanceProfileName})
			if unless(err, noEntity, noEntityException) != nil {
				return removed, err
			}
			removed = append(removed, aws.ToString(profile.InstanceProfileName))
		}
	}
	return removed, nil
}

func (a *account) removeRoles(ctx context.Context, project string) (removed []string, err error) {
	for pages := iam.NewListRolesPaginator(a.iam, &iam.ListRolesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, role := range page.Roles {
			if !strings.HasPrefix(aws.ToString(role.RoleName), project+"-") {
				continue
			}
			if err := a.removeRole(ctx, role.RoleName); err != nil {
				return removed, fmt.Errorf("%s: %w", aws.ToString(role.RoleName), err)
			}
			removed = append(removed, aws.ToString(role.RoleName))
		}
	}
	return removed, nil
}

func (a *account) removeRole(ctx context.Context, name *string) error {
	attached, err := a.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil {
		return unless(err, noEntity, noEntityException)
	}
	for _, p := range attached.AttachedPolicies {
		if _, err := a.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: p.PolicyArn}); err != nil {
			return err
		}
	}
	inline, err := a.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil {
		return err
	}
	for _, p := range inline.PolicyNames {
		if _, err := a.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: &p}); err != nil {
			return err
		}
	}
	_, err = a.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	return unless(err, noEntity, noEntityException)
}

func (a *account) removePolicies(ctx context.Context, project string) (removed []string, err error) {
	for pages := iam.NewListPoliciesPaginator(a.iam, &iam.ListPoliciesInput{Scope: iamtypes.PolicyScopeTypeLocal}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, policy := range page.Policies {
			if !strings.HasPrefix(aws.ToString(policy.PolicyName), project+"-") {
				continue
			}
			versions, err := a.iam.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: policy.Arn})
			if err != nil {
				return removed, err
			}
			for _, v := range versions.Versions {
				if v.IsDefaultVersion {
					continue
				}
				if _, err := a.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: policy.Arn, VersionId: v.VersionId}); err != nil {
					return removed, err
				}
			}
			_, err = a.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: policy.Arn})
			if unless(err, noEntity, noEntityException) != nil {
				return removed, err
			}
			removed = append(removed, aws.ToString(policy.PolicyName))
		}
	}
	return removed, nil
}

// removeProvider deletes the OIDC provider for GitHub, unless a role trusts it by now; it returns that role.
func (a *account) removeProvider(ctx context.Context) (user string, err error) {
	for pages := iam.NewListRolesPaginator(a.iam, &iam.ListRolesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, role := range page.Roles {
			if trusts(role, a.providerARN()) {
				return aws.ToString(role.RoleName), nil
			}
		}
	}
	arn := a.providerARN()
	_, err = a.iam.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	return "", unless(err, noEntity, noEntityException)
}

// trusts reports whether the trust policy of a role names a principal. IAM gives the policy encoded as in a URL.
func trusts(role iamtypes.Role, principal string) bool {
	policy := aws.ToString(role.AssumeRolePolicyDocument)
	if plain, err := url.QueryUnescape(policy); err == nil {
		policy = plain
	}
	return strings.Contains(policy, principal)
}

// keyWindow is for how many days a deleted key can be brought back: the shortest that KMS has.
const keyWindow = 7

// removeKeys schedules the deletion of the project's keys, and deletes their aliases. A key is known by its alias, by its
// description where a killed bootstrap gave it none, or by its tag.
func (a *account) removeKeys(ctx context.Context, project string) (removed []string, err error) {
	ours := map[string]bool{}
	tagged, err := a.tagged(ctx, project)
	if err != nil {
		return nil, err
	}
	for _, t := range tagged {
		if strings.Contains(t.arn, ":kms:") {
			ours[t.id()] = true
		}
	}
	for pages := kms.NewListAliasesPaginator(a.kms, &kms.ListAliasesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, alias := range page.Aliases {
			if !strings.HasPrefix(aws.ToString(alias.AliasName), "alias/"+project+"-") {
				continue
			}
			if alias.TargetKeyId != nil {
				ours[*alias.TargetKeyId] = true
			}
			if _, err := a.kms.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: alias.AliasName}); unless(err, "NotFoundException") != nil {
				return removed, err
			}
			removed = append(removed, aws.ToString(alias.AliasName))
		}
	}
	for pages := kms.NewListKeysPaginator(a.kms, &kms.ListKeysInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, err
		}
		for _, listed := range page.Keys {
			found, err := a.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: listed.KeyId})
			if err != nil { // a key that others keep to themselves
				continue
			}
			key := found.KeyMetadata
			if !ours[aws.ToString(key.KeyId)] && !strings.HasPrefix(aws.ToString(key.Description), project+"-") ||
				key.KeyState == kmstypes.KeyStatePendingDeletion {
				continue
			}
			_, err = a.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: key.KeyId, PendingWindowInDays: aws.Int32(keyWindow)})
			if err != nil {
				return removed, err
			}
			removed = append(removed, aws.ToString(key.Arn))
		}
	}
	return removed, nil
}

// fate is the reason why a resource that is listed by tag is not a leftover; "" if it is one.
func (a *account) fate(ctx context.Context, arn string) (string, error) {
	switch {
	case strings.Contains(arn, ":kms:"):
		found, err := a.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &arn})
		if err == nil && found.KeyMetadata.KeyState == kmstypes.KeyStatePendingDeletion {
			return "KMS deletes it on " + aws.ToTime(found.KeyMetadata.DeletionDate).Format(time.DateOnly) + "; it costs nothing until then", nil
		}
		return "", err
	case strings.Contains(arn, ":ecs:") && strings.Contains(arn, ":cluster/"):
		found, err := a.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{arn}})
		if err == nil && len(found.Clusters) == 1 && aws.ToString(found.Clusters[0].Status) == "INACTIVE" {
			return inactive, nil
		}
		return "", err
	case strings.Contains(arn, ":ecs:") && strings.Contains(arn, ":service/"):
		path := strings.Split(arn, "/") // arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE
		found, err := a.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &path[max(0, len(path)-2)], Services: []string{arn}})
		if is(err, "ClusterNotFoundException") || err == nil && len(found.Services) == 1 && aws.ToString(found.Services[0].Status) == "INACTIVE" {
			return inactive, nil
		}
		return "", err
	case strings.Contains(arn, ":ecs:") && strings.Contains(arn, ":task-definition/"):
		found, err := a.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
		if err == nil && found.TaskDefinition.Status != ecstypes.TaskDefinitionStatusActive {
			return inactive, nil
		}
		return "", unless(err, "ClientException")
	}
	return "", nil
}

// inactive is the final status of ECS's clusters, services and task definitions (ECS guide, "Deleting a cluster").
const inactive = "it is deleted, and ECS lists it as inactive for a while"
