package cloud

import "slices"

// settings judges what AWS accepts, resource by resource, although the resources do not work together, or a setting has no effect where
// it is.
type settings struct{ a *Account }

func (settings) changed(*Object) {}

func (settings) check(*Object) error { return nil }

func (s settings) findings() []Finding {
	var found []Finding
	for _, b := range s.a.list(balancerType) {
		f := s.front(b)
		found = append(found, slices.Concat(f.internal(), f.certified(), f.addressed(), f.blocked())...)
		if !s.partial() {
			found = append(found, f.redirected()...)
		}
	}
	if !s.partial() { // else what is missing may only be so because of that
		found = append(found, s.unresolved()...)
		for _, o := range s.a.list(alarmType) {
			found = append(found, s.watched(o)...)
		}
	}
	for _, d := range s.a.deployments() {
		for _, lb := range d.service.Maps("loadBalancers") {
			found = append(found, s.behind(d, lb)...)
		}
		for _, c := range d.containers {
			found = append(found, slices.Concat(d.replacedVariables(c), d.ignoredLimits(c), d.failingCheck(c), d.logBuffer(c), d.ends(c),
				s.unwritable(d, c), s.expiring(d, c), s.routed(d, c),
				s.a.databaseVariables(d, c), s.a.cacheVariables(d, c), s.a.foreignBuckets(d, c))...)
		}
	}
	for _, o := range s.a.list(instanceType) {
		found = append(found, s.agentless(o)...)
	}
	for _, o := range s.a.list(firehoseType) {
		found = append(found, stripped(o)...)
	}
	for _, o := range s.a.list(scheduleType) {
		found = append(found, s.launched(o)...)
	}
	for _, o := range s.a.list(scalingPolicyType) {
		found = append(found, unreachable(o)...)
	}
	for _, o := range s.a.list(serviceType) {
		found = append(found, s.deployable(o)...)
	}
	for _, o := range s.a.list(databaseType) {
		found = append(found, s.database(o)...)
	}
	return found
}

// judged is an object as what findings are about.
func judged(o *Object) deployed { return deployed{resource: o} }

// partial reports whether AWS refused something, so that not everything is there.
func (s settings) partial() bool { return len(s.a.Refusals()) > 0 }
