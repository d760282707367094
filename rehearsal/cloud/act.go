package cloud

import (
	"maps"
	"strconv"
)

// What a person changes in a running stack through AWS's API, outside of any program. Each method is one call: it is authorised, and
// refused in the states in which AWS refuses it.

const (
	stopping  = "RDS User Guide, \"Stopping an Amazon RDS DB instance temporarily\""
	updating  = "ECS API Reference, UpdateService"
	targeting = "Application Auto Scaling API Reference, RegisterScalableTarget"
)

// act makes one change of an object. check returns AWS's refusal of the change in the object's state.
func (a *Account) act(token, id string, rows []row, check func(*Object) error, change func(*Object)) (was, now *Object, err error) {
	a.mu.RLock()
	o := a.get(token, id)
	if o == nil {
		a.mu.RUnlock()
		return nil, nil, &Error{Code: orElse(a.registry.kinds[token].NotFound, "NotFound"), Action: rows[0].action, Status: 404,
			Message: "The " + noun(token) + " '" + id + "' does not exist"}
	}
	was = o.copy()
	err = a.permittedCalls(view{a: a, o: o}.calls(rows, rows[0].source))
	if err == nil && check != nil {
		err = acting(check(o), rows[0].action)
	}
	a.mu.RUnlock()
	if err == nil {
		err = a.before(rows[0].action, was)
	}
	if err != nil {
		return nil, nil, was.hide(err)
	}
	if err := a.Alter(token, id, change); err != nil {
		return nil, nil, err
	}
	return was, a.Object(token, id), nil
}

// looks are the resources on which the calls that describe one object are authorised.
var looks = map[string]row{
	serviceType:  call("ecs:DescribeServices", "ecs:service/{cluster|last}/{name}").with(clusterOfService),
	scalingType:  call("application-autoscaling:DescribeScalableTargets", "*"),
	databaseType: call("rds:DescribeDBInstances", "rds:db:{identifier}"),
	scheduleType: call("scheduler:GetSchedule", "scheduler:schedule/{groupName}/{name}"),
}

// Look authorises the call that describes an object, and returns a copy of the object; nil if there is none.
func (a *Account) Look(token, id string) (*Object, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.get(token, id)
	if o == nil {
		return nil, nil
	}
	if err := a.permittedCalls(view{a: a, o: o}.calls([]row{looks[token]}, "")); err != nil {
		return nil, o.hide(err)
	}
	return o.copy(), nil
}

func updateService() []row {
	return []row{call("ecs:UpdateService", "ecs:service/{cluster|last}/{name}").with(clusterOfService).from(updating)}
}

// ScaleService sets the desired count of a service. The tasks are started and stopped before it returns.
func (a *Account) ScaleService(id string, tasks int) error {
	was, now, err := a.act(serviceType, id, updateService(), nil, func(o *Object) {
		o.Inputs["desiredCount"], o.Outputs["desiredCount"] = float64(tasks), float64(tasks)
	})
	if err != nil {
		return err
	}
	if a.Carry != nil {
		return a.Carry(was, now)
	}
	return nil
}

// RestartService makes a new deployment of the task definition that a service runs (forceNewDeployment), and waits for its end. A
// deployment that fails is in Rollouts.
func (a *Account) RestartService(id string) error {
	was, now, err := a.act(serviceType, id, updateService(), nil, func(o *Object) {
		if o.State == nil {
			o.State = map[string]string{}
		}
		n, _ := strconv.Atoi(o.State["restarts"])
		o.State["restarts"] = strconv.Itoa(n + 1)
	})
	if err != nil {
		return err
	}
	failure, err := a.carry(was, now)
	if err != nil {
		return err
	}
	if err := a.settle(was, now, failure); err != nil {
		return err
	}
	return a.flush()
}

// Restarts tells the deployments of one task definition apart.
func (o *Object) Restarts() string { return o.State["restarts"] }

// A Suspension says which activities of scaling are suspended.
type Suspension struct{ In, Out, Scheduled bool }

// RegisterScaling sets the range of a scalable target, and what is suspended.
func (a *Account) RegisterScaling(id string, low, high int, s Suspension) error {
	rows := []row{
		call("application-autoscaling:RegisterScalableTarget", "{arn}").key("application-autoscaling:service-namespace", "{serviceNamespace}").
			key("application-autoscaling:scalable-dimension", "{scalableDimension}").from(targeting),
		call("ecs:DescribeServices", "ecs:{resourceId}").with(clusterOfScaled).from(scalingChecks),
		call("ecs:UpdateService", "ecs:{resourceId}").with(clusterOfScaled).from(scalingChecks),
	}
	check := func(*Object) error {
		if low < 0 || low > high {
			return refuse("ValidationException", "", "Maximum capacity cannot be less than minimum capacity: got %d and %d", high, low)
		}
		return nil
	}
	_, _, err := a.act(scalingType, id, rows, check, func(o *Object) {
		for _, m := range []map[string]any{o.Inputs, o.Outputs} {
			m["minCapacity"], m["maxCapacity"] = float64(low), float64(high)
		}
		o.Outputs["suspendedState"] = map[string]any{"dynamicScalingInSuspended": s.In, "dynamicScalingOutSuspended": s.Out,
			"scheduledScalingSuspended": s.Scheduled}
	})
	return err
}

// StopDatabase stops an instance. The model does not keep AWS waiting: the instance is stopped when it returns.
func (a *Account) StopDatabase(id string) error {
	rows := []row{call("rds:StopDBInstance", "rds:db:{identifier}").from(stopping)}
	_, _, err := a.act(databaseType, id, rows, func(o *Object) error {
		out := Inputs(o.Outputs)
		switch {
		case out.String("status") != "available":
			return refuse("InvalidDBInstanceState", "", "Instance %s is not in available state.", out.String("identifier"))
		case len(out.List("replicas")) > 0 || out.Has("replicateSourceDb"):
			return refuse("InvalidDBInstanceState", "it has a read replica, or is one", "Cannot stop instance %s: it has Read Replicas",
				out.String("identifier"))
		}
		return nil
	}, func(o *Object) { o.Outputs["status"] = "stopped" })
	return err
}

// StartDatabase starts an instance that was stopped.
func (a *Account) StartDatabase(id string) error {
	rows := []row{call("rds:StartDBInstance", "rds:db:{identifier}").from(stopping)}
	_, _, err := a.act(databaseType, id, rows, func(o *Object) error {
		if out := Inputs(o.Outputs); out.String("status") != "stopped" {
			return refuse("InvalidDBInstanceState", "", "Instance %s is not stopped.", out.String("identifier"))
		}
		return nil
	}, func(o *Object) { o.Outputs["status"] = "available" })
	return err
}

// SetSchedule sets the state of a schedule: ENABLED or DISABLED. UpdateSchedule replaces the whole schedule, so it passes the role.
func (a *Account) SetSchedule(id, state string) error {
	rows := []row{
		call("scheduler:UpdateSchedule", "scheduler:schedule/{groupName}/{name}").from(schedulerPage),
		passes("target.roleArn", "scheduler.amazonaws.com").from(schedulerRole),
	}
	_, _, err := a.act(scheduleType, id, rows, nil, func(o *Object) {
		o.Outputs["state"] = state
		o.Inputs = maps.Clone(o.Inputs)
		o.Inputs["state"] = state
	})
	return err
}
