package awsaccount

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"slipway/operation/account"
)

// refusal is how AWS words a denial (IAM User Guide, "Troubleshoot access denied error messages").
var refusal = regexp.MustCompile(`(?:User: (\S+) is )?not authorized to perform: (\S+)(?: on resource: (\S+))?`)

// denialCodes are the error codes of a denial.
var denialCodes = []string{"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}

// denial makes an *account.DeniedError of an error in which AWS names the caller, the action and the resource. Any other error stays as
// it is.
func denial(err error) error {
	var wrong smithy.APIError
	if !errors.As(err, &wrong) || !slices.Contains(denialCodes, wrong.ErrorCode()) {
		return err
	}
	said := refusal.FindStringSubmatch(wrong.ErrorMessage())
	if said == nil || said[1] == "" {
		return err
	}
	resource := said[3]
	if resource == "" {
		resource = "*"
	}
	return &account.DeniedError{Caller: said[1], Action: said[2], Resource: resource, Err: wrong}
}

// denials applies denial to each call of an SDK client.
func denials(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Denials", func(ctx context.Context, in middleware.InitializeInput,
		next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		return out, metadata, denial(err)
	}), middleware.Before)
}
