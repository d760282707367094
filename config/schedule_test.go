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
		"rate(2 day)":                     "must say rate(2 days): more than 1 takes the plural",
		"rate(2 weeks)":                   "must be rate(value unit) with a unit of minutes, hours or days",
		"rate(-1 days)":                   "must be rate(value unit) with a unit of minutes, hours or days",
		"rate(2  days)":                   "must be rate(value unit) with a unit of minutes, hours or days",
		"rate(99999999999999999999 days)": "must have a rate of 1 or more",
		"at(2030-02-30T03:00:00)":         "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)",
		"at(2030-01-31T03:00:00Z)":        "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)",
		"at(2030-01-31)":                  "must be at(yyyy-mm-ddThh:mm:ss), such as at(2030-01-31T03:00:00)",
		"cron(0 3 * * * *)":               "must have ? as either day-of-month or day-of-week, and not as both",
		"cron(0 3 ? * ? *)":               "must have ? as either day-of-month or day-of-week, and not as both",
		"cron(60 3 * * ? *)":              `has a minute that AWS does not take, "60": 0 to 59, with * , - /`,
		"cron(0 24 * * ? *)":              `has a hour that AWS does not take, "24": 0 to 23, with * , - /`,
		"cron(? 3 * * ? *)":               `has a minute that AWS does not take, "?": 0 to 59, with * , - /`,
		"cron(0 3 32 * ? *)":              `has a day-of-month that AWS does not take, "32": 1 to 31, with * , - / ? L W`,
		"cron(0 3 ? * 0 *)":               `has a day-of-week that AWS does not take, "0": 1 to 7 or SUN to SAT, with * , - / ? L #`,
		"cron(0 3 ? * MON#6 *)":           `has a day-of-week that AWS does not take, "MON#6": 1 to 7 or SUN to SAT, with * , - / ? L #`,
		"cron(0 3 ? FEB-JAN MON *)":       `has a month that AWS does not take, "FEB-JAN": 1 to 12 or JAN to DEC, with * , - /`,
		"cron(*/0 3 * * ? *)":             `has a minute that AWS does not take, "*/0": 0 to 59, with * , - /`,
		"cron(0 3 * * ? 1969)":            `has a year that AWS does not take, "1969": 1970 to 2199, with * , - /`,
		"cron(0 3 * * ? +2030)":           `has a year that AWS does not take, "+2030": 1970 to 2199, with * , - /`,
		"cron(0  3 * * ? *)":              "must have six fields: minute hour day-of-month month day-of-week year; it has 7",
		"cron(1,,2 3 * * ? *)":            `has a minute that AWS does not take, "1,,2": 0 to 59, with * , - /`,
	} {
		if got := schedule(s); got != want {
			t.Errorf("%s:\n got %q\nwant %q", s, got, want)
		}
	}
}
