package cloud

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"slipway/rehearsal/iam"
)

// A Caller makes calls on an account: an administrator, a role of the account, or an AWS service.
type Caller struct {
	// Role is the name of a role of the account. Empty: see Service.
	Role string
	// Service is a service principal, such as logs.us-east-1.amazonaws.com. Empty with an empty Role: an administrator, whom only
	// resource policies and the organisation's policies limit.
	Service string
}

// A Call is one request that AWS authorises.
type Call struct {
	Action   string      // "kms:CreateGrant"
	Resource string      // ARN, or "*" for an action without resource-level permissions
	Context  iam.Context // the condition keys that the request sends, besides those that follow from caller and resource
	VPC      string      // the network that the call comes from, whose endpoints may limit it; empty: it passes none
	AWSOwned bool        // the resource is AWS's and open to the call; only endpoints can refuse it
	Reason   string      // for a right that AWS checks besides the call itself: why
	Source   string      // AWS's page, or the public issue
}

// sessionName is the name of every role session: the model keeps no sessions.
const sessionName = "slipway"

// principal is the caller as IAM sees it. role is nil for services and administrators.
func (a *Account) principal(c Caller) (p iam.Principal, role *Object, err error) {
	switch {
	case c.Role != "":
		if role = a.get(roleType, c.Role); role == nil {
			return p, nil, &Error{Code: "AccessDenied", Action: "sts:AssumeRole", Status: 403, Message: "the role " + c.Role + " does not exist"}
		}
		p, err = iam.ParsePrincipal(fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", a.Partition, a.AccountID, c.Role, sessionName))
	case c.Service != "":
		p, err = iam.ParsePrincipal(c.Service)
	default:
		p, err = iam.ParsePrincipal(fmt.Sprintf("arn:%s:sts::%s:assumed-role/administrator/%s", a.Partition, a.AccountID, sessionName))
	}
	return p, role, err
}

// Decide evaluates a call by a caller with the policies that the account holds.
func (a *Account) Decide(c Caller, call Call) (iam.Decision, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	request, policies, err := a.request(c, call)
	if err != nil {
		return iam.Decision{}, err
	}
	if a.Evaluated != nil {
		a.Evaluated(request, policies)
	}
	return iam.Decide(request, policies), nil
}

// authorize returns AWS's refusal of a call, or nil.
func (a *Account) authorize(c Caller, call Call) error {
	if err := a.disabledKey(call); err != nil {
		return err
	}
	return a.allowed(c, call)
}

// allowed is authorize without the state of the key, about which the service that uses it has an error of its own.
func (a *Account) allowed(c Caller, call Call) error {
	request, policies, err := a.request(c, call)
	if err != nil {
		return err
	}
	if a.Evaluated != nil {
		a.Evaluated(request, policies)
	}
	d := iam.Decide(request, policies)
	if d.Allowed() {
		return nil
	}
	return a.denied(c, call, request, policies, d)
}

// cryptographic are the operations that a disabled key refuses to every caller (KMS Developer Guide, "Key states of AWS KMS keys").
var cryptographic = words("kms:Encrypt kms:Decrypt kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:ReEncryptFrom " +
	"kms:ReEncryptTo kms:CreateGrant")

func (a *Account) disabledKey(call Call) error {
	if !slices.Contains(cryptographic, call.Action) {
		return nil
	}
	if key := find(a, "arn", call.Resource, keyType); key != nil && key.Outputs["isEnabled"] == false {
		return refuse(disabledKeyCode, "", "%s is disabled.", call.Resource)
	}
	return nil
}

const disabledKeyCode = "KMSInvalidStateException"

func (a *Account) request(c Caller, call Call) (iam.Request, iam.Policies, error) {
	p, role, err := a.principal(c)
	if err != nil {
		return iam.Request{}, iam.Policies{}, err
	}
	r := iam.Request{Principal: p, Action: call.Action, Resource: call.Resource, Account: a.AccountID, Context: iam.Context{}}
	for key, values := range call.Context {
		r.Context[key] = values
	}
	a.globalKeys(r, role, call)
	policies := iam.Policies{Resource: a.resourcePolicy(call.Resource), Endpoint: a.passEndpoints(r, call)}
	if !call.AWSOwned {
		policies.SCP, policies.RCP = a.Organization.levels(call.Action)
		a.Organization.identify(r, c)
	}
	switch {
	case call.AWSOwned:
		// ECR's layers are fetched with addresses that a principal of AWS signs; aws:PrincipalAccount is not the caller's.
		r.Principal, err = iam.ParsePrincipal("arn:" + a.Partition + ":iam::" + awsAccount + ":role/service")
		r.Account, policies.Identity, policies.Resource = awsAccount, []*iam.Document{everything()}, open()
		return r, policies, err
	case role != nil:
		policies.Identity = a.identityPolicies(role)
		if boundary := Inputs(role.Inputs).String("permissionsBoundary"); boundary != "" {
			policies.Boundaries = []*iam.Document{a.managedPolicy(boundary)}
		}
	case c.Service == "":
		policies.Identity = []*iam.Document{everything()}
	}
	return r, policies, nil
}

// globalRegions are the services that one region serves for the whole partition, which is then what aws:RequestedRegion says (IAM User
// Guide, "AWS global condition context keys").
var globalRegions = map[string]string{"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

// globalKeys sets the condition keys that AWS sends with every request, and those that follow from the resource.
func (a *Account) globalKeys(r iam.Request, role *Object, call Call) {
	set := func(key string, values iam.Values) {
		if _, sent := r.Context.Get(key); !sent {
			r.Context.Set(key, values)
		}
	}
	service, _, _ := strings.Cut(call.Action, ":")
	region := a.Region
	if service == "iam" || service == "route53" {
		region = orElse(globalRegions[a.Partition], region)
	}
	set("aws:RequestedRegion", iam.One(region))
	set("aws:SecureTransport", iam.One("true"))
	set("aws:ViaAWSService", iam.One("false"))
	if role != nil {
		for name, value := range tagsOf(role) {
			set("aws:PrincipalTag/"+name, iam.One(value))
		}
	}
	if service != "kms" {
		return
	}
	set("kms:CallerAccount", iam.One(a.AccountID))
	if key := find(a, "arn", call.Resource, keyType); key != nil {
		var names []string
		for _, alias := range a.list(aliasType) {
			if keyNamed(a, Inputs(alias.Outputs).String("targetKeyId")) == key {
				names = append(names, alias.ID)
			}
		}
		if len(names) > 0 {
			set("kms:ResourceAliases", iam.Several(names...))
		}
	}
}

// everything is the policy of an administrator, and of AWS-managed policies whose contents the model does not know.
var everything = sync.OnceValue(func() *iam.Document {
	return mustParse("AdministratorAccess", `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`)
})

// awsAccount stands for the accounts of AWS, whose numbers differ by service and region.
const awsAccount = "000000000000"

// open is the policy of a resource that is open to everyone.
var open = sync.OnceValue(func() *iam.Document {
	return mustParse("open", `{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}`)
})

func mustParse(name, text string) *iam.Document {
	d, err := iam.Parse([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("cloud: %s: %v", name, err))
	}
	d.Name = name
	return d
}

// rolePolicies are the documents of a role as of a change of IAM.
type rolePolicies struct {
	iam       int
	documents []*iam.Document
}

func (a *Account) changedIAM(o *Object) {
	if strings.HasPrefix(o.Type, "aws:iam/") {
		a.iam++
		if a.IAMDelay {
			a.delay.changed(o)
		}
	}
}

// identityPolicies are the documents of a role: inline, attached, and those in its own inputs.
func (a *Account) identityPolicies(role *Object) []*iam.Document {
	if known, ok := a.identities.Load(role.ID); ok && known.(rolePolicies).iam == a.iam && !a.delay.hiding {
		return known.(rolePolicies).documents
	}
	all := a.collectPolicies(role)
	if a.delay.hiding {
		return all
	}
	a.identities.Store(role.ID, rolePolicies{a.iam, all})
	return all
}

func (a *Account) collectPolicies(role *Object) []*iam.Document {
	var all []*iam.Document
	for _, p := range a.list("aws:iam/rolePolicy:RolePolicy") {
		if p.Inputs["role"] == role.ID && !a.unseen(p) {
			all = append(all, a.document(p, "policy"))
		}
	}
	in := Inputs(role.Inputs)
	for i, inline := range in.Maps("inlinePolicies") {
		all = append(all, a.parsed(fmt.Sprintf("%s inline policy %d", role.describe(), i+1), documentText(inline, "policy")))
	}
	arns := in.Strings("managedPolicyArns")
	for _, p := range a.list("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		if p.Inputs["role"] == role.ID && !a.unseen(p) {
			arns = append(arns, Inputs(p.Inputs).String("policyArn"))
		}
	}
	for _, arn := range arns {
		all = append(all, a.managedPolicy(arn))
	}
	return slices.DeleteFunc(all, func(d *iam.Document) bool { return d == nil })
}

// Policies are all policy documents that the account holds, but for those of AWS.
func (a *Account) Policies() []*iam.Document {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var all []*iam.Document
	add := func(d *iam.Document) {
		if d != nil {
			all = append(all, d)
		}
	}
	for _, o := range a.all() {
		if o.Type == "aws:cloudwatch/logResourcePolicy:LogResourcePolicy" {
			continue
		}
		for _, path := range []string{"policy", "assumeRolePolicy"} {
			add(a.document(o, path))
		}
	}
	add(a.logPolicies())
	return all
}

func (a *Account) managedPolicy(arn string) *iam.Document {
	if p := a.find("arn", arn, policyType); p != nil {
		return a.document(p, "policy")
	}
	name := lastPart(arn, "/")
	if text := managedText[name]; text != "" {
		return a.parsed(name, text)
	}
	return everything()
}

// policyOf are the resources whose policy is an input of the resource itself, or a resource of its own that names it.
var policyOf = []struct {
	target, by string // type of the resource, and the output that the policy names
	own        string // input with the policy
	kind, ref  string // resource that attaches a policy, and its input that names the target
}{
	{target: keyType, by: "id", own: "policy", kind: "aws:kms/keyPolicy:KeyPolicy", ref: "keyId"},
	{target: "aws:s3/bucketV2:BucketV2", by: "id", own: "policy", kind: "aws:s3/bucketPolicy:BucketPolicy", ref: "bucket"},
	{target: "aws:sqs/queue:Queue", by: "id", own: "policy", kind: "aws:sqs/queuePolicy:QueuePolicy", ref: "queueUrl"},
	{target: "aws:sns/topic:Topic", by: "arn", own: "policy", kind: "aws:sns/topicPolicy:TopicPolicy", ref: "arn"},
	{target: "aws:ecr/repository:Repository", by: "name", kind: "aws:ecr/repositoryPolicy:RepositoryPolicy", ref: "repository"},
	{target: secretType, by: "arn", own: "policy", kind: "aws:secretsmanager/secretPolicy:SecretPolicy", ref: "secretArn"},
	{target: roleType, by: "id", own: "assumeRolePolicy"},
}

// resourcePolicy is the policy of the resource with the ARN; nil if it has none, or is not in the account. An object of a bucket has
// the bucket's.
func (a *Account) resourcePolicy(arn string) *iam.Document {
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) < 6:
		return nil
	case parts[2] == "s3":
		bucket, _, _ := strings.Cut(parts[5], "/")
		arn = strings.Join(append(parts[:5:5], bucket), ":")
	case parts[2] == "logs":
		return a.logPolicies()
	}
	for _, p := range policyOf {
		target := a.find("arn", arn, p.target)
		if target == nil {
			continue
		}
		if p.kind != "" {
			named := Inputs(target.Outputs).String(p.by)
			if p.by == "id" {
				named = target.ID
			}
			for _, attached := range a.list(p.kind) {
				if Inputs(attached.Inputs).String(p.ref) == named {
					return a.document(attached, "policy")
				}
			}
		}
		if p.own == "" || a.unseen(target) {
			return nil
		}
		return a.document(target, p.own)
	}
	return nil
}

// logPolicies are the resource policies of CloudWatch Logs, which belong to the account and not to a log group, as one document.
func (a *Account) logPolicies() *iam.Document {
	var all *iam.Document
	for _, p := range a.list("aws:cloudwatch/logResourcePolicy:LogResourcePolicy") {
		d := a.document(p, "policyDocument")
		switch {
		case d == nil:
		case all == nil:
			all = d
		default:
			all = &iam.Document{Name: "resource policies of CloudWatch Logs", Statements: slices.Concat(all.Statements, d.Statements)}
		}
	}
	return all
}

// document is the policy in an output of an object; nil if there is none.
func (a *Account) document(o *Object, path string) *iam.Document {
	return a.parsed(o.describe(), documentText(o.Outputs, path))
}

// parsed compiles a document, once for each text. A document that IAM would refuse was refused when it was created.
func (a *Account) parsed(name, text string) *iam.Document {
	if text == "" {
		return nil
	}
	key := name + "\x00" + text
	if known, ok := a.documents.Load(key); ok {
		return known.(*iam.Document)
	}
	d, err := iam.Parse([]byte(text))
	if err != nil {
		return nil
	}
	d.Name = name
	a.documents.Store(key, d)
	return d
}

// denied is AWS's answer to a call that its policies do not allow, with the chain and the statement that comes nearest.
func (a *Account) denied(c Caller, call Call, r iam.Request, p iam.Policies, d iam.Decision) error {
	e := &Error{Code: denialCode(call.Action), Action: call.Action, Status: 403}
	layer := iam.LayerIdentity
	explicit := d.Outcome == iam.ExplicitlyDenied
	if explicit {
		layer = d.By[0].Layer
	} else if len(d.Missing) > 0 {
		layer = d.Missing[0]
	}
	kind := awsNames[layer]
	e.Message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s ", r.Principal, call.Action, call.Resource)
	if explicit {
		e.Message += "with an explicit deny in a " + kind
	} else {
		e.Message += "because no " + kind + " allows the " + call.Action + " action"
	}
	a.explain(e, c, call, d, iam.Nearest(r, p, 1))
	return e
}

// awsNames are the layers in the words of AWS's messages (IAM User Guide, "Troubleshoot access denied error messages").
var awsNames = map[iam.Layer]string{
	iam.LayerSCP: "service control policy", iam.LayerRCP: "resource control policy", iam.LayerEndpoint: "VPC endpoint policy",
	iam.LayerResource: "resource-based policy", iam.LayerIdentity: "identity-based policy", iam.LayerBoundary: "permissions boundary",
	iam.LayerSession: "session policy",
}

// denialCode is the error code of a service for a denied call.
func denialCode(action string) string {
	service, _, _ := strings.Cut(action, ":")
	switch service {
	case "ec2":
		return "UnauthorizedOperation"
	case "iam", "s3", "sts", "elasticloadbalancing", "rds", "cloudwatch", "elasticache":
		return "AccessDenied"
	case "sns":
		return "AuthorizationError"
	}
	return "AccessDeniedException"
}

// link is a call in a chain, by the names that the program gives: "deploy role -> kms:Encrypt on keys-disk via ec2".
func (a *Account) link(by Caller, call Call) string {
	text := a.callerName(by) + " -> " + call.Action + " on " + a.nameOf(call.Resource)
	if via, ok := call.Context.Get("kms:ViaService"); ok && len(via) == 1 {
		service, _, _ := strings.Cut(via[0], ".")
		text += " via " + service
	}
	return text
}

// callerName is what people call a caller.
func (a *Account) callerName(by Caller) string {
	if by.Role == "" {
		return by.String()
	}
	if name := a.Called[by.Role]; name != "" {
		return name
	}
	if o := a.get(roleType, by.Role); o != nil && o.logical() != "" {
		return "role " + o.logical()
	}
	return by.String()
}

// nameOf is the logical name of the resource with an ARN, with what is within it; the ARN if the program does not know it.
func (a *Account) nameOf(arn string) string {
	if o := a.arns[arn]; o != nil && o.logical() != "" {
		return o.logical()
	}
	for _, separator := range []string{":log-stream:", "/"} {
		if i := strings.Index(arn, separator); i > 0 {
			if o := a.arns[arn[:i]]; o != nil && o.logical() != "" {
				return o.logical() + arn[i:]
			}
		}
	}
	return arn
}

// explain completes AWS's refusal of a call with the chain and with what to change.
func (a *Account) explain(e *Error, c Caller, call Call, d iam.Decision, near []iam.Near) {
	link := a.link(c, call)
	if d.Outcome == iam.ExplicitlyDenied {
		e.Chain = []string{link + ": denied by " + d.By[0].String()}
	} else {
		e.Chain = []string{link + ": no matching statement", strings.Join(d.Reasons(), "; ")}
	}
	if call.Reason != "" {
		e.Chain = append(e.Chain, call.Reason)
	}
	for _, n := range near {
		e.Chain = append(e.Chain, fmt.Sprintf("nearest: %s: %s", n.Match, n.Because))
	}
	e.Fix, e.Change = a.remedy(c, call, d, near)
	e.Source, e.Why = call.Source, strings.Join(e.Chain, "\n  ")
}

// remedy says which policy must change so that a call is allowed, and names its resource.
func (a *Account) remedy(c Caller, call Call, d iam.Decision, near []iam.Near) (fix string, change []string) {
	if d.Outcome == iam.ExplicitlyDenied {
		m := d.By[0]
		return fmt.Sprintf("change %s so that it does not deny %s on %s", m, call.Action, a.nameOf(call.Resource)), a.holder(m.Document)
	}
	layer := iam.LayerIdentity
	if len(d.Missing) > 0 {
		layer = d.Missing[0]
	}
	right := fmt.Sprintf("allow %s on %s", call.Action, call.Resource)
	for _, n := range near {
		if n.Layer == layer {
			change = a.holder(n.Document)
			break
		}
	}
	target := a.byARN(call.Resource)
	switch {
	case layer == iam.LayerIdentity && c.Role != "":
		fix = right + " in a policy of " + a.callerName(c)
		if change == nil {
			change = a.holderOf(c)
		}
		if target != nil && target.Type == keyType {
			fix += ", or name the role in the policy of the key"
		}
	case layer == iam.LayerResource || layer == iam.LayerIdentity:
		who := a.callerName(c)
		fix = fmt.Sprintf("allow %s to %s in the policy of %s", who, call.Action, a.nameOf(call.Resource))
		if call.Action == "sts:AssumeRole" {
			fix = fmt.Sprintf("let %s assume %s in its trust policy", who, a.nameOf(call.Resource))
		}
		if change == nil && target != nil && target.URN != "" {
			change = []string{target.URN}
		}
	default:
		fix = right + " in the " + awsNames[layer]
	}
	return fix, change
}

// holder is the resource that a policy document belongs to.
func (a *Account) holder(d *iam.Document) []string {
	if d == nil {
		return nil
	}
	for _, o := range a.all() {
		if o.URN != "" && o.describe() == d.Name {
			return []string{o.URN}
		}
	}
	return nil
}

// holderOf is the first policy of a role that the program made.
func (a *Account) holderOf(c Caller) []string {
	for _, p := range a.list("aws:iam/rolePolicy:RolePolicy") {
		if p.Inputs["role"] == c.Role && p.URN != "" {
			return []string{p.URN}
		}
	}
	if o := a.get(roleType, c.Role); o != nil && o.URN != "" {
		return []string{o.URN}
	}
	return nil
}
