package cloud

import (
	"errors"
	"fmt"
	"strings"

	"slipway/rehearsal/iam"
)

// What services and roles of the account do because a resource exists: an alarm publishes to a topic, a task reads its secrets. The
// deployment does not make these calls, so it succeeds unless AWS tries them at once; the others fail later, when they are made.

// A Use is a call that a service or a role of the account makes because of a resource.
type Use struct {
	By   Caller
	Call Call
	// Refusal is how AWS refuses the resource if the call would be denied, for the calls that AWS tries when the resource is created
	// or changed. Nil: the call is denied when it happens, and shows in Findings.
	Refusal *Error
}

// users are the kinds of resource that make something call, each with what it calls. The condition keys in these calls are those that
// AWS documents for them, and no others: a policy that asks for another one does not match.
var users = map[string]func(*uses, *Object, Inputs){
	serviceType:                      (*uses).service,
	scheduleType:                     (*uses).schedule,
	taskType:                         (*uses).definition,
	logGroupType:                     (*uses).logGroup,
	"aws:backup/selection:Selection": (*uses).backup,
	"aws:ec2/flowLog:FlowLog":        (*uses).flowLog,
	"aws:ec2/instance:Instance":      (*uses).instance,
	"aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter":      (*uses).subscription,
	"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream":       (*uses).firehose,
	"aws:cloudwatch/eventTarget:EventTarget":                          (*uses).eventTarget,
	"aws:cloudwatch/metricAlarm:MetricAlarm":                          (*uses).alarm,
	"aws:rds/eventSubscription:EventSubscription":                     (*uses).databaseEvents,
	"aws:rds/instance:Instance":                                       (*uses).monitoring,
	"aws:lb/loadBalancer:LoadBalancer":                                (*uses).accessLogs,
	"aws:s3/bucketLoggingV2:BucketLoggingV2":                          (*uses).bucketLogs,
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": (*uses).firewallLogs,
}

// uses collects the calls that one resource leads to.
type uses struct {
	a   *Account
	vpc string // where the calls come from, if they come from a network
	all []Use
}

// network is the VPC of subnets.
func (u *uses) network(subnets []string) string {
	for _, id := range subnets {
		if subnet := find(u.a, "id", id, subnetType); subnet != nil {
			return Inputs(subnet.Outputs).String("vpcId")
		}
	}
	return ""
}

func (a *Account) usesOf(o *Object) []Use {
	collect := users[o.Type]
	if collect == nil {
		return nil
	}
	u := &uses{a: a}
	collect(u, o, Inputs(o.Outputs))
	return u.all
}

// checkUses refuses a resource whose calls AWS tries at once and would deny.
func (a *Account) checkUses(o *Object) error {
	for _, use := range a.usesOf(o) {
		if use.Refusal == nil {
			continue
		}
		if err := a.authorize(use.By, use.Call); err != nil {
			if e, ok := err.(*Error); ok && e.Code == disabledKeyCode {
				return e
			}
			refusal, f := *use.Refusal, a.findingOf(use, o, err)
			refusal.Why, refusal.Chain = strings.Join(f.Chain, "\n  "), f.Chain
			refusal.Fix, refusal.Change, refusal.Source = f.Fix, f.Change, f.Source
			return &refusal
		}
	}
	return nil
}

// findingOf says what of o does not work because a call of the account's own services or roles is denied.
func (a *Account) findingOf(u Use, o *Object, err error) Finding {
	f := Finding{Resource: o.URN, Code: "AccessDenied", Message: err.Error(), Source: u.Call.Source, Fix: u.fix(),
		Chain: []string{a.link(u.By, u.Call)}}
	if f.Resource == "" {
		f.Resource = Key(o.Type, o.ID)
	}
	var e *Error
	if !errors.As(err, &e) {
		return f
	}
	f.Code, f.Message = e.Code, e.Message
	if u.Refusal != nil {
		f.Code, f.Message = u.Refusal.Code, u.Refusal.Message
	}
	if len(e.Chain) > 0 {
		f.Chain, f.Fix, f.Change = e.Chain, e.Fix, e.Change
	}
	return f
}

// fix says which policy would have to change.
func (u Use) fix() string {
	if u.By.Role != "" {
		return fmt.Sprintf("allow %s on %s in a policy of role %s, and in the resource's own policy if it has one", u.Call.Action,
			u.Call.Resource, u.By.Role)
	}
	if u.Call.Action == "sts:AssumeRole" {
		return fmt.Sprintf("let %s assume %s in the role's trust policy", u.By.Service, u.Call.Resource)
	}
	return fmt.Sprintf("allow %s to %s in the policy of %s", u.By.Service, u.Call.Action, u.Call.Resource)
}

// String names the caller: the role, the service, or the administrator.
func (c Caller) String() string {
	switch {
	case c.Role != "":
		return "role " + c.Role
	case c.Service != "":
		return c.Service
	}
	return "administrator"
}

func (u *uses) add(by Caller, call Call, refusal *Error) {
	// A service calls from its own network, also with the rights of a role; roles and AWS's open buckets are reached from the site's.
	if _, forwarded := call.Context.Get("kms:ViaService"); by.Service == "" && !forwarded {
		call.VPC = u.vpc
	}
	u.all = append(u.all, Use{by, call, refusal})
}

// assumed adds that a service assumes a role, and returns the role as a caller; ok is false if the account has no such role.
func (u *uses) assumed(service, arn string, keys iam.Context, source string, refusal *Error) (role Caller, ok bool) {
	o := find(u.a, "arn", arn, roleType)
	if o == nil {
		return Caller{}, false
	}
	u.add(Caller{Service: service}, Call{Action: "sts:AssumeRole", Resource: arn, Context: keys, Source: source}, refusal)
	return Caller{Role: o.ID}, true
}

// from are the keys by which a service says on whose behalf it acts.
func (u *uses) from(sourceARN string) iam.Context {
	c := iam.Context{}
	c.Set("aws:SourceAccount", iam.One(u.a.AccountID))
	c.Set("aws:SourceArn", iam.One(sourceARN))
	return c
}

// A reason is what several calls have in common: who calls, AWS's page, and how AWS refuses the resource (see Use).
type reason struct {
	by      Caller
	source  string
	refusal *Error
}

func (r reason) documented(source string) reason { return reason{r.by, source, r.refusal} }

// key adds calls on a customer-managed key. Keys of AWS need no permission. via is the service through which a role uses the key.
func (u *uses) key(r reason, name, via string, keys iam.Context, actions ...string) {
	key := keyNamed(u.a, name)
	if key == nil {
		return
	}
	c := iam.Context{}
	for k, v := range keys {
		c[k] = v
	}
	if via != "" {
		c.Set("kms:ViaService", iam.One(via+"."+u.a.Region+"."+u.a.domain()))
	}
	if r.by.Role != "" {
		c.Set("kms:CallerAccount", iam.One(u.a.AccountID))
	}
	for k, v := range u.a.keyContext(key) {
		c[k] = v
	}
	for _, action := range actions {
		u.add(r.by, Call{Action: "kms:" + action, Resource: Inputs(key.Outputs).String("arn"), Context: c, Source: r.source}, r.refusal)
	}
}

// keyContext are the condition keys that follow from a key itself: its tags and aliases.
func (a *Account) keyContext(key *Object) iam.Context {
	c := resourceTags(key)
	var aliases []string
	for _, alias := range a.list(aliasType) {
		if Inputs(alias.Outputs).String("targetKeyId") == key.ID {
			aliases = append(aliases, Inputs(alias.Outputs).String("name"))
		}
	}
	if len(aliases) > 0 {
		c.Set("kms:ResourceAliases", iam.Several(aliases...))
	}
	return c
}

// resourceTags are the tags of an object as condition keys.
func resourceTags(o *Object) iam.Context {
	c := iam.Context{}
	for name, value := range Inputs(o.Outputs).Map("tagsAll") {
		if text, ok := value.(string); ok {
			c.Set("aws:ResourceTag/"+name, iam.One(text))
		}
	}
	return c
}

// domain ends the names of service endpoints in kms:ViaService.
func (a *Account) domain() string {
	if a.Partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// encryption is one pair of an encryption context.
func encryption(name, value string) iam.Context {
	c := iam.Context{}
	c.Set("kms:EncryptionContext:"+name, iam.One(value))
	return c
}

// bucketARN is the ARN of a bucket that is given by name or ARN.
func (u *uses) bucketARN(name string) string {
	if strings.HasPrefix(name, "arn:") || name == "" {
		return name
	}
	return "arn:" + u.a.Partition + ":s3:::" + name
}

// bucketKey is the key that a bucket encrypts new objects with; empty for keys of AWS.
func (u *uses) bucketKey(bucketARN string) string {
	bucket := find(u.a, "arn", bucketARN, "aws:s3/bucketV2:BucketV2")
	if bucket == nil {
		return ""
	}
	for _, e := range u.a.list("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2") {
		if Inputs(e.Inputs).String("bucket") == bucket.ID {
			return Inputs(e.Outputs).String("rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId")
		}
	}
	return ""
}

// write adds that the caller writes an object into a bucket, with the bucket's key.
func (u *uses) write(r reason, bucketARN, object string, keys iam.Context) {
	u.add(r.by, Call{Action: "s3:PutObject", Resource: bucketARN + "/" + object, Context: keys, Source: r.source}, r.refusal)
	if r.by.Role != "" {
		u.key(r.documented("S3 User Guide, \"Using server-side encryption with AWS KMS keys\""), u.bucketKey(bucketARN), "s3",
			encryption("aws:s3:arn", bucketARN), "GenerateDataKey")
	}
}
