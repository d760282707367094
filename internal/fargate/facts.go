package fargate

import (
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about the roles of tasks.
func Facts(site wiring.Site) []catalog.Resource {
	role := catalog.Role(site)
	// ECS, not EC2 at large, gets the tasks' roles.
	role.Deploy = append(role.Deploy, catalog.PassRole(site, "ecs-tasks.amazonaws.com"))
	role.Bound = []policy.Statement{{ // the channels of ECS Exec
		Sid: "SpeakToSystemsManager",
		Actions: []string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		},
		Resources: []any{"*"},
	}}
	role.None &^= catalog.Bound
	return []catalog.Resource{role, catalog.RolePolicy(site)}
}

// TaskDefinition is the row of task definitions, which components make with NewTask.
func TaskDefinition(site wiring.Site) catalog.Resource {
	return catalog.Resource{
		Type: "aws:ecs/taskDefinition:TaskDefinition",
		Deploy: []catalog.Grant{
			// Described, listed and deregistered without a resource.
			catalog.Look("compute", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitionFamilies",
				"ecs:ListTaskDefinitions"),
			{Area: "compute", Statement: policy.Statement{
				Sid: "KeepServices",
				Actions: []string{
					"ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UntagResource",
				},
				Resources: catalog.Named(site, "ecs", "task-definition/"),
			}},
		},
		AWSManaged: `status`,
		None: catalog.Bound | catalog.Mirrors | catalog.Risks | catalog.Missing | catalog.Losses | catalog.Alarms | catalog.Offers |
			catalog.Ports,
	}
}
