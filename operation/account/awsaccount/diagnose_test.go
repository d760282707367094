package awsaccount

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/operation/account"
)

const (
	groupARN       = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
	certificateARN = "arn:aws:acm:us-east-1:123456789012:certificate/0123"
)

// TestDiagnosisReadsAWSsAnswers gives answers in the shape of AWS's API references, and checks what was asked.
func TestDiagnosisReadsAWSsAnswers(t *testing.T) {
	var asked []string
	a := answered(t, func(action string, form url.Values) (int, string) {
		asked = append(asked, action+" "+form.Encode())
		switch action {
		case "DescribeTargetHealth":
			if form.Get("TargetGroupArn") != groupARN {
				return 400, `<ErrorResponse><Error><Code>TargetGroupNotFound</Code><Message>no</Message></Error></ErrorResponse>`
			}
			return 200, `<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>` +
				`<member><HealthCheckPort>8080</HealthCheckPort><TargetHealth><State>healthy</State></TargetHealth><Target><Id>10.0.1.5</Id>` +
				`<Port>8080</Port></Target></member><member><TargetHealth><Description>Health checks failed with these codes: [404]</Description>` +
				`<State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason></TargetHealth>` +
				`<Target><Id>10.0.2.6</Id><Port>8080</Port></Target>` +
				`</member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>`
		case "DescribeDBInstances":
			if form.Get("DBInstanceIdentifier") != "shop" {
				return 404, `<ErrorResponse><Error><Code>DBInstanceNotFound</Code><Message>no</Message></Error></ErrorResponse>`
			}
			return 200, `<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>` +
				`<DBInstanceStatus>stopped</DBInstanceStatus>` +
				`<Endpoint><Address>shop.c1.us-east-1.rds.amazonaws.com</Address><Port>5432</Port></Endpoint>` +
				`</DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>`
		case "DescribeCertificate":
			return 200, `{"Certificate":{"Status":"EXPIRED","DomainName":"www.example.com",` +
				`"SubjectAlternativeNames":["www.example.com","example.com"],` +
				`"NotAfter":1.767322985E9,"RenewalSummary":{"RenewalStatus":"FAILED","RenewalStatusReason":"DOMAIN_VALIDATION_DENIED"}}}`
		}
		return http.StatusTeapot, action
	})
	d, ctx := a.Observe(), t.Context()
	targets, err := d.Targets(ctx, groupARN)
	want := []account.Target{{Address: "10.0.1.5", State: "healthy"},
		{Address: "10.0.2.6", State: "unhealthy", Reason: "Health checks failed with these codes: [404]"}}
	if diff := cmp.Diff(want, targets); diff != "" || err != nil {
		t.Errorf("targets: %v %s", err, diff)
	}
	if is, err := d.Database(ctx, "shop"); err != nil || is.Status != "stopped" || is.Address != "shop.c1.us-east-1.rds.amazonaws.com" {
		t.Errorf("database %+v, %v", is, err)
	}
	if _, err := d.Database(ctx, "gone"); !errors.Is(err, account.ErrGone) {
		t.Errorf("a database that does not exist gives %v", err)
	}
	c, err := d.Certificate(ctx, certificateARN)
	if diff := cmp.Diff(account.Certificate{ARN: certificateARN, Domain: "www.example.com", Status: "EXPIRED",
		Names: []string{"www.example.com", "example.com"}, NotAfter: time.Date(2026, 1, 2, 3, 3, 5, 0, time.UTC), Renewal: "FAILED",
		Reason: "DOMAIN_VALIDATION_DENIED"}, c); diff != "" || err != nil {
		t.Errorf("certificate: %v %s", err, diff)
	}
	if !slices.ContainsFunc(asked, func(call string) bool { return strings.Contains(call, "DBInstanceIdentifier=shop&") }) {
		t.Errorf("it asked %q", asked)
	}
}

// An account that denies a call says so: doctor must not take it for health.
func TestDiagnosisPassesADenialOn(t *testing.T) {
	a := answered(t, func(action string, form url.Values) (int, string) {
		if form.Get("Action") != "" {
			return 403, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform ` + action +
				`</Message></Error></ErrorResponse>`
		}
		return 400, `{"__type":"com.amazon.coral#AccessDeniedException","message":"not authorized to perform ` + action + `"}`
	})
	ctx, d, o := t.Context(), a.Diagnosis(), a.Observe()
	for name, call := range map[string]func() error{
		"targets":     func() error { _, err := o.Targets(ctx, groupARN); return err },
		"database":    func() error { _, err := o.Database(ctx, "shop"); return err },
		"certificate": func() error { _, err := o.Certificate(ctx, certificateARN); return err },
		"alarms":      func() error { _, err := o.Alarms(ctx, []string{"a"}); return err },
		"parameters":  func() error { _, err := d.Parameters(ctx, []string{"/a"}); return err },
		"settings":    func() error { _, err := d.Settings(ctx, "arn:td"); return err },
		"images": func() error {
			_, err := d.Missing(ctx, []string{"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/django@sha256:00"})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "not authorized to perform") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
