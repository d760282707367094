// Package bastion makes the operation server: a small EC2 instance inside the network, for psql and the like.
package bastion

import (
	_ "embed"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

// Type is the type token of a Host.
const Type = "slipway:bastion:Host"

// Image is the public parameter that holds the ID of the latest Amazon Linux 2023 AMI for arm64.
const Image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"

// A Host is an EC2 instance that is reachable through Session Manager only: it has no public address, no key pair and no
// ingress rule. Opening a session takes IAM permission, and the session is recorded, input and output:
//
//	aws ssm start-session --target <InstanceID> --document-name <SessionDocument>
//
// Only sessions with that document are recorded and encrypted with the site's key, so do not let people use another:
// allow ssm:StartSession on the instance and on the document, with the condition ssm:SessionDocumentAccessCheck. They
// also need kms:GenerateDataKey with the session key.
//
// The instance holds no state. A changed user-data script or disk key replaces it, and another instance type restarts
// it. A newer AMI does neither, because that would end sessions without warning: apply it with
// `pulumi up --replace <its URN>`. The firewall lets its security group reach the database; it has no database
// credentials of its own.
//
// Cost: $3.70 a month (t4g.nano $3.07, 8 GB of disk $0.64), and about $2 for detailed monitoring.
type Host struct {
	pulumi.ResourceState

	InstanceID      pulumi.StringOutput
	SessionDocument pulumi.StringOutput // the name of the Session Manager document
}

// Args describe a Host.
type Args struct {
	Site      wiring.Site
	Placement wiring.Placement // it runs in the first subnet

	InstanceType string // an arm64 type; default t4g.nano

	DiskKeyARN    pulumi.StringInput // the KMS key of its disk; changing it replaces the instance
	SessionKeyARN pulumi.StringInput // the KMS key of sessions and of the bucket that stores them

	LogBucket    pulumi.StringInput // the name of the S3 bucket that stores finished sessions; it must be encrypted
	LogPrefix    string             // prefix in the bucket; default "sessions"
	LogGroupName pulumi.StringInput // the log group that live sessions are streamed to; it must be encrypted
	LogGroupARN  pulumi.StringInput
}

//go:embed user-data.sh
var userData string

// New creates the host with the latest AMI. An existing host keeps its AMI.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Host, error) {
	if err := args.check(); err != nil {
		return nil, err
	}

	host := &Host{}
	if err := ctx.RegisterComponentResource(Type, name, host, opts...); err != nil {
		return nil, err
	}
	document, err := host.newDocument(ctx, name, args)
	if err != nil {
		return nil, err
	}
	profile, permissions, err := host.newProfile(ctx, name, args)
	if err != nil {
		return nil, err
	}
	// The provider marks every parameter's value as secret. The ID of a public image is not.
	found := ssm.LookupParameterOutput(ctx, ssm.LookupParameterOutputArgs{Name: pulumi.String(Image)}, pulumi.Parent(host))
	image := pulumi.Unsecret(found.InsecureValue()).(pulumi.StringOutput)
	instance, err := host.newInstance(ctx, name, args, instanceParts{image, profile, permissions})
	if err != nil {
		return nil, err
	}

	host.InstanceID = instance.ID().ToStringOutput()
	host.SessionDocument = document.Name
	return host, ctx.RegisterResourceOutputs(host, pulumi.Map{
		"instanceId":      host.InstanceID,
		"sessionDocument": host.SessionDocument,
	})
}

// instanceParts are what the instance is made of.
type instanceParts struct {
	image       pulumi.StringInput
	profile     *iam.InstanceProfile
	permissions []pulumi.Resource // of the profile's role; the agent cannot register without them
}

func (h *Host) newInstance(ctx *pulumi.Context, name string, args *Args, parts instanceParts) (*ec2.Instance, error) {
	label := pulumi.StringMap{"Name": pulumi.String(args.Site.Name("bastion"))}
	return ec2.NewInstance(ctx, name, &ec2.InstanceArgs{
		Ami:                      parts.image,
		InstanceType:             pulumi.String(args.instanceType()),
		SubnetId:                 args.Placement.Subnets.ToStringArrayOutput().Index(pulumi.Int(0)).ToStringPtrOutput(),
		VpcSecurityGroupIds:      args.Placement.SecurityGroups,
		AssociatePublicIpAddress: pulumi.Bool(false),
		IamInstanceProfile:       parts.profile.Name,
		Monitoring:               pulumi.Bool(true),
		EbsOptimized:             pulumi.Bool(true),
		// throttled instead of billed
		CreditSpecification: &ec2.InstanceCreditSpecificationArgs{CpuCredits: pulumi.String("standard")},
		MetadataOptions: &ec2.InstanceMetadataOptionsArgs{
			HttpEndpoint:            pulumi.String("enabled"),
			HttpTokens:              pulumi.String("required"),
			HttpPutResponseHopLimit: pulumi.Int(1),
		},
		RootBlockDevice: &ec2.InstanceRootBlockDeviceArgs{
			VolumeType:          pulumi.String("gp3"),
			VolumeSize:          pulumi.Int(8), // GB, the minimum for this AMI
			Encrypted:           pulumi.Bool(true),
			KmsKeyId:            args.DiskKeyARN.ToStringOutput().ToStringPtrOutput(),
			DeleteOnTermination: pulumi.Bool(true),
			Tags:                label,
		},
		UserData:                pulumi.String(userData),
		UserDataReplaceOnChange: pulumi.Bool(true), // it runs only at the first boot
		Tags:                    label,
	}, pulumi.Parent(h), pulumi.DependsOn(parts.permissions), pulumi.IgnoreChanges([]string{"ami"}))
}

func (a *Args) instanceType() string {
	if a.InstanceType == "" {
		return "t4g.nano"
	}
	return a.InstanceType
}

func (a *Args) logPrefix() string {
	if a.LogPrefix == "" {
		return "sessions"
	}
	return a.LogPrefix
}

// check reports every argument that is missing.
func (a *Args) check() error {
	var errs []error
	for _, part := range []struct {
		what    string
		missing bool
	}{
		{"a subnet", a.Placement.Subnets == nil},
		{"a security group", a.Placement.SecurityGroups == nil},
		{"the key of its disk", a.DiskKeyARN == nil},
		{"the key of its sessions", a.SessionKeyARN == nil},
		{"a bucket for sessions", a.LogBucket == nil},
		{"a log group for sessions", a.LogGroupName == nil || a.LogGroupARN == nil},
	} {
		if part.missing {
			errs = append(errs, fmt.Errorf("bastion: %s must be given", part.what))
		}
	}
	return errors.Join(errs...)
}
