package cloud

import (
	"regexp"
	"slices"
	"strings"
)

// Systems Manager: parameters and documents.

var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// ssmKinds are the resource types of Systems Manager.
func ssmKinds() []Kind {
	return []Kind{
		parameterKind(), ssmDocumentKind(),
	}
}

func parameterKind() Kind {
	return Kind{
		Type: parameterType, CreateAction: "ssm:PutParameter", UpdateAction: "ssm:PutParameter", DeleteAction: "ssm:DeleteParameter",
		Name:     Name{Input: "name", Max: 1011, Taken: "ParameterAlreadyExists"},
		NotFound: "ParameterNotFound",
		Refs:     []Ref{keyRef("keyId")},
		Defaults: map[string]any{"tier": "Standard", "dataType": "text"},
		Check:    checkParameter,
		Recomputed: map[string][]string{"value": {"version"}, "insecureValue": {"version"}, "type": {"version"}, "description": {"version"},
			"tier": {"version"}, "keyId": {"version"}, "allowedPattern": {"version"}},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			if pattern := in.String("allowedPattern"); pattern != "" {
				// The value is not shown: it may be a secret.
				if ok, err := regexp.MatchString(pattern, in.String("value")+in.String("insecureValue")); err == nil && !ok {
					return refuse("ParameterPatternMismatchException", "", "Parameter value doesn't match the allowed pattern %s", pattern)
				}
			}
			if key := keyNamed(a, in.String("keyId")); key != nil && key.Outputs["isEnabled"] == false {
				return refuse("InvalidKeyId", "", "%s is disabled.", key.ID)
			}
			if was := a.was(o); was != nil && was.Outputs["tier"] == "Advanced" && o.Outputs["tier"] == "Standard" {
				return refuse("ValidationException", "",
					"This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the "+
						"standard-parameter tier.")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.arn("ssm", "parameter/"+strings.TrimPrefix(o.ID, "/"))
			value := in.String("value") + in.String("insecureValue")
			fill(o, "value", value)
			if in.String("type") == "SecureString" {
				fill(o, "keyId", "alias/aws/ssm")
				fill(o, "insecureValue", "")
			} else {
				fill(o, "keyId", "")
				fill(o, "insecureValue", value)
			}
			version := 1
			if was := a.was(o); was != nil {
				version = Inputs(was.Outputs).Int("version")
				for _, name := range words("value insecureValue type description tier keyId allowedPattern") {
					if !same(was.Inputs[name], o.Inputs[name]) {
						version++
						break
					}
				}
			}
			o.Outputs["version"] = version
			return nil
		},
	}
}

func ssmDocumentKind() Kind {
	return Kind{
		Type: "aws:ssm/document:Document", CreateAction: "ssm:CreateDocument", UpdateAction: "ssm:UpdateDocument",
		DeleteAction: "ssm:DeleteDocument",
		Name:         Name{Input: "name", Max: 128, Form: `[a-zA-Z0-9_.-]{3,128}`, Taken: "DocumentAlreadyExists"},
		NotFound:     "InvalidDocument",
		Defaults:     map[string]any{"documentFormat": "JSON"},
		Check:        checkSSMDocument,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			version := "1"
			if was := a.was(o); was != nil {
				version = Inputs(was.Outputs).String("latestVersion")
				if !same(was.Inputs["content"], o.Inputs["content"]) {
					version = jsonText(atoi(version) + 1)
				}
			}
			m, _ := strictObject(in.String("content"))
			for name, v := range map[string]any{"arn": a.arn("ssm", "document/"+o.ID), "owner": a.AccountID,
				"status": "Active", "hashType": "Sha256",
				"hash": draw(64, in.String("content")), "latestVersion": version, "defaultVersion": version, "documentVersion": version,
				"createdDate": kept(a, o, "createdDate", func() any { return stamp(a) }), "schemaVersion": Inputs(m).String("schemaVersion"),
				"description": Inputs(m).String("description"), "platformTypes": []any{"Linux", "MacOS", "Windows"}, "parameters": []any{}} {
				o.Outputs[name] = v
			}
			return nil
		},
		Recomputed: map[string][]string{"content": {"latestVersion", "defaultVersion", "documentVersion", "hash",
			"schemaVersion", "description"}},
	}
}

func checkParameter(in Inputs, unknown Unknowns) []Problem {
	const code = "ValidationException"
	p := allOf(oneOf(in, "type", "String", "StringList", "SecureString"), oneOf(in, "tier", "Standard", "Advanced", "Intelligent-Tiering"),
		oneOf(in, "dataType", "text", "aws:ec2:image", "aws:ssm:integration"), longest(in, "description", 1024),
		longest(in, "allowedPattern", 1024), tagProblems(in))
	if name := in.String("name"); in.Has("name") {
		lower := strings.ToLower(strings.TrimPrefix(name, "/"))
		switch {
		case !parameterName.MatchString(name):
			p = append(p, awsProblem("name", code, "a parameter's name has letters, digits and . - _ /, got %q", name))
		case strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm"):
			p = append(p, awsProblem("name", code, `Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive), got %q`, name))
		case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
			p = append(p, awsProblem("name", code, "Parameter name must be a fully qualified name: one with / begins with /, got %q", name))
		case strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
			p = append(p, awsProblem("name", code, "a parameter's name has no empty level, got %q", name))
		case strings.Count(name, "/") > 15:
			p = append(p, awsProblem("name", "HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels, got %d",
				strings.Count(name, "/")))
		}
	}
	if n := given(in, unknown, "value", "insecureValue"); n != 1 {
		p = append(p, problem("value", "exactly one of value and insecureValue must be given and not be empty, got %d", n))
	}
	if in.String("type") == "SecureString" && in.Has("insecureValue") {
		p = append(p, problem("insecureValue", "a SecureString takes value, so that it stays secret"))
	}
	if in.Has("keyId") && in.Has("type") && in.String("type") != "SecureString" {
		p = append(p, awsProblem("keyId", code, "KeyId is only valid for SecureString parameters"))
	}
	value := in.String("value") + in.String("insecureValue")
	most := map[string]int{"Advanced": 8192, "Intelligent-Tiering": 8192}[in.String("tier")]
	if most == 0 {
		most = 4096
	}
	if len(value) > most {
		p = append(p, awsProblem("value", code, "%s tier parameters support a maximum parameter value of %d characters, got %d",
			orElse(in.String("tier"), "Standard"), most, len(value)))
	}
	if strings.Contains(value, "{{") {
		p = append(p, awsProblem("value", code, "Parameter value can't nest another parameter: it holds {{"))
	}
	return p
}

var documentTypes = words("Command Policy Automation Session Package ApplicationConfiguration ApplicationConfigurationSchema " +
	"DeploymentStrategy ChangeCalendar ProblemAnalysis ProblemAnalysisTemplate CloudFormation ConformancePackTemplate QuickSetup " +
	"Automation.ChangeTemplate")

// sessionInputs are the inputs of a document with Session Manager preferences.
var sessionInputs = words(`s3BucketName s3KeyPrefix s3EncryptionEnabled cloudWatchLogGroupName cloudWatchEncryptionEnabled
	cloudWatchStreamingEnabled
	kmsKeyId runAsEnabled runAsDefaultUser idleSessionTimeout maxSessionDuration shellProfile`)

func checkSSMDocument(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidDocumentContent"
	p := allOf(oneOf(in, "documentType", documentTypes...), oneOf(in, "documentFormat", "JSON", "YAML", "TEXT"), tagProblems(in))
	for _, prefix := range words("aws amazon amzn AWS- AMZN- Amazon-") {
		if strings.HasPrefix(in.String("name"), prefix) {
			p = append(p, problem("name", "names that begin with %s are reserved by AWS, got %q", prefix, in.String("name")))
		}
	}
	text := in.String("content")
	if text == "" || in.String("documentFormat") == "YAML" || in.String("documentFormat") == "TEXT" {
		return p
	}
	m, err := strictObject(text)
	if err != nil {
		return append(p, awsProblem("content", code, "the content is not valid JSON: %v", err))
	}
	content := Inputs(m)
	versions := map[string][]string{"Session": {"1.0"}, "Command": {"1.2", "2.0", "2.2"}, "Automation": {"0.3"},
		"Policy": {"2.0"}}[in.String("documentType")]
	if v := content.String("schemaVersion"); versions != nil && !slices.Contains(versions, v) {
		p = append(p, awsProblem("content", code, "a %s document has schemaVersion %s, got %q", in.String("documentType"),
			alternatives(versions), v))
	}
	if in.String("documentType") == "Session" {
		if t := content.String("sessionType"); !slices.Contains(words("Standard_Stream InteractiveCommands NonInteractiveCommands Port"), t) {
			p = append(p, awsProblem("content", code,
				"expected sessionType Standard_Stream, InteractiveCommands, NonInteractiveCommands or Port, got %q", t))
		}
		for _, name := range sortedKeys(content.Map("inputs")) {
			if !slices.Contains(sessionInputs, name) {
				p = append(p, awsProblem("content", code, "a session document has no input %q%s", name, suggest(name, sessionInputs)))
			}
		}
		for name, limits := range map[string][2]int{"idleSessionTimeout": {1, 60}, "maxSessionDuration": {1, 1440}} {
			if v := content.String("inputs." + name); v != "" && (atoi(v) < limits[0] || atoi(v) > limits[1]) {
				p = append(p, awsProblem("content", code, "expected %s to be %d to %d minutes, got %q", name, limits[0], limits[1], v))
			}
		}
	}
	return p
}
