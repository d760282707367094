package awsaccount

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"slipway/bootstrap"
)

// Two callers can create a service-linked role at the same time, one of them AWS itself: the later one finds it. IAM says
// InvalidInput of that, and of a service that has no such role, which is an error.
func TestAServiceRoleThatAppearsMeanwhileIsFound(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
	for _, c := range []struct{ name, message, did, want string }{
		{"taken", "Service role name AWSServiceRoleForECS has been taken in this account, please try a different suffix.", "found", ""},
		{"no such service", "The service principal ecs.amazonaws.com is not valid.", "", "is not valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			there := false
			var called []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				form, err := url.ParseQuery(string(body))
				if err != nil {
					t.Error(err)
				}
				called = append(called, form.Get("Action"))
				switch form.Get("Action") {
				case "ListRoles":
					if form.Get("PathPrefix") != "/aws-service-role/ecs.amazonaws.com/" {
						t.Errorf("it lists %q", form.Get("PathPrefix"))
					}
					member := ""
					if there {
						member = "<member><Path>/aws-service-role/ecs.amazonaws.com/</Path><RoleName>AWSServiceRoleForECS</RoleName>" +
							"<RoleId>AROA</RoleId><Arn>" + arn + "</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></member>"
					}
					fmt.Fprintf(w,
						"<ListRolesResponse><ListRolesResult><Roles>%s</Roles><IsTruncated>false</IsTruncated></ListRolesResult></ListRolesResponse>", member)
				case "CreateServiceLinkedRole":
					there = true
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidInput</Code><Message>%s</Message></Error></ErrorResponse>",
						c.message)
				default:
					t.Errorf("it calls %s, which changes a role that is AWS's own", form.Get("Action"))
				}
			}))
			defer server.Close()
			p, err := NewBootstrap(awsAt(t, server.URL)).ServiceRole(&bootstrap.Spec{}, "ecs.amazonaws.com").Apply(t.Context())
			if c.want == "" {
				if err != nil || p.Did != c.did || p.ID != arn {
					t.Errorf("got %+v, %v, after %v; want %s found", p, err, called, arn)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v; want an error with %q", p, err, c.want)
			}
		})
	}
}
