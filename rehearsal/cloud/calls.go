package cloud

import (
	"fmt"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// Which calls an operation makes. The provider makes several calls for a resource, and AWS authorises each; for some it also checks
// other rights of the caller, such as those to pass a role or to use a key. The table is in calls_*.go, one file for each group of
// services. It is written from AWS's Service Authorization Reference and from the recorded requests of the genuine provider, and
// shares nothing with the program: a policy that is generated from the table of its judge is never wrong.

// A row is one call.
type row struct {
	action string
	on     []string // templates of the resources; each is authorised on its own
	at     func(v view) []string
	when   func(v view) bool
	keys   []func(v view, c iam.Context)
	fresh  bool   // the resource has no tags yet
	reason string // why AWS checks it, where it is not the call itself
	source string
}

// lifecycle are the calls for one resource type.
type lifecycle struct {
	create []row // before the resource exists: what AWS has yet to assign is *
	then   []row // on the new resource
	read   []row
	update []row
	delete []row
	source string // of rows without their own
}

// A view is the resource that a call is about.
type view struct {
	a   *Account
	o   *Object // as it is to be, or is
	was *Object // before an update
}

// call is a row. Each place is a template: "ec2:vpc/{vpcId}" is a resource of the account and region, "iam::role/{name}" one without a
// region, "s3:::{bucket}" one without account and region, "{arn}" an ARN that the resource holds, "*" no resource. A value that is not
// known is *, one of a list ("{subnets[]}") is a resource each. "{cluster|last}" is what follows the last slash.
func call(action string, on ...string) row { return row{action: action, on: on} }

func (r row) on_(at func(v view) []string) row { r.at = at; return r }

func (r row) with(set func(v view, c iam.Context)) row {
	r.keys = append(slices.Clip(r.keys), set)
	return r
}

// if_ limits a row to views for which all hold.
func (r row) if_(conditions ...func(v view) bool) row {
	was := r.when
	r.when = func(v view) bool {
		if was != nil && !was(v) {
			return false
		}
		return !slices.ContainsFunc(conditions, func(holds func(view) bool) bool { return !holds(v) })
	}
	return r
}

func (r row) because(reason string) row { r.reason = reason; return r }

func (r row) from(source string) row { r.source = source; return r }

// key sends a condition key whose value is a template, unless it is empty.
func (r row) key(name, template string) row {
	return r.with(func(v view, c iam.Context) {
		if values := v.expand(template); len(values) > 0 && values[0] != "" && values[0] != "*" {
			c.Set(name, iam.One(values[0]))
		}
	})
}

// tags sends the resource's tags with the request.
func (r row) tags() row {
	return r.with(func(v view, c iam.Context) { requestTags(c, v.tags(v.o)) })
}

// creating is a row for the tags of a new resource, which some services authorise as a call of its own.
func (r row) creating(key, operation string) row {
	r.fresh = true
	r = r.if_(tagged).tags().because("tags at creation")
	if key != "" {
		r = r.with(func(_ view, c iam.Context) { c.Set(key, iam.One(operation)) })
	}
	return r
}

func requestTags(c iam.Context, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	for name, value := range tags {
		c.Set("aws:RequestTag/"+name, iam.One(value))
	}
	c.Set("aws:TagKeys", iam.Several(sortedKeys(tags)...))
}

// tags are all tags of an object.
func (v view) tags(o *Object) map[string]string {
	if o == nil {
		return nil
	}
	return tagsOf(o)
}

func tagsOf(o *Object) map[string]string {
	from := Inputs(o.Outputs).Map("tagsAll")
	if from == nil {
		from = Inputs(o.Outputs).Map("tags")
	}
	tags := map[string]string{}
	for name, value := range from {
		if s, ok := value.(string); ok {
			tags[name] = s
		}
	}
	return tags
}

// str is a value of the resource as it is to be; "" if there is none.
func (v view) str(path string) string {
	if path == "id" {
		return v.o.ID
	}
	for _, m := range []Inputs{v.o.Outputs, v.o.Inputs} {
		if s := m.String(path); s != "" {
			return s
		}
	}
	if v.was != nil {
		return Inputs(v.was.Outputs).String(path)
	}
	return ""
}

func (v view) flag(path string) bool { return Inputs(v.o.Outputs).Bool(path) }

// Conditions of rows.

func tagged(v view) bool { return len(v.tags(v.o)) > 0 }

func has(path string) func(v view) bool {
	return func(v view) bool {
		found := false
		Inputs(v.o.Outputs).Each(path, func(_ string, value any) { found = found || value != nil && value != "" })
		return found
	}
}

func is(path string, values ...string) func(v view) bool {
	return func(v view) bool { return slices.Contains(values, v.str(path)) }
}

func on(path string) func(v view) bool { return func(v view) bool { return v.flag(path) } }

func not(holds func(v view) bool) func(v view) bool { return func(v view) bool { return !holds(v) } }

// changes is true in a create, and in an update of one of the inputs.
func changes(paths ...string) func(v view) bool {
	return func(v view) bool {
		return v.was == nil || slices.ContainsFunc(paths, func(path string) bool {
			return !same(v.was.Inputs[path], v.o.Inputs[path])
		})
	}
}

// otherThan is an update of an input that is not among the paths.
func otherThan(paths ...string) func(v view) bool {
	return func(v view) bool {
		for _, m := range []map[string]any{v.o.Inputs, v.was.Inputs} {
			for name := range m {
				if name != "tags" && name != "tagsAll" && name != defaultsMark && !slices.Contains(paths, name) &&
					!same(v.was.Inputs[name], v.o.Inputs[name]) {
					return true
				}
			}
		}
		return false
	}
}

// newTags and lostTags are an update that sets tags, or removes some.
func newTags(v view) bool {
	was := v.tags(v.was)
	for name, value := range v.tags(v.o) {
		if old, ok := was[name]; !ok || old != value {
			return true
		}
	}
	return false
}

func lostTags(v view) bool {
	now := v.tags(v.o)
	for name := range v.tags(v.was) {
		if _, ok := now[name]; !ok {
			return true
		}
	}
	return false
}

// retag are the rows of an update of tags.
func retag(add, remove, on string) []row {
	return []row{
		call(add, on).if_(newTags).with(func(v view, c iam.Context) {
			was, fresh := v.tags(v.was), map[string]string{}
			for name, value := range v.tags(v.o) {
				if old, ok := was[name]; !ok || old != value {
					fresh[name] = value
				}
			}
			requestTags(c, fresh)
		}),
		call(remove, on).if_(lostTags).with(func(v view, c iam.Context) {
			now := v.tags(v.o)
			var gone []string
			for _, name := range sortedKeys(v.tags(v.was)) {
				if _, ok := now[name]; !ok {
					gone = append(gone, name)
				}
			}
			c.Set("aws:TagKeys", iam.Several(gone...))
		}),
	}
}

// passes is the right to pass the role at path, an ARN, to a service (IAM User Guide, "Grant a user permissions to pass a role to an AWS
// service").
func passes(path, service string) row {
	r := call("iam:PassRole", "{"+path+"}").if_(has(path)).because("the call passes the role to " + service).from(passRolePage)
	return r.with(func(_ view, c iam.Context) { c.Set("iam:PassedToService", iam.One(service)) })
}

// links is the right to create a service-linked role, which AWS needs as long as the role does not exist.
func links(service, source string) row {
	r := call("iam:CreateServiceLinkedRole").on_(func(v view) []string {
		return []string{v.a.globalARN("iam", "role/aws-service-role/"+service+"/AWSServiceRoleFor"+linkedRoles[service])}
	}).because("the service-linked role of " + service + " does not exist in this account").from(source)
	r = r.with(func(_ view, c iam.Context) { c.Set("iam:AWSServiceName", iam.One(service)) })
	return r.if_(func(v view) bool {
		for _, role := range v.a.objects["aws:iam/serviceLinkedRole:ServiceLinkedRole"] {
			if Inputs(role.Inputs).String("awsServiceName") == service {
				return false
			}
		}
		return true
	})
}

// keyRights are the rights of the caller on the key at path, which a service asks for on the caller's behalf. An AWS-managed key
// needs none.
func keyRights(service, path, source string, actions ...string) []row {
	var rows []row
	for _, action := range actions {
		r := call("kms:" + action).because("via " + service + ", with the caller's rights").from(source).on_(func(v view) []string {
			var keys []string
			Inputs(v.o.Outputs).Each(path, func(_ string, value any) {
				if name, _ := value.(string); name != "" {
					if key := keyNamed(v.a, name); key != nil {
						keys = append(keys, Inputs(key.Outputs).String("arn"))
					}
				}
			})
			return keys
		})
		r = r.with(func(v view, c iam.Context) {
			c.Set("kms:ViaService", iam.One(service+"."+v.a.Region+"."+regions[v.a.Region].dnsSuffix()))
			c.Set("aws:ViaAWSService", iam.One("true"))
			c.Set("aws:CalledVia", iam.Several(service+".amazonaws.com"))
		})
		if action == "CreateGrant" {
			r = r.with(func(_ view, c iam.Context) { c.Set("kms:GrantIsForAWSResource", iam.One("true")) })
		}
		rows = append(rows, r)
	}
	return rows
}

// Pages that several rows cite.
const (
	authorization = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_"
	passRolePage  = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"
)

// all joins single rows and lists of rows.
func all(parts ...any) []row {
	var rows []row
	for _, part := range parts {
		switch p := part.(type) {
		case row:
			rows = append(rows, p)
		case []row:
			rows = append(rows, p...)
		}
	}
	return rows
}

// expand evaluates a template. It returns nothing if a list in it is empty.
func (v view) expand(template string) []string {
	results := []string{""}
	rest := template
	for {
		before, after, ok := strings.Cut(rest, "{")
		for i := range results {
			results[i] += before
		}
		if !ok {
			break
		}
		name, tail, _ := strings.Cut(after, "}")
		values := v.values(name)
		var joined []string
		for _, r := range results {
			for _, value := range values {
				joined = append(joined, r+value)
			}
		}
		results, rest = joined, tail
	}
	return results
}

// values are the values of one placeholder.
func (v view) values(name string) []string {
	path, form, _ := strings.Cut(name, "|")
	var found []string
	if strings.Contains(path, "[]") {
		Inputs(v.o.Outputs).Each(path, func(_ string, value any) {
			if s, ok := value.(string); ok && s != "" {
				found = append(found, s)
			}
		})
		if len(found) == 0 {
			return nil
		}
	} else if found = []string{v.str(path)}; found[0] == "" {
		found[0] = "*"
	}
	for i, s := range found {
		switch form {
		case "last":
			found[i] = lastPart(s, "/")
		case "relative":
			found[i] = strings.TrimPrefix(s, "/")
		}
	}
	return found
}

// resource is the ARN that an expanded template means.
func (a *Account) resource(text string) string {
	if text == "*" || strings.HasPrefix(text, "arn:") {
		return text
	}
	service, rest, _ := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(rest, "::"):
		return "arn:" + a.Partition + ":" + service + ":::" + rest[2:]
	case strings.HasPrefix(rest, ":"):
		return a.globalARN(service, rest[1:])
	}
	return a.arn(service, rest)
}

// calls evaluates rows for a view. The caller holds the account's lock.
func (v view) calls(rows []row, source string) []Call {
	var all []Call
	for _, r := range rows {
		if r.when != nil && !r.when(v) {
			continue
		}
		var on []string
		if r.at != nil {
			on = r.at(v)
		}
		for _, template := range r.on {
			for _, text := range v.expand(template) {
				on = append(on, v.a.resource(text))
			}
		}
		for _, resource := range on {
			c := Call{Action: r.action, Resource: resource, Context: iam.Context{}, Reason: r.reason, Source: orElse(r.source, source)}
			if !r.fresh {
				v.a.resourceTags(c.Context, resource, r.action)
			}
			for _, set := range r.keys {
				set(v, c.Context)
			}
			all = append(all, c)
		}
	}
	return all
}

// untaggable are services whose resources send no aws:ResourceTag. S3 sends the tags of a bucket only after attribute-based access
// control was turned on for it (S3 User Guide, "Enabling ABAC in general purpose buckets").
// Neither does WAF for a load balancer.
var untaggable = []string{"s3", "route53"}

// ownTagKeys are services that send the tags also in a condition key of their own.
var ownTagKeys = []string{"ec2", "ecs", "ecr", "elasticloadbalancing", "iam"}

// resourceTags sends the tags of the resource with an ARN.
func (a *Account) resourceTags(c iam.Context, arn, action string) {
	service, _, _ := strings.Cut(action, ":")
	if slices.Contains(untaggable, service) || strings.Contains(arn, ":loadbalancer/") &&
		(service == "wafv2" || action == "elasticloadbalancing:SetWebACL") {
		return
	}
	o := a.byARN(arn)
	if o == nil {
		return
	}
	for name, value := range tagsOf(o) {
		c.Set("aws:ResourceTag/"+name, iam.One(value))
		if slices.Contains(ownTagKeys, service) {
			c.Set(service+":ResourceTag/"+name, iam.One(value))
		}
	}
}

// arnOf is the ARN of an object; "" if it has none of its own.
func (a *Account) arnOf(o *Object) string {
	if arn := Inputs(o.Outputs).String("arn"); arn != "" && !isPart[o.Type] {
		return arn
	}
	if kind := ec2Names[o.Type]; kind != "" {
		return a.arn("ec2", kind+"/"+o.ID)
	}
	if strings.HasPrefix(o.ID, "arn:") && !isPart[o.Type] { // ECS services
		return o.ID
	}
	return ""
}

// byARN is the object with an ARN; nil if there is none. Of what lies within a resource, such as a stream of a log group, it is that
// resource.
func (a *Account) byARN(arn string) *Object {
	if o := a.arns[arn]; o != nil {
		return o
	}
	if group, _, ok := strings.Cut(arn, ":log-stream:"); ok {
		return a.arns[group]
	}
	return nil
}

// isPart are types that hold the ARN of another resource.
var isPart = map[string]bool{"aws:sns/topicPolicy:TopicPolicy": true, "aws:sns/topicSubscription:TopicSubscription": true}

// ec2Names are the types whose ARN is ec2:KIND/ID, in case the provider has no output arn.
var ec2Names = map[string]string{
	vpcType: "vpc", subnetType: "subnet", gatewayType: "internet-gateway", eipType: "elastic-ip", natType: "natgateway",
	routeTableType: "route-table", mainTableType: "route-table", groupType: "security-group",
	defaultGroupType: "security-group", ingressType: "security-group-rule", egressType: "security-group-rule", endpointType: "vpc-endpoint",
	instanceType: "instance", interfaceType: "network-interface", aclType: "network-acl", "aws:ec2/flowLog:FlowLog": "vpc-flow-log",
}

// operation names a list of rows.
type operation string

const (
	creates operation = "create"
	follows operation = "then"
	reads   operation = "read"
	updates operation = "update"
	deletes operation = "delete"
)

func (l lifecycle) rows(op operation) []row {
	switch op {
	case creates:
		return l.create
	case follows:
		return l.then
	case reads:
		return l.read
	case updates:
		return l.update
	}
	return l.delete
}

// callsOf are the calls of an operation on a resource. For a type without a table it is the kind's action. The caller holds the lock.
func (a *Account) callsOf(op operation, o, was *Object) []Call {
	if l, ok := a.registry.calls[o.Type]; ok {
		return view{a: a, o: o, was: was}.calls(l.rows(op), l.source)
	}
	k := a.registry.kinds[o.Type]
	if k == nil {
		return nil
	}
	action := map[operation]string{creates: k.CreateAction, updates: orElse(k.UpdateAction, k.CreateAction),
		deletes: orElse(k.DeleteAction, k.CreateAction)}[op]
	if action == "" {
		return nil
	}
	arn := orElse(Inputs(o.Outputs).String("arn"), "*")
	return view{a: a, o: o, was: was}.calls([]row{call(action, arn).tags()}, "the provider's create, update and delete functions")
}

// permitted returns AWS's refusal of the first call that the account's caller may not make.
func (a *Account) permitted(op operation, o, was *Object) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.permittedCalls(a.callsOf(op, o, was))
}

// sourceCalls are the calls of a data source.
func (a *Account) sourceCalls(token string, in Inputs) []Call {
	l := a.registry.calls[token]
	return view{a: a, o: &Object{Type: token, Inputs: in, Outputs: in}}.calls(l.read, l.source)
}

func (a *Account) permittedCalls(calls []Call) error {
	for _, c := range calls {
		if a.Watch != nil {
			a.Watch(a.Caller, c)
		}
		if err := a.allowed(a.Caller, c); err != nil {
			return err
		}
	}
	return nil
}

// Try returns AWS's refusal of the calls of an operation ("create", "update", "delete" or "read") by a caller, as if the object were not
// there yet or were to go. An update changes every input, adds every tag, and removes one. Try changes nothing.
func (a *Account) Try(c Caller, op, token, id string) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.get(token, id)
	if o == nil {
		return fmt.Errorf("there is no %s %s", noun(token), id)
	}
	operations := []operation{operation(op)}
	if op == string(creates) {
		operations = []operation{creates, follows, reads}
	}
	var was *Object
	if op == string(updates) {
		was = different(o)
	}
	for _, one := range operations {
		for _, call := range a.callsOf(one, o, was) {
			if err := a.allowed(c, call); err != nil {
				return o.hide(err)
			}
		}
	}
	return nil
}

// different is an object of which an update would change everything.
func different(o *Object) *Object {
	was := o.copy()
	for name := range was.Inputs {
		was.Inputs[name] = nil
	}
	if len(tagsOf(o)) > 0 {
		was.Outputs["tagsAll"] = map[string]any{"removed": "by the update"}
	}
	return was
}
