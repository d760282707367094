package cloud

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
