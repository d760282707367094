package cloud

// The judges of a site, by the names by which FindingsOf takes them.
const (
	Permissions = "permissions" // calls of services and roles that would be denied when they happen
	Paths       = "paths"       // connections that would be blocked, or that the internet could open
	Contracts   = "contracts"   // what images, tasks, load balancer and database need of each other
	Settings    = "settings"    // settings that AWS accepts and that do not work together
)

// Judges are all of them, in the order in which they report.
var Judges = []string{Permissions, Paths, Contracts, Settings}

// Findings are what does not work in the account, although a deployment does not trip over it.
func (a *Account) Findings() []Finding { return a.FindingsOf(Judges...) }

// FindingsOf are the findings of some judges.
func (a *Account) FindingsOf(judges ...string) []Finding {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var all []Finding
	for _, name := range judges {
		if j := a.judges[name]; j != nil {
			all = append(all, j.findings()...)
		}
	}
	return all
}

// callers judges the calls of services and roles.
type callers struct{ a *Account }

func (callers) changed(*Object) {}

func (callers) check(*Object) error { return nil }

func (c callers) findings() []Finding {
	var all []Finding
	for _, o := range c.a.all() {
		for _, use := range c.a.usesOf(o) {
			if err := c.a.authorize(use.By, use.Call); err != nil {
				all = append(all, c.a.findingOf(use, o, err))
			}
		}
	}
	return all
}
