package verdict

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Started is the deployments of services that one run began: by the service's URN, the task definition that it asked for. It is ""
// where the run did not change the task definition, or where the checkpoint has it.
//
// A run that failed must be judged by these alone. The checkpoint still names the task definition of the run before, and
// what runs may be the work of that run as well.
type Started map[string]string

// ExpectedOf is what the run asked of the services that it began to deploy, given the resources of the stack's checkpoint.
func (s Started) ExpectedOf(resources []apitype.ResourceV3) (Expected, error) {
	var own []apitype.ResourceV3
	for _, r := range resources {
		if r.Type == TypeService {
			definition, began := s[string(r.URN)]
			if !began {
				continue
			}
			if definition != "" {
				r.Inputs = maps.Clone(r.Inputs)
				r.Inputs["taskDefinition"] = definition // the engine does not record the inputs of an update that failed
			}
		}
		own = append(own, r)
	}
	return ExpectedOf(own)
}
