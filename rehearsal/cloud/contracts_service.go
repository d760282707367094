package cloud

import "fmt"

// What a task, its service and its target group need from each other, and AWS accepts without.

// emptyGroups: a target group that a listener forwards to needs a service that registers tasks with it.
func (a *Account) emptyGroups() []Finding {
	served := map[string]bool{}
	for _, o := range a.list(serviceType) {
		for _, lb := range Inputs(o.Outputs).Maps("loadBalancers") {
			served[lb.String("targetGroupArn")] = true
		}
	}
	var found []Finding
	for _, group := range a.list(targetGroupType) {
		forwarding := listenersOf(a, group)
		if served[group.ID] || group.URN == "" || Inputs(group.Outputs).String("targetType") != "ip" || len(forwarding) == 0 ||
			len(a.list(serviceType)) == 0 {
			continue
		}
		found = append(found, deployed{resource: group}.finding("503", "Service Temporarily Unavailable", "add the target group to the "+
			"service's loadBalancers", "Elastic Load Balancing guide, \"Troubleshoot your Application Load Balancers\", HTTP 503",
			fmt.Sprintf("%s forwards to target group %s, and no service registers its tasks there", forwarding[0].describe(),
				Inputs(group.Outputs).String("name"))))
	}
	return found
}

// runContracts judges the settings of containers that ECS needs when it starts them, or that the program in them needs.
func (a *Account) runContracts() []Finding {
	var found []Finding
	for _, d := range a.deployments() {
		for _, c := range d.containers {
			if f := d.logged(c); f != nil {
				found = append(found, *f)
			}
			if f := a.credentials(d, c); f != nil {
				found = append(found, *f)
			}
		}
	}
	return found
}

// logged: the log driver awsfirelens becomes an output of Fluent Bit, which needs a name, and Firehose's outputs need a region and a
// stream.
func (d deployed) logged(c containerSpec) *Finding {
	const page = "ECS Developer Guide, \"Send Amazon ECS logs to an AWS service or AWS Partner\""
	driver, options := c.LogConfiguration.LogDriver, c.LogConfiguration.Options
	if driver != "awsfirelens" {
		return nil
	}
	needed := []string{"Name"}
	if name := options["Name"]; name == "kinesis_firehose" || name == "firehose" {
		needed = append(needed, "region", "delivery_stream")
	}
	for _, option := range needed {
		if options[option] == "" {
			f := d.finding("ResourceInitializationError", "unable to start the log router: missing output key "+option,
				"set option "+option+" in the logConfiguration", page+"; Fluent Bit manual, \"Amazon Kinesis Data Firehose\"",
				fmt.Sprintf("container %s logs with awsfirelens, whose options lack %s", c.Name, option))
			return &f
		}
	}
	return nil
}

// credentials: a container that is given the name of a bucket, or logs to a stream, calls AWS with the task role.
func (a *Account) credentials(d deployed, c containerSpec) *Finding {
	if d.definition.String("taskRoleArn") != "" {
		return nil
	}
	use := ""
	if stream := c.LogConfiguration.Options["delivery_stream"]; stream != "" && c.LogConfiguration.LogDriver == "awsfirelens" {
		use = "logs to stream " + stream
	}
	for _, e := range c.Environment {
		if find(a, "id", e.Value, bucketType) != nil {
			use = fmt.Sprintf("is given bucket %s in %s", e.Value, e.Name)
		}
	}
	if use == "" {
		return nil
	}
	f := d.finding("NoCredentialsError", "Unable to locate credentials", "give the task definition a task role",
		"ECS Developer Guide, \"Amazon ECS task IAM role\"", fmt.Sprintf("container %s %s, and its task has no taskRoleArn", c.Name, use))
	return &f
}
