package cloud

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// CloudWatch Logs.

const logGroupForm = `[a-zA-Z0-9_./#-]+`

// retentions are the valid retention periods in days; 0 means forever.
var retentions = words("0 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653")

// logsKinds are the resource types of CloudWatch Logs.
func logsKinds() []Kind {
	return []Kind{
		logGroupKind(), logStreamKind(), subscriptionFilterKind(), metricFilterKind(), logResourcePolicyKind(), queryDefinitionKind(),
	}
}

func logGroupKind() Kind {
	return prefixed(Kind{
		Type: logGroupType, CreateAction: "logs:CreateLogGroup", UpdateAction: "logs:PutRetentionPolicy", DeleteAction: "logs:DeleteLogGroup",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 512, Form: logGroupForm, Taken: "ResourceAlreadyExistsException"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{keyRef("kmsKeyId")},
		Defaults: map[string]any{"retentionInDays": 0, "skipDestroy": false, "logGroupClass": "STANDARD", "namePrefix": "", "kmsKeyId": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(oneOf(in, "retentionInDays", retentions...), oneOf(in, "logGroupClass", "STANDARD", "INFREQUENT_ACCESS"),
				arns(in, "kmsKeyId"), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("logs", "log-group:"+o.ID)
			return nil
		},
		AfterDelete: remakeGroup,
	})
}

func logStreamKind() Kind {
	return Kind{
		Type: "aws:cloudwatch/logStream:LogStream", CreateAction: "logs:CreateLogStream", DeleteAction: "logs:DeleteLogStream",
		Name:     Name{Input: "name", Max: 512, Form: `[^:*]+`, Taken: "ResourceAlreadyExistsException", Scope: "logGroupName"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("logGroupName", "id", logGroupType)},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.arn("logs", "log-group:"+in.String("logGroupName")+":log-stream:"+o.ID)
			return nil
		},
	}
}

func subscriptionFilterKind() Kind {
	return Kind{
		Type: subscriptionType, CreateAction: "logs:PutSubscriptionFilter", UpdateAction: "logs:PutSubscriptionFilter",
		DeleteAction: "logs:DeleteSubscriptionFilter",
		Name:         Name{Input: "name", Max: 512, Form: `[^:*]+`, Scope: "logGroup"},
		NotFound:     "ResourceNotFoundException",
		Refs:         []Ref{soft("logGroup", "id", logGroupType), maybe("destinationArn", "arn", firehoseType, streamType), roleRef("roleArn")},
		Defaults:     map[string]any{"distribution": "ByLogStream"},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "distribution", "Random", "ByLogStream"), longest(in, "filterPattern", 1024), filterProblems(in, "filterPattern"))
			if d := in.String("destinationArn"); (strings.Contains(d, ":firehose:") || strings.Contains(d, ":kinesis:")) && !in.Has("roleArn") &&
				!unknown.Has("roleArn") {
				p = append(p, awsProblem("roleArn", "InvalidParameterException",
					"destinationArn for vendor firehose and kinesis needs a role that CloudWatch Logs can assume"))
			}
			return p
		},
		CheckState: checkSubscriptionState,
		Compute: func(a *Account, o *Object) error {
			o.ID = fmt.Sprintf("cwlsf-%d", crc(Inputs(o.Outputs).String("logGroup")+"-"+Inputs(o.Outputs).String("name")))
			fill(o, "roleArn", "")
			return nil
		},
	}
}

func metricFilterKind() Kind {
	return Kind{
		Type: "aws:cloudwatch/logMetricFilter:LogMetricFilter", CreateAction: "logs:PutMetricFilter", UpdateAction: "logs:PutMetricFilter",
		DeleteAction: "logs:DeleteMetricFilter",
		Name:         Name{Input: "name", Max: 512, Form: `[^:*]+`, Scope: "logGroupName"},
		NotFound:     "ResourceNotFoundException",
		Refs:         []Ref{soft("logGroupName", "id", logGroupType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(filterProblems(in, "pattern"), longest(in, "pattern", 1024), longest(in, "metricTransformation.name", 255),
				longest(in, "metricTransformation.namespace", 255),
				longest(in, "metricTransformation.value", 100))
			if in.Has("metricTransformation.dimensions") && in.Has("metricTransformation.defaultValue") {
				p = append(p, awsProblem("metricTransformation.defaultValue", "InvalidParameterException",
					"a metric with dimensions takes no default value"))
			}
			if n := len(in.Map("metricTransformation.dimensions")); n > 3 {
				p = append(p, awsProblem("metricTransformation.dimensions", "InvalidParameterException", "expected at most 3 dimensions, got %d", n))
			}
			if v := in.String("metricTransformation.defaultValue"); v != "" {
				if _, err := strconv.ParseFloat(v, 64); err != nil {
					p = append(p, problem("metricTransformation.defaultValue", "expected a number, got %q", v))
				}
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			n := 0
			for _, other := range others(a, o, o.Type) {
				if other.Inputs["logGroupName"] == o.Inputs["logGroupName"] {
					n++
				}
			}
			if n >= 100 {
				return refuse("LimitExceededException", "", "Resource limit exceeded.")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error { o.ID = Inputs(o.Outputs).String("name"); return nil },
	}
}

func logResourcePolicyKind() Kind {
	return Kind{
		Type: "aws:cloudwatch/logResourcePolicy:LogResourcePolicy", CreateAction: "logs:PutResourcePolicy",
		UpdateAction: "logs:PutResourcePolicy", DeleteAction: "logs:DeleteResourcePolicy",
		NotFound: "ResourceNotFoundException",
		Check:    func(in Inputs, unknown Unknowns) []Problem { return policyProblems(in, "policyDocument", logsDocument) },
		CheckState: func(a *Account, o *Object) error {
			return limit{most: 10, code: "LimitExceededException", message: "Resource limit exceeded."}.check(a, o)
		},
		Compute: func(a *Account, o *Object) error { o.ID = Inputs(o.Inputs).String("policyName"); return nil },
	}
}

func queryDefinitionKind() Kind {
	return Kind{
		Type: "aws:cloudwatch/queryDefinition:QueryDefinition", CreateAction: "logs:PutQueryDefinition", UpdateAction: "logs:PutQueryDefinition",
		DeleteAction: "logs:DeleteQueryDefinition",
		Name:         Name{Input: "name", Max: 255},
		NotFound:     "ResourceNotFoundException",
		Refs:         []Ref{soft("logGroupNames[]", "id", logGroupType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := longest(in, "queryString", 10000)
			if n := len(in.List("logGroupNames")); n > 50 {
				p = append(p, awsProblem("logGroupNames", "InvalidParameterException", "expected at most 50 log groups, got %d", n))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
			}
			o.Outputs["queryDefinitionId"] = o.ID
			return nil
		},
	}
}

var emptyComparison = regexp.MustCompile(`(=|!=|<|>|<=|>=)\s*(\)|\}|&&|\|\||$)`)

// filterProblems checks the outer form of a filter pattern. Source: CloudWatch Logs User Guide, "Filter pattern syntax".
func filterProblems(in Inputs, path string) []Problem {
	text := strings.TrimSpace(in.String(path))
	fault := func(why string) []Problem {
		return []Problem{awsProblem(path, "InvalidParameterException", "Invalid filter pattern %q: %s", text, why)}
	}
	bare := quoted.ReplaceAllString(text, "x")
	switch {
	case strings.Contains(bare, `"`):
		return fault("a quotation mark is not closed")
	case !strings.HasPrefix(bare, "{") && !strings.HasPrefix(bare, "["):
		return nil
	case strings.HasPrefix(bare, "{") && !strings.HasSuffix(bare, "}") || strings.HasPrefix(bare, "[") && !strings.HasSuffix(bare, "]"):
		return fault("its bracket is not closed")
	case strings.Count(bare, "(") != strings.Count(bare, ")"):
		return fault("its parentheses do not match")
	case strings.HasPrefix(bare, "{") && emptyComparison.MatchString(strings.TrimSpace(bare[1:len(bare)-1])):
		return fault("a comparison has no value")
	case strings.HasPrefix(bare, "{") && !strings.Contains(bare, "$"):
		return fault("a selector begins with $")
	}
	return nil
}

var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// checkSubscriptionState checks the destination. CloudWatch Logs sends a test message to it, so the destination must exist, and
// CloudWatch Logs must be able to assume the role and to write with it.
func checkSubscriptionState(a *Account, o *Object) error {
	if group := find(a, "id", Inputs(o.Inputs).String("logGroup"), logGroupType); group != nil &&
		Inputs(group.Outputs).String("logGroupClass") == "INFREQUENT_ACCESS" { // CloudWatch Logs guide, "Log classes"
		return refuse("InvalidOperationException", "its class is INFREQUENT_ACCESS", "Subscription filters are not supported for log group %s.",
			group.ID)
	}
	in := Inputs(o.Inputs)
	n := 0
	for _, other := range others(a, o, o.Type) {
		if other.Inputs["logGroup"] == in.String("logGroup") {
			n++
		}
	}
	if n >= 2 {
		return refuse("LimitExceededException", "a log group takes 2 subscription filters", "Resource limit exceeded.")
	}
	return nil
}
