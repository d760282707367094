package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// An engine that loses its credentials can no longer write its state, and what it creates after that is not recorded
// (pulumi/pulumi#19452, closed as by design; "ExpiredToken" in it). A first up of a stack takes 20 to 30 minutes, most of
// them its database, and a change of the database about as long; a release takes 5 to 10.
const (
	credentialsLong  = 45 * time.Minute // enough for every operation, and less than the hour of a new session
	credentialsShort = 15 * time.Minute // less than this is too little for any
)

// renewed are the sources whose credentials the SDK renews automatically during a run, in the engine and its providers
// too. All others expire for good: those copied into the environment, and those of an SSO session.
var renewed = []string{
	"AssumeRoleProvider", "CredentialsEndpointProvider", "EC2RoleProvider", "LoginProvider", "ProcessProvider", "WebIdentityCredentials",
}

// remaining is how long credentials are still valid, and whether that is known. The SDK does not know it for those in
// the environment; `aws configure export-credentials` writes it beside them.
func remaining(c aws.Credentials, variable string, now time.Time) (time.Duration, bool) {
	if c.CanExpire {
		return c.Expires.Sub(now), !slices.Contains(renewed, c.Source)
	}
	if c.Source != "EnvConfigCredentials" {
		return 0, false
	}
	ends, err := time.Parse(time.RFC3339, variable)
	return ends.Sub(now), err == nil
}

// Lasts warns of credentials that may expire before the operation ends, and refuses those that almost certainly do.
func (a *Account) Lasts(ctx context.Context, operation string, logf func(format string, args ...any)) error {
	if a.aws.Credentials == nil {
		return nil
	}
	c, err := a.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("the AWS credentials for stack %s: %w", a.args.Stack, err)
	}
	const variable = "AWS_CREDENTIAL_EXPIRATION"
	left, known := remaining(c, os.Getenv(variable), time.Now())
	switch {
	case !known || left >= credentialsLong:
		return nil
	case left >= credentialsShort:
		logf("Warning: the AWS credentials expire in %d minutes, and %s can take longer. An engine that loses its credentials cannot\n"+
			"record what it did. Log in again first if a database is created or changed.", int(left.Minutes()), operation)
		return nil
	}
	source := ""
	if !c.CanExpire {
		source = " according to " + variable
	}
	return fmt.Errorf("the AWS credentials expire in %d minutes%s, and %s needs at least %d; nothing was done\n"+
		"an engine that loses its credentials cannot record what it did: log in again, then repeat the command",
		max(0, int(left.Minutes())), source, operation, int(credentialsShort.Minutes()))
}

// unreachable reports whether a call failed because its request got no answer. The metadata of an instance and of a container is the last
// place where the SDK looks for credentials: outside of AWS nothing answers there, and then it is the credentials that are missing.
func unreachable(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		var called *smithy.OperationError
		if !errors.As(e, &called) {
			break
		}
		if slices.Contains([]string{"ec2imds", "endpoint-credentials"}, called.ServiceID) {
			return false
		}
		e = called
	}
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent) || errors.Is(err, context.DeadlineExceeded) // a firewall that drops packets
}
