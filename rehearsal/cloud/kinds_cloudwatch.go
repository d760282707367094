package cloud

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Alarms, dashboards, and EventBridge rules.

// cloudwatchKinds are the resource types of CloudWatch alarms and dashboards, and EventBridge rules.
func cloudwatchKinds() []Kind {
	return []Kind{
		alarmKind(), compositeAlarmKind(), dashboardKind(), eventRuleKind(), eventTargetKind(),
	}
}

func alarmKind() Kind {
	return Kind{
		Type: alarmType, CreateAction: "cloudwatch:PutMetricAlarm", UpdateAction: "cloudwatch:PutMetricAlarm",
		DeleteAction: "cloudwatch:DeleteAlarms",
		Name:         Name{Input: "name", Max: 255, Taken: "ResourceAlreadyExistsException"},
		NotFound:     "ResourceNotFound",
		Refs:         alarmRefs,
		Defaults:     map[string]any{"actionsEnabled": true, "treatMissingData": "missing"},
		Check:        checkAlarm,
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("cloudwatch", "alarm:"+o.ID)
			fill(o, "evaluateLowSampleCountPercentiles", "")
			return nil
		},
	}
}

func compositeAlarmKind() Kind {
	return Kind{
		Type: compositeType, CreateAction: "cloudwatch:PutCompositeAlarm", UpdateAction: "cloudwatch:PutCompositeAlarm",
		DeleteAction: "cloudwatch:DeleteAlarms",
		Name:         Name{Input: "alarmName", Max: 255, Taken: "ResourceAlreadyExistsException"},
		NotFound:     "ResourceNotFound",
		Refs:         append(slices.Clip(alarmRefs), soft("actionsSuppressor.alarm", "id,arn", alarmType, compositeType)),
		Defaults:     map[string]any{"actionsEnabled": true},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(alarmActions(in), longest(in, "alarmRule", 10240), longest(in, "alarmDescription", 1024), tagProblems(in))
		},
		CheckState: func(a *Account, o *Object) error {
			for _, m := range alarmNames.FindAllStringSubmatch(Inputs(o.Inputs).String("alarmRule"), -1) {
				name := strings.Trim(m[1], `"' `)
				if find(a, "id", name, alarmType, compositeType) == nil && find(a, "arn", name, alarmType, compositeType) == nil {
					return refuse("ValidationError", "there is no alarm "+name, "AlarmRule contains an alarm that does not exist: %s", name)
				}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("alarmName")
			o.Outputs["arn"] = a.arn("cloudwatch", "alarm:"+o.ID)
			return nil
		},
	}
}

func dashboardKind() Kind {
	return Kind{
		Type: "aws:cloudwatch/dashboard:Dashboard", CreateAction: "cloudwatch:PutDashboard", UpdateAction: "cloudwatch:PutDashboard",
		DeleteAction: "cloudwatch:DeleteDashboards",
		NotFound:     "ResourceNotFound",
		Check:        checkDashboard,
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("dashboardName")
			o.Outputs["dashboardArn"] = a.globalARN("cloudwatch", "dashboard/"+o.ID)
			return nil
		},
	}
}

func eventRuleKind() Kind {
	return prefixed(Kind{
		Type: eventRuleType, CreateAction: "events:PutRule", UpdateAction: "events:PutRule", DeleteAction: "events:DeleteRule",
		Name: Name{Input: "name", Prefix: "namePrefix", Max: 64, Form: `[.\-_A-Za-z0-9]+`,
			Taken: "ResourceAlreadyExistsException", Scope: "eventBusName"},
		NotFound: "ResourceNotFoundException", InUse: "ValidationException",
		Refs:     []Ref{roleRef("roleArn")},
		Defaults: map[string]any{"eventBusName": "default", "state": "ENABLED", "forceDestroy": false, "namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(scheduleProblems(in, "scheduleExpression", "ValidationException", "rate", "cron"), longest(in, "description", 512),
				oneOf(in, "state", "ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"), tagProblems(in))
			if given(in, unknown, "scheduleExpression", "eventPattern") == 0 {
				p = append(p, awsProblem("eventPattern", "ValidationException", "a rule needs an eventPattern or a scheduleExpression"))
			}
			if in.Has("scheduleExpression") && in.Has("eventBusName") && in.String("eventBusName") != "default" {
				p = append(p, awsProblem("scheduleExpression", "ValidationException", "ScheduleExpression is supported only on the default event bus"))
			}
			if text := in.String("eventPattern"); text != "" {
				p = append(p, patternProblems(text)...)
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			fill(o, "isEnabled", in.String("state") != "DISABLED")
			path := ""
			if bus := in.String("eventBusName"); bus != "default" {
				o.ID, path = bus+"/"+o.ID, bus+"/"
			}
			o.Outputs["arn"] = a.arn("events", "rule/"+path+in.String("name"))
			return nil
		},
	})
}

func eventTargetKind() Kind {
	return Kind{
		Type: "aws:cloudwatch/eventTarget:EventTarget", CreateAction: "events:PutTargets", UpdateAction: "events:PutTargets",
		DeleteAction: "events:RemoveTargets",
		Name:         Name{Input: "targetId", Max: 64, Form: `[.\-_A-Za-z0-9]+`, Scope: "rule"},
		NotFound:     "ResourceNotFoundException",
		Refs: []Ref{held("rule", "id", eventRuleType), maybe("arn", "arn", topicType, queueType, clusterType, logGroupType,
			firehoseType, streamType),
			roleRef("roleArn"), maybe("deadLetterConfig.arn", "arn", queueType), soft("ecsTarget.taskDefinitionArn",
				"arn,arnWithoutRevision", taskType),
			soft("ecsTarget.networkConfiguration.subnets[]", "id", subnetType),
			soft("ecsTarget.networkConfiguration.securityGroups[]", "id", anyGroup...)},
		Defaults: map[string]any{"eventBusName": "default", "forceDestroy": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(between(in, "retryPolicy.maximumEventAgeInSeconds", 60, 86400), between(in, "retryPolicy.maximumRetryAttempts", 0, 185),
				longest(in, "input", 8192))
			if in.Has("ecsTarget") && !in.Has("roleArn") && !unknown.Has("roleArn") {
				p = append(p, awsProblem("roleArn", "ValidationException", "RoleArn is required for target that runs an ECS task"))
			}
			if given(in, unknown, "input", "inputPath", "inputTransformer") > 1 {
				p = append(p, awsProblem("input", "ValidationException", "only one of input, inputPath and inputTransformer may be given"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("rule") + "-" + in.String("targetId")
			return nil
		},
	}
}

var alarmRefs = []Ref{maybe("alarmActions[]", "arn", topicType), maybe("okActions[]", "arn", topicType),
	maybe("insufficientDataActions[]", "arn", topicType)}

var alarmNames = regexp.MustCompile(`(?:ALARM|OK|INSUFFICIENT_DATA)\(([^)]*)\)`)

var (
	statistics = words("SampleCount Average Sum Minimum Maximum")
	units      = words(`Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits
		Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second Bits/Second Kilobits/Second
		Megabits/Second Gigabits/Second Terabits/Second Count/Second None`)
	percentiles = regexp.MustCompile(`^(p[0-9]{1,2}(\.[0-9]{1,10})?|p100|(tm|tc|ts|wm)[0-9]{1,2}(\.[0-9]{1,10})?|IQM|(PR|TC|TM|TS|WM)` +
		`\([^)]*\))$`)
	comparisons = words(`GreaterThanOrEqualToThreshold GreaterThanThreshold LessThanThreshold LessThanOrEqualToThreshold
		LessThanLowerOrGreaterThanUpperThreshold LessThanLowerThreshold GreaterThanUpperThreshold`)
)

func checkAlarm(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "unit", units...), oneOf(in, "comparisonOperator", comparisons...), oneOf(in, "statistic", statistics...),
		between(in, "evaluationPeriods", 1, 8640),
		oneOf(in, "treatMissingData", "missing", "ignore", "breaching", "notBreaching"), longest(in, "alarmDescription", 1024),
		oneOf(in, "evaluateLowSampleCountPercentiles", "evaluate", "ignore"), alarmActions(in), tagProblems(in))
	if d, n := in.Int("datapointsToAlarm"), in.Int("evaluationPeriods"); in.Has("datapointsToAlarm") &&
		in.Has("evaluationPeriods") && (d < 1 || d > n) {
		p = append(p, awsProblem("datapointsToAlarm", "ValidationError", "expected 1 to evaluationPeriods (%d), got %d", n, d))
	}
	if s := in.String("extendedStatistic"); s != "" && !percentiles.MatchString(s) {
		p = append(p, awsProblem("extendedStatistic", "ValidationError", "expected a percentile such as p95 or tm90, got %q", s))
	}
	if in.Has("period") {
		if n := in.Int("period"); n != 10 && n != 30 && (n < 60 || n%60 != 0) {
			p = append(p, awsProblem("period", "ValidationError", "expected 10, 30 or a multiple of 60 seconds, got %d", n))
		} else if total := n * in.Int("evaluationPeriods"); total > 7*86400 || total > 86400 && n < 3600 {
			p = append(p, awsProblem("evaluationPeriods", "ValidationError",
				"Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400, or a week for periods of an hour), "+
					"got %d seconds", total))
		}
	}
	queries := in.Has("metricQueries") || unknown.Has("metricQueries")
	if !queries {
		if given(in, unknown, "metricName") == 0 {
			p = append(p, awsProblem("metricName", "ValidationError", "one of metricName and metricQueries must be given"))
		}
		if n := given(in, unknown, "statistic", "extendedStatistic"); n != 1 {
			p = append(p, awsProblem("statistic", "ValidationError", "exactly one of statistic and extendedStatistic must be given, got %d", n))
		}
		for _, name := range words("namespace period") {
			if given(in, unknown, name) == 0 {
				p = append(p, awsProblem(name, "ValidationError", "a metric needs its %s", name))
			}
		}
	} else if given(in, nil, "metricName", "namespace", "statistic", "extendedStatistic", "period") > 0 {
		p = append(p, awsProblem("metricQueries", "ValidationError",
			"with metricQueries the alarm takes no metricName, namespace, statistic or period of its own"))
	}
	if given(in, unknown, "threshold", "thresholdMetricId") == 0 {
		p = append(p, awsProblem("threshold", "ValidationError", "an alarm needs a threshold"))
	}
	if in.Has("metricQueries") && !unknown.Within("metricQueries") {
		p = append(p, queryProblems(in)...)
	}
	if n := len(in.Map("dimensions")); n > 30 {
		p = append(p, awsProblem("dimensions", "ValidationError", "expected at most 30 dimensions, got %d", n))
	}
	return p
}

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

func queryProblems(in Inputs) []Problem {
	var p []Problem
	seen := map[string]bool{}
	returned := 0
	for i, q := range in.Maps("metricQueries") {
		path := at("metricQueries", i)
		id := q.String("id")
		if !queryID.MatchString(id) {
			p = append(p, awsProblem(path+".id", "ValidationError", "an id begins with a lower-case letter and has letters, digits and _, got %q",
				id))
		}
		if seen[id] {
			p = append(p, awsProblem(path+".id", "ValidationError", "the id %q appears twice", id))
		}
		seen[id] = true
		if q.Has("metric") == q.Has("expression") {
			p = append(p, awsProblem(path, "ValidationError", "a query has either a metric or an expression"))
		}
		if q.Bool("returnData") {
			returned++
		}
	}
	if returned != 1 {
		p = append(p, awsProblem("metricQueries", "ValidationError", "exactly one query must return its data (returnData), got %d", returned))
	}
	return p
}

// alarmActions checks an alarm's actions: at most five per state, each an ARN.
func alarmActions(in Inputs) []Problem {
	var p []Problem
	for _, list := range words("alarmActions okActions insufficientDataActions") {
		if n := len(in.List(list)); n > 5 {
			p = append(p, awsProblem(list, "ValidationError", "expected at most 5 actions, got %d", n))
		}
		in.Each(list+"[]", func(path string, v any) {
			if s, _ := v.(string); !strings.HasPrefix(s, "arn:") {
				p = append(p, awsProblem(path, "ValidationError", "expected an ARN, got %q", s))
			}
		})
	}
	return p
}

var widgetTypes = words("metric text log alarm explorer custom")

func checkDashboard(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidParameterInput"
	text := in.String("dashboardBody")
	if text == "" {
		return nil
	}
	if name := in.String("dashboardName"); name != "" && !dashboardName.MatchString(name) {
		return []Problem{awsProblem("dashboardName", code, "a dashboard's name takes letters, digits, - and _, at most 255, got %q", name)}
	}
	var body struct {
		Widgets []map[string]any `json:"widgets"`
	}
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		return []Problem{awsProblem("dashboardBody", code, "the body is not a dashboard in JSON: %v", err)}
	}
	var p []Problem
	if len(body.Widgets) > 500 {
		p = append(p, awsProblem("dashboardBody", code, "expected at most 500 widgets, got %d", len(body.Widgets)))
	}
	for i, w := range body.Widgets {
		widget := Inputs(w)
		path := at("dashboardBody.widgets", i)
		kind := widget.String("type")
		if !slices.Contains(widgetTypes, kind) {
			p = append(p, awsProblem(path+".type", code, "expected %s, got %q", alternatives(widgetTypes), kind))
			continue
		}
		if n := int(numberOr(widget, "width", 6)); n < 1 || n > 24 {
			p = append(p, awsProblem(path+".width", code, "expected 1 to 24, got %d", n))
		}
		if n := int(numberOr(widget, "height", 6)); n < 1 || n > 1000 {
			p = append(p, awsProblem(path+".height", code, "expected 1 to 1000, got %d", n))
		}
		if x, width := int(numberOr(widget, "x", 0)), int(numberOr(widget, "width", 6)); x < 0 || x > 23 || x+width > 24 {
			p = append(p, awsProblem(path+".x", code, "the widget goes past column 24: x %d, width %d", x, width))
		}
		if kind == "metric" {
			if !widget.Has("properties.metrics") && !widget.Has("properties.annotations") {
				p = append(p, awsProblem(path+".properties", code, "a metric widget needs metrics or annotations"))
			}
			if !widget.Has("properties.region") {
				p = append(p, awsProblem(path+".properties.region", code, "a metric widget needs its region"))
			}
			for j, m := range widget.List("properties.metrics") {
				if l, ok := m.([]any); !ok || len(l) == 0 {
					p = append(p, awsProblem(at(path+".properties.metrics", j), code, "a metric is a list: namespace, name, dimensions"))
				}
			}
		}
		if kind == "log" && !widget.Has("properties.query") {
			p = append(p, awsProblem(path+".properties.query", code, "a log widget needs its query"))
		}
		if kind == "text" && !widget.Has("properties.markdown") {
			p = append(p, awsProblem(path+".properties.markdown", code, "a text widget needs its markdown"))
		}
	}
	return p
}

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// patternProblems checks an event pattern: an object whose leaves are lists.
func patternProblems(text string) []Problem {
	m, err := strictObject(text)
	if err != nil {
		return []Problem{awsProblem("eventPattern", "InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)}
	}
	if len(m) == 0 {
		return []Problem{awsProblem("eventPattern", "InvalidEventPatternException", "Event pattern is not valid. Reason: Filter is empty")}
	}
	var p []Problem
	var walk func(path string, m map[string]any)
	walk = func(path string, m map[string]any) {
		for _, key := range sortedKeys(m) {
			switch v := m[key].(type) {
			case map[string]any:
				walk(join(path, key), v)
			case []any:
			default:
				p = append(p, awsProblem("eventPattern", "InvalidEventPatternException",
					"Event pattern is not valid. Reason: %q must be an object or an array", join(path, key)))
			}
		}
	}
	walk("", m)
	return p
}
