package awsaccount

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
)

// A queryService is a service that speaks AWS's Query protocol: form in, XML out. A few calls of each only read here. The SDK's package
// for EC2 alone would add a minute to the first build and 10 MB to the command.
type queryService struct{ name, version string }

var (
	ec2Service        = queryService{"ec2", "2016-11-15"}
	elbService        = queryService{"elasticloadbalancing", "2015-12-01"}
	rdsService        = queryService{"rds", "2014-10-31"}
	cloudwatchService = queryService{"monitoring", "2010-08-01"}
	cacheService      = queryService{"elasticache", "2015-02-02"}
)

// A jsonService is one that speaks AWS JSON 1.1: its actions are headers, target.ACTION.
type jsonService struct{ name, target string }

var (
	certificateService = jsonService{"acm", "CertificateManager"}
	scalingService     = jsonService{"application-autoscaling", "AnyScaleFrontendService"}
)

// queryLimit is more than any answer that these calls get: they ask for pages.
const queryLimit = 64 << 20

// call calls an action and decodes its answer into out. An error from AWS is a smithy.APIError, as the SDK's are.
func (s queryService) call(ctx context.Context, settings aws.Config, action string, params url.Values, out any) error {
	form := url.Values{"Action": {action}, "Version": {s.version}}
	for name, values := range params {
		form[name] = values
	}
	status, answer, err := post(ctx, settings, s.name, []byte(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}})
	switch {
	case err != nil:
		return fmt.Errorf("%s:%s: %w", s.name, action, err)
	case status != http.StatusOK:
		return fmt.Errorf("%s:%s: %w", s.name, action, denial(queryError(status, answer)))
	}
	return xml.Unmarshal(answer, out)
}

// call calls an action with in as JSON and decodes its answer into out, like the call of a queryService.
func (s jsonService) call(ctx context.Context, settings aws.Config, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	status, answer, err := post(ctx, settings, s.name, body, http.Header{
		"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {s.target + "." + action}})
	switch {
	case err != nil:
		return fmt.Errorf("%s:%s: %w", s.name, action, err)
	case status != http.StatusOK:
		var e struct {
			Type    string `json:"__type"`
			Message string
		}
		if json.Unmarshal(answer, &e) != nil || e.Type == "" {
			e.Type, e.Message = fmt.Sprint("HTTP ", status), http.StatusText(status)
		}
		return fmt.Errorf("%s:%s: %w", s.name, action, denial(&smithy.GenericAPIError{Code: e.Type[strings.LastIndex(e.Type, "#")+1:],
			Message: e.Message}))
	}
	return json.Unmarshal(answer, out)
}

// post sends a signed request.
func post(ctx context.Context, settings aws.Config, service string, body []byte, header http.Header) (status int, answer []byte,
	err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint(settings, service), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = header
	credentials, err := settings.Credentials.Retrieve(ctx)
	if err != nil {
		return 0, nil, err
	}
	hash := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), service, settings.Region, time.Now())
	if err != nil {
		return 0, nil, err
	}
	client := settings.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, queryLimit))
	return response.StatusCode, answer, err
}

// queryError reads an error response: EC2 has a list of errors, the others have one.
func queryError(status int, answer []byte) error {
	type one struct{ Code, Message string }
	var e struct {
		Error  one
		Errors struct{ Error one }
	}
	if xml.Unmarshal(answer, &e) != nil || e.Error.Code == "" && e.Errors.Error.Code == "" {
		return &smithy.GenericAPIError{Code: fmt.Sprint("HTTP ", status), Message: http.StatusText(status)}
	}
	if e.Error.Code == "" {
		e.Error = e.Errors.Error
	}
	return &smithy.GenericAPIError{Code: e.Error.Code, Message: e.Error.Message}
}

// endpoint is the URL of a service in the region.
func endpoint(settings aws.Config, service string) string {
	if settings.BaseEndpoint != nil {
		return strings.TrimSuffix(*settings.BaseEndpoint, "/") + "/"
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(settings.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://%s.%s.%s/", service, settings.Region, domain)
}
