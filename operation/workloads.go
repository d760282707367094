package operation

// Workloads are what a stack's file says that it runs, by the names that people call them.
type Workloads struct {
	Services []string // web first; a worker by its name in the file, and by that of its service
	Jobs     []string
}

// DeclaredWorkloads reads them from the configuration: no account is asked.
func DeclaredWorkloads(t Target) (w Workloads, err error) {
	c, err := configure(t)
	if err != nil {
		return w, err
	}
	w.Services = []string{"web"}
	for _, one := range c.stack.Workers {
		w.Services = append(w.Services, one.Name, "worker-"+one.Name)
	}
	for _, one := range c.stack.Jobs {
		w.Jobs = append(w.Jobs, one.Name)
	}
	return w, nil
}
