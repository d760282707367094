package modelaccount

// The resource types that this package looks for in the model.
const (
	typeService    = "aws:ecs/service:Service"
	typeDefinition = "aws:ecs/taskDefinition:TaskDefinition"
	typeRepository = "aws:ecr/repository:Repository"
	typeImage      = "ecr:image" // of the model alone: no resource creates it
	typeKey        = "aws:kms/key:Key"
	typeScaling    = "aws:appautoscaling/target:Target"
	typeDatabase   = "aws:rds/instance:Instance"
	typeSchedule   = "aws:scheduler/schedule:Schedule"
	typeRole       = "aws:iam/role:Role"

	typeParameter   = "aws:ssm/parameter:Parameter"
	typeCertificate = "aws:acm/certificate:Certificate"
)
