package cloud

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slipway/rehearsal/finding"
	"slipway/rehearsal/reach"
)

// outsideAddress stands for the internet (RFC 5737).
var outsideAddress = netip.MustParseAddr("192.0.2.1")

// A blocked path is a connection that a resource needs and cannot open.
type blocked struct {
	need
	answer reach.Answer
}

// blockedOf are the needs of a resource that have no path. The caller holds the lock.
func (p *paths) blockedOf(o *Object) []blocked {
	if connected[o.Type] == nil {
		return nil
	}
	n := p.networks()
	var all []blocked
	for _, w := range p.needsOf(o, n) {
		key := fmt.Sprint(w.from.Kind, w.from.Places, w.from.Groups, w.from.Public, w.to.Name, w.to.Address, w.port)
		if w.to.Node == nil && n.known(key) {
			continue
		}
		answer := n.Ask(reach.Question{From: w.from, To: w.to, Port: w.port})
		switch {
		case !answer.Open:
			all = append(all, blocked{w, answer})
		case w.to.Node == nil:
			n.learn(key)
		}
	}
	return all
}

func (n *networks) known(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open[key]
}

func (n *networks) learn(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[key] = true
}

// check refuses a service whose tasks would not start or not become healthy: ECS accepts it, and its deployment never completes.
func (p *paths) check(o *Object) error {
	if o.Type != serviceType || numberOr(Inputs(o.Outputs), "desiredCount", 0) == 0 {
		return nil
	}
	stops := slices.DeleteFunc(p.blockedOf(o), func(b blocked) bool { return !b.starts })
	if len(stops) == 0 {
		return nil
	}
	// What another resource is to blame for, such as the port of a health check, is reported there as well.
	for _, b := range stops {
		if b.at != o {
			p.a.refused(b.at.URN, p.refusal(b.code, b.failure, []blocked{b}))
		}
	}
	message := "tasks failed to start: "
	if stops[0].code == targetCode {
		message = "tasks failed ELB health checks: "
	}
	return p.refusal("DeploymentFailed", message+stops[0].failure, stops)
}

// refusal is how AWS shows that there is no path, with everything that would have to change.
func (p *paths) refusal(code, message string, all []blocked) *Error {
	f := p.finding(all)
	return &Error{Code: code, Message: message, Why: strings.Join(f.Chain, "\n  "), Chain: f.Chain, Fix: f.Fix, Source: f.Source,
		Change: f.Change}
}

// findings are the paths that resources need and do not have, and those that should not be there. What has one cause is one finding
// for each resource.
func (p *paths) findings() []Finding {
	var all []Finding
	for _, o := range p.a.all() {
		var groups [][]blocked
		for _, b := range p.blockedOf(o) {
			at := slices.IndexFunc(groups, func(g []blocked) bool {
				return g[0].at == b.at && slices.Equal(fixes(g[0].answer), fixes(b.answer))
			})
			if at < 0 {
				groups = append(groups, []blocked{b})
			} else {
				groups[at] = append(groups[at], b)
			}
		}
		for _, g := range groups {
			all = append(all, p.finding(g))
		}
		all = append(all, p.exposed(o)...)
	}
	return all
}

// fixes are the repairs of an answer, as texts.
func fixes(answer reach.Answer) []string {
	var all []string
	for _, b := range answer.Blocks {
		if b.Repair.Change != "" {
			all = append(all, b.Repair.String())
		}
	}
	return all
}

// finding says which connections a resource cannot open, what stops them, and every setting that would have to change.
func (p *paths) finding(all []blocked) Finding {
	first := all[0]
	f := Finding{Resource: first.at.URN, Code: first.code, Message: strings.TrimPrefix(first.failure, first.code+": "), Source: first.source}
	if f.Resource == "" {
		f.Resource = Key(first.at.Type, first.at.ID)
	}
	add := func(list *[]string, text string) {
		if !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	var links, repairs []string
	what := map[string][]string{}
	for _, b := range all {
		link := fmt.Sprintf("%s -> %s:%d", b.answer.From, b.answer.To, b.answer.Port)
		add(&links, link)
		if !slices.Contains(what[link], b.what) {
			what[link] = append(what[link], b.what)
		}
		for _, x := range b.answer.Blocks {
			if o := p.object(x.Repair.On); o != nil && o.URN != "" {
				add(&f.Change, o.URN)
			}
		}
		for _, text := range fixes(b.answer) {
			add(&repairs, text)
		}
	}
	for _, link := range links {
		f.Chain = append(f.Chain, fmt.Sprintf("%s (%s)", link, strings.Join(what[link], ", ")))
	}
	shown := map[reach.Repair]bool{}
	for _, b := range all {
		for _, x := range b.answer.Blocks {
			if !shown[x.Repair] || x.Repair.Change == "" {
				add(&f.Chain, x.String())
			}
			shown[x.Repair] = true
		}
	}
	f.Fix = strings.Join(repairs, finding.Repairs)
	return f
}

// object is the object of a network with an ID.
func (p *paths) object(id string) *Object {
	for token := range networkTypes {
		if o := p.a.get(token, id); o != nil && o.URN != "" {
			return o
		}
	}
	return nil
}

// exposed are the ports of a resource that the internet reaches. Only listeners of a balancer are meant to be reached.
func (p *paths) exposed(o *Object) []Finding {
	var node *reach.Node
	n := p.networks()
	in, w := Inputs(o.Outputs), &needs{a: p.a, n: n, o: o}
	switch {
	case o.Type == serviceType && in.Bool("networkConfiguration.assignPublicIp"):
		tasks := w.tasks(in.Strings("networkConfiguration.subnets"), in.Strings("networkConfiguration.securityGroups"), true)
		node = &tasks
	case o.Type == instanceType && in.String("publicIp") != "":
		host := w.tasks([]string{in.String("subnetId")}, in.Strings("vpcSecurityGroupIds"), true)
		host.Kind = reach.Host
		node = &host
	case o.Type == databaseType && in.Bool("publiclyAccessible"):
		node = n.Nodes[strings.ToLower(in.String("address"))]
	}
	if node == nil {
		return nil
	}
	var all []Finding
	for _, port := range openPorts(n.Network, node) {
		answer := n.Ask(reach.Question{From: reach.Node{Kind: reach.Internet}, To: reach.To{Node: node}, Port: port})
		if !answer.Open {
			continue
		}
		f := Finding{Resource: o.URN, Code: "ReachableFromInternet", Source: "VPC User Guide, \"Infrastructure security in Amazon VPC\"",
			Message: fmt.Sprintf("the internet reaches %s on port %d", label(o), port),
			Fix:     "take away its public address, or the rule that admits the internet"}
		for _, h := range answer.Path {
			f.Chain = append(f.Chain, strings.TrimSuffix(h.At+": "+h.Detail, ": "))
		}
		all = append(all, f)
	}
	return all
}

// openPorts are the ports of a node that its groups open to the internet: of a range the first one.
func openPorts(n *reach.Network, node *reach.Node) []uint16 {
	var all []uint16
	for _, id := range node.Groups {
		g := n.Groups[id]
		if g == nil {
			continue
		}
		for _, r := range g.In {
			// A range as wide as this one is no list of known clients.
			if !r.CIDR.IsValid() || r.CIDR.Bits() > 7 {
				continue
			}
			port := r.Ports.From
			if len(node.Listens) > 0 && (r.Protocol == "-1" || r.Ports.From <= node.Listens[0] && node.Listens[0] <= r.Ports.To) {
				port = node.Listens[0]
			}
			if !slices.Contains(all, port) {
				all = append(all, port)
			}
		}
	}
	return all
}

// Reach answers whether a source reaches a destination. Both are a logical name, the name of a service, a host name, an address, or
// "internet"; a destination may also be a service of AWS ("logs", "ecr.api", "s3"). It ends with ":PORT", unless the destination has one
// port only.
func (a *Account) Reach(source, destination string) (reach.Answer, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	n := (&paths{a: a}).networks()
	from, err := a.reachSource(n, source)
	if err != nil {
		return reach.Answer{}, err
	}
	name, portText := destination, ""
	if strings.Count(destination, ":") == 1 { // an IPv6 address has more
		name, portText, _ = strings.Cut(destination, ":")
	}
	to, usual, err := a.reachDestination(n, name)
	if err != nil {
		return reach.Answer{}, err
	}
	q := reach.Question{From: from, To: to, Port: usual}
	if portText != "" {
		p, err := strconv.ParseUint(portText, 10, 16)
		if err != nil || p == 0 {
			return reach.Answer{}, fmt.Errorf("%q is not a port from 1 to 65535", portText)
		}
		q.Port = uint16(p)
	}
	if q.Port == 0 {
		return reach.Answer{}, fmt.Errorf("%s needs a port, as in %s:443", name, name)
	}
	return n.Ask(q), nil
}

func (a *Account) reachSource(n *networks, name string) (reach.Node, error) {
	if name == "internet" {
		return reach.Node{Kind: reach.Internet, Label: "internet"}, nil
	}
	node, err := a.reachNode(n, name)
	if err != nil {
		return reach.Node{}, err
	}
	if node == nil {
		return reach.Node{}, fmt.Errorf("there is no %s that opens connections; there are internet, %s", name, strings.Join(a.reachNames(n),
			", "))
	}
	return *node, nil
}

func (a *Account) reachDestination(n *networks, name string) (to reach.To, usual uint16, err error) {
	if address, err := netip.ParseAddr(name); err == nil {
		if !address.Is4() {
			return to, 0, fmt.Errorf("%s: the model knows IPv4 only", name)
		}
		return reach.To{Address: address}, 0, nil
	}
	if name == "internet" {
		return reach.To{Address: outsideAddress}, 443, nil
	}
	node, err := a.reachNode(n, name)
	if err != nil {
		return to, 0, err
	}
	if node != nil {
		if len(node.Listens) == 1 {
			usual = node.Listens[0]
		}
		// By its own name, an internet-facing balancer has its public addresses.
		for host, known := range n.Nodes {
			if known.ID == node.ID {
				return reach.To{Name: host}, usual, nil
			}
		}
		return reach.To{Node: node}, usual, nil
	}
	if slices.Contains(endpointServices, name) {
		bucket := ""
		if name == "ecr.dkr" {
			bucket = a.AccountID
		}
		return reach.To{Name: regions[a.Region].hostOf(name, bucket), Service: regions[a.Region].service(name)}, 443, nil
	}
	if !strings.Contains(name, ".") {
		return to, 0, fmt.Errorf("there is no %s; there are internet, %s, and the services of AWS, such as logs and ecr.api", name,
			strings.Join(a.reachNames(n), ", "))
	}
	return reach.To{Name: name, Service: regions[a.Region].serviceAt(name)}, 443, nil
}

// endTypes are the types that are an end of connections.
var endTypes = []string{serviceType, scheduleType, instanceType, balancerType, databaseType, cacheType, endpointType,
	natType}

// reachNode is the node with a logical name, an own name or an ID; nil if there is none.
func (a *Account) reachNode(n *networks, name string) (*reach.Node, error) {
	var found []*Object
	for _, o := range a.list(endTypes...) {
		if o.logical() == name || o.ID == name || Inputs(o.Outputs).String("name") == name || lastPart(o.ID, "/") == name {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return n.Nodes[strings.ToLower(name)], nil
	case 1:
		return a.nodeOf(n, found[0]), nil
	}
	var all []string
	for _, o := range found {
		all = append(all, noun(o.Type)+" "+o.ID)
	}
	return nil, errors.New(name + " is several: " + strings.Join(all, ", "))
}

func (a *Account) nodeOf(n *networks, o *Object) *reach.Node {
	in, w := Inputs(o.Outputs), &needs{a: a, n: n, o: o}
	var node reach.Node
	switch o.Type {
	case serviceType:
		node = w.tasks(in.Strings("networkConfiguration.subnets"), in.Strings("networkConfiguration.securityGroups"),
			in.Bool("networkConfiguration.assignPublicIp"))
	case instanceType:
		node = w.tasks([]string{in.String("subnetId")}, in.Strings("vpcSecurityGroupIds"), in.String("publicIp") != "")
		node.Kind = reach.Host
	case natType:
		node = w.tasks([]string{in.String("subnetId")}, nil, true)
		node.Kind, node.Ungrouped = reach.Host, true
	case endpointType:
		e := n.Endpoints[o.ID]
		node = reach.Node{ID: e.ID, Label: e.Label, Kind: reach.Interface, VPC: e.VPC, Places: e.Places, Groups: e.Groups, Listens: []uint16{443}}
	case scheduleType:
		const network = "target.ecsParameters.networkConfiguration."
		node = w.tasks(in.Strings(network+"subnets"), in.Strings(network+"securityGroups"), in.Bool(network+"assignPublicIp"))
	default:
		for _, known := range n.Nodes {
			if known.ID == o.ID {
				return known
			}
		}
		return nil
	}
	return &node
}

// reachNames are the logical names of what opens connections.
func (a *Account) reachNames(n *networks) []string {
	var all []string
	for _, o := range a.list(endTypes...) {
		if name := o.logical(); name != "" && a.nodeOf(n, o) != nil {
			all = append(all, name)
		}
	}
	slices.Sort(all) // the order of the account is that in which the engine made them
	return all
}
