package config

import "testing"

func TestSchedule(t *testing.T) {
	for _, s := range []string{
		"rate(1 minute)", "rate(5 minutes)", "rate(12 hours)", "rate(365 days)",
		"at(2030-01-31T03:00:00)", "at(2028-02-29T23:59:59)",
		"cron(0 3 * * ? *)", "cron(0/15 9-17 ? * MON-FRI *)", "cron(0 12 L * ? 2030)", "cron(0 12 LW * ? 2030-2035)",
		"cron(0 12 15W * ? *)", "cron(0 12 ? * 6L *)", "cron(0 12 ? * FRI#3 *)", "cron(5,10-20/2,55 */2 1,15 JAN,jul ? *)",
		"cron(0 12 ? * SUN,TUE *)",
	} {
		if rule := schedule(s); rule != "" {
			t.Errorf("%s is refused: %s", s, rule)
		}
	}
	for s, want := range map[string]string{
		"":                                "must be cron(0 3 * * ? *), rate(2 hours) or at(2030-01-31T03:00:00)",
		"every day":                       "must be cron(0 3 * * ? *), rate(2 hours) or at(2030-01-31T03:00:00)",
		"Rate(1 day)":                     "must be cron(0 3 * * ? *), rate(2 hours) or at(2030-01-31T03:00:00)",
		"rate(2 day)":                     "must be rate(2 days): use the plural above 1",
		"rate(2 weeks)":                   "must be rate(value unit) with a unit of minutes, hours or days",
		"rate(-1 days)":                   "must be rate(value unit) with a unit of minutes, hours or days",
		"rate(2  days)":                   "must be rate(value unit) with a unit of minutes, hours or days",
		"rate(99999999999999999999 days)": "must have a rate of 1 or more",
		"at(2030-02-30T03:00:00)":         "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)",
		"at(2030-01-31T03:00:00Z)":        "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)",
		"at(2030-01-31)":                  "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)",
		"cron(0 3 * * * *)":               "must have ? for either day-of-month or day-of-week, not both",
		"cron(0 3 ? * ? *)":               "must have ? for either day-of-month or day-of-week, not both",
		"cron(60 3 * * ? *)":              `has an invalid minute, "60": AWS accepts 0 to 59, with * , - /`,
		"cron(0 24 * * ? *)":              `has an invalid hour, "24": AWS accepts 0 to 23, with * , - /`,
		"cron(? 3 * * ? *)":               `has an invalid minute, "?": AWS accepts 0 to 59, with * , - /`,
		"cron(0 3 32 * ? *)":              `has an invalid day-of-month, "32": AWS accepts 1 to 31, with * , - / ? L W`,
		"cron(0 3 ? * 0 *)":               `has an invalid day-of-week, "0": AWS accepts 1 to 7 or SUN to SAT, with * , - / ? L #`,
		"cron(0 3 ? * MON#6 *)":           `has an invalid day-of-week, "MON#6": AWS accepts 1 to 7 or SUN to SAT, with * , - / ? L #`,
		"cron(0 3 ? FEB-JAN MON *)":       `has an invalid month, "FEB-JAN": AWS accepts 1 to 12 or JAN to DEC, with * , - /`,
		"cron(*/0 3 * * ? *)":             `has an invalid minute, "*/0": AWS accepts 0 to 59, with * , - /`,
		"cron(0 3 * * ? 1969)":            `has an invalid year, "1969": AWS accepts 1970 to 2199, with * , - /`,
		"cron(0 3 * * ? +2030)":           `has an invalid year, "+2030": AWS accepts 1970 to 2199, with * , - /`,
		"cron(0  3 * * ? *)":              "must have six fields: minute hour day-of-month month day-of-week year; it has 7",
		"cron(1,,2 3 * * ? *)":            `has an invalid minute, "1,,2": AWS accepts 0 to 59, with * , - /`,
	} {
		if got := schedule(s); got != want {
			t.Errorf("%s:\n got %q\nwant %q", s, got, want)
		}
	}
}
