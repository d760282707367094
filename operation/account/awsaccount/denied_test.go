package awsaccount

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"slipway/operation/account"
)

// A denial names the caller, the action and the resource, whichever way the call was made, and stays AWS's error.
func TestADenialNamesCallerActionAndResource(t *testing.T) {
	const message = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: %ACTION% on resource: arn:aws:x:::y " +
		"because no identity-based policy allows the %ACTION% action"
	a := answered(t, func(action string, form url.Values) (int, string) {
		service := map[string]string{"DescribeServices": "ecs", "DescribeAlarms": "cloudwatch", "DescribeCertificate": "acm"}[action]
		said := strings.ReplaceAll(message, "%ACTION%", service+":"+action)
		if form.Get("Action") != "" {
			return 403, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>` + said + `</Message></Error></ErrorResponse>`
		}
		return 400, `{"__type":"com.amazon.coral#AccessDeniedException","message":"` + said + `"}`
	})
	a.aws.APIOptions = append(a.aws.APIOptions, denials) // as Open does
	for want, call := range map[string]func() error{
		"ecs:DescribeServices": func() error {
			_, err := a.ECS().Services(t.Context(), "shop", []string{"web"})
			return err
		},
		"cloudwatch:DescribeAlarms": func() error { _, err := a.Observe().Alarms(t.Context(), []string{"a"}); return err },
		"acm:DescribeCertificate":   func() error { _, err := a.Observe().Certificate(t.Context(), "arn:c"); return err },
	} {
		err := call()
		var denied *account.DeniedError
		var wrong smithy.APIError
		if !errors.As(err, &denied) || denied.Action != want || denied.Resource != "arn:aws:x:::y" ||
			denied.Caller != "arn:aws:iam::123456789012:user/ada" || !errors.As(err, &wrong) {
			t.Errorf("%s: %v", want, err)
		}
	}
	other := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "The ciphertext refers to a key that does not exist"}
	if err := denial(other); err != error(other) {
		t.Errorf("another denial became %v", err)
	}
}
