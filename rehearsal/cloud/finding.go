package cloud

// Findings are the calls of services and roles that would be denied when they happen, and the connections that would be blocked.
func (a *Account) Findings() []Finding {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var all []Finding
	for _, o := range a.all() {
		for _, use := range a.usesOf(o) {
			if err := a.authorize(use.By, use.Call); err != nil {
				all = append(all, a.findingOf(use, o, err))
			}
		}
	}
	for _, j := range a.judges {
		all = append(all, j.findings()...)
	}
	return all
}
