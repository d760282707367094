package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// An AWS is what the stack's AWS provider is configured with: the keys of the namespace aws that Slipway reads. The program
// passes them to its own provider, and the slipway command uses the same account, profile and region for its own calls.
type AWS struct {
	Region  string `key:"region" required:"true" rule:"pulumi config set aws:region us-east-1"`
	Profile string `key:"profile"`

	AllowedAccountIDs   []string `key:"allowedAccountIds"`   // nothing is deployed to another account
	ForbiddenAccountIDs []string `key:"forbiddenAccountIds"` // nothing is deployed to these

	// These are for an endpoint that is not AWS's own, such as a test server.
	MaxRetries                int  `key:"maxRetries" allowed:"1..100"`
	S3UsePathStyle            bool `key:"s3UsePathStyle"`
	SkipCredentialsValidation bool `key:"skipCredentialsValidation"`
	SkipMetadataAPICheck      bool `key:"skipMetadataApiCheck"`
	SkipRequestingAccountID   bool `key:"skipRequestingAccountId"`

	Given []string // the keys that the stack sets: for the provider, false is not the same as nothing
}

// engineKeys are the keys of the namespace pulumi that the engine reads, wherever it runs. Slipway only checks their types.
type engineKeys struct {
	Tags                    map[string]string `key:"tags"`
	DisableDefaultProviders []string          `key:"disable-default-providers"`
}

// unreadAWS are the keys of the AWS provider that Slipway does not read, and what to do instead. An ignored guard would be
// worse than none, so they are mistakes.
var unreadAWS = map[string]string{
	"accessKey": ownCredentials, "secretKey": ownCredentials, "token": ownCredentials,
	"assumeRole": ownRole, "assumeRoles": ownRole, "assumeRoleWithWebIdentity": ownRole,
	"defaultTags":                    "set tags of the project's own namespace: every resource gets them",
	"ignoreTags":                     "every tag is compared, and drift reports tags that were added by hand",
	"endpoints":                      "set the environment variable AWS_ENDPOINT_URL",
	"customCaBundle":                 "set the environment variable AWS_CA_BUNDLE",
	"httpProxy":                      "set the environment variable HTTP_PROXY",
	"httpsProxy":                     "set the environment variable HTTPS_PROXY",
	"noProxy":                        "set the environment variable NO_PROXY",
	"sharedConfigFiles":              "set the environment variable AWS_CONFIG_FILE",
	"sharedCredentialsFiles":         "set the environment variable AWS_SHARED_CREDENTIALS_FILE",
	"useFipsEndpoint":                "set the environment variable AWS_USE_FIPS_ENDPOINT",
	"useDualstackEndpoint":           "set the environment variable AWS_USE_DUALSTACK_ENDPOINT",
	"retryMode":                      "set the environment variable AWS_RETRY_MODE",
	"ec2MetadataServiceEndpoint":     "set the environment variable AWS_EC2_METADATA_SERVICE_ENDPOINT",
	"ec2MetadataServiceEndpointMode": "set the environment variable AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	"insecure":                       "remove it: connections to AWS are always verified",
	"stsRegion":                      "remove it: STS is called in the stack's region",
	"skipRegionValidation":           "remove it: regions are checked against Slipway's list",
	"s3UsEast1RegionalEndpoint":      "remove it: S3 is called in the stack's region",
	"tokenBucketRateLimiterCapacity": "remove it",
}

const (
	ownCredentials = "credentials do not belong in a stack's file: set aws:profile, or the environment variable AWS_PROFILE"
	ownRole        = "name the role in a profile of the shared AWS configuration (role_arn), and set aws:profile to it: then every call " +
		"assumes it"
)

// providers are the other namespaces. Each function is the rule that a key breaks, or "".
var providers = map[string]func(key string) string{
	"aws": func(key string) string {
		keys := keysOf(reflect.TypeFor[AWS]())
		switch why, unread := unreadAWS[key]; {
		case slices.Contains(keys, key):
			return ""
		case unread:
			return "is not read by Slipway: " + why
		}
		for unread := range unreadAWS {
			keys = append(keys, unread)
		}
		slices.Sort(keys)
		if near := nearest(key, keys); near != "" {
			return "unknown key, did you mean aws:" + near + "?"
		}
		return "unknown key; Slipway reads aws:" + strings.Join(keysOf(reflect.TypeFor[AWS]()), ", aws:")
	},
	"pulumi": func(key string) string {
		if slices.Contains(keysOf(reflect.TypeFor[engineKeys]()), key) {
			return ""
		}
		return "is not read by Slipway; of the namespace pulumi you can set pulumi:tags and pulumi:disable-default-providers"
	},
	"docker": func(string) string {
		return "is not read by Slipway: the images are built by the Docker of this machine (DOCKER_HOST, docker context)"
	},
	"random": func(string) string { return "the provider random has no settings" },
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// namespace decodes the keys of a namespace that is not the project's, and returns those that are set.
func (d *decoder) namespace(space string, v reflect.Value) (given []string) {
	for _, f := range fieldsOf(v.Type()) {
		path := space + ":" + f.key
		raw, ok := d.source.Values[path]
		switch {
		case !ok && f.required:
			d.add(path, "", "is required: %s", f.rule)
			continue
		case !ok:
			continue
		case raw.Secret:
			d.add(path, masked, "must not be secret")
		default:
			if n := d.parse(f, path, raw); n != nil {
				d.value(v.FieldByIndex(f.index), n, path, f)
			}
		}
		given = append(given, f.key)
	}
	return given
}

// provider reads the keys of the AWS provider.
func (d *decoder) provider(s *Stack) {
	s.AWS.Given = d.namespace("aws", reflect.ValueOf(&s.AWS).Elem())
	d.namespace("pulumi", reflect.ValueOf(&engineKeys{}).Elem())
	s.Region = s.AWS.Region
	if !slices.Contains(regions, s.Region) && d.valid("aws:region") {
		rule := "must be an AWS region"
		if near := nearest(s.Region, regions); near != "" {
			rule += ", did you mean " + near + "?"
		}
		d.add("aws:region", quoted(s.Region), "%s", rule)
	}
	if Partition(s.Region) == "aws-cn" && d.valid("aws:region") {
		// Endpoints are cn.com.amazonaws..., some service principals and all hosts end in amazonaws.com.cn (AWS in China guide,
		// "Endpoints and ARNs"; aws-cdk#9864), and a site needs an ICP filing.
		d.add("aws:region", quoted(s.Region), "Slipway does not support the regions in China: their services have other endpoints and principals")
	}
	for _, guard := range []struct {
		key string
		ids []string
	}{{"aws:allowedAccountIds", s.AWS.AllowedAccountIDs}, {"aws:forbiddenAccountIds", s.AWS.ForbiddenAccountIDs}} {
		for i, id := range guard.ids {
			if at := fmt.Sprintf("%s[%d]", guard.key, i); d.valid(at) && !accountForm.MatchString(id) {
				d.add(at, quoted(id), "must be a 12-digit account ID, in quotes")
			}
		}
	}
	for i, id := range s.AWS.ForbiddenAccountIDs {
		if slices.Contains(s.AWS.AllowedAccountIDs, id) {
			d.add(fmt.Sprintf("aws:forbiddenAccountIds[%d]", i), quoted(id), "is in aws:allowedAccountIds, too")
		}
	}
	if raw, ok := d.source.Values["aws:allowedAccountIds"]; ok && !raw.Secret && len(s.AWS.AllowedAccountIDs) == 0 &&
		d.valid("aws:allowedAccountIds") {
		d.add("aws:allowedAccountIds", "", "must not be empty: remove it, or name an account")
	}
}
