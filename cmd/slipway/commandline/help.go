package commandline

import "slipway/internal/version"

// Longer texts of the help.

// Help is that of the command itself.
var Help = `Slipway puts a Django site on AWS Fargate with one Pulumi program, and rehearses it.

Every command works on a model of AWS inside this process. The engine is the real Pulumi engine, and
the program is the one that "pulumi up" deploys; only the account is not real. No credentials are
read, no account is called and nothing costs money.

With --live a command works on the stack's own AWS account, with the credentials of the environment.
It then needs the name of the stack, from --stack or SLIPWAY_STACK. Begin with bootstrap:
` + version.Page("README.md#deploying-for-real") + `

What a stack is made of is kept in .slipway/<stack>/. Delete that folder to forget it.`

// Trying explains the flags of a command that tries changes.
const Trying = `--without, --with, --add and --file try a change, and may be repeated. The program stays as it is. NAME is the name of a
resource in the program, and TYPE::NAME one of several that share it. A path leads into lists and into the JSON of policies and
containers: an element is named by its Sid, its name or its number, [+] appends, and the value null deletes.`

// Why and WhyExample explain the command why.
const (
	Why = `Why answers from the policies and the network of the rehearsed stack. If it is not deployed, or with --config, --without and
the like, a rehearsal answers.

ROLE is a role by its name in the program or its ARN, a service such as firehose.amazonaws.com, deploy or read for the roles of
the workflows, or administrator. RESOURCE is an ARN, "*", or a resource by its name in the program, with what is in it:
archive-logs/2026/x. Condition keys that the site sends in such a call need not be given.

SOURCE and DESTINATION are services, jobs, the bastion, the balancer, the database, internet, host names and addresses.

The exit code is 0 for yes, 3 for no, and 1 if the question could not be answered.`

	WhyExample = `  slipway why site-roles-execution ssm:GetParameters settings-db/password
  slipway why --stack prod deploy rds:DeleteDBInstance database
  slipway why --stack prod logs.us-east-1.amazonaws.com kms:Encrypt keys-logs --without 'keys-logs#CloudWatchLogs'
  slipway why web database:5432`
)
