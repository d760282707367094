package datastore

import "slipway/internal/catalog"

// Capacities of which an alarm's threshold is a part.
const (
	storageBytes = "storage"
	connections  = "connections"
)

// capacities are those of an instance.
func capacities(class string, gib int) map[string]float64 {
	return map[string]float64{storageBytes: float64(gib) * (1 << 30), connections: float64(MaxConnections(class))}
}

var database = []string{"DBInstanceIdentifier"}

var alarms = []catalog.Alarm{
	{Name: "database-cpu", Why: "The database is busy. Look at Performance Insights before raising database.class.",
		Namespace: "AWS/RDS", Metric: "CPUUtilization", Statistic: "Average", Dimensions: database,
		Above: true, Threshold: 90, Minutes: 15, Period: 60, Next: "status",
		Check: []string{
			"Performance Insights: the statements that take the time",
			"a job or a migration that runs now: `slipway status`",
		}},
	{Name: "database-storage",
		Why: "Less than a tenth of the storage is free and autoscaling has not helped: database.maxStorage is reached, or it grew " +
			"within the last six hours.",
		Namespace: "AWS/RDS", Metric: "FreeStorageSpace", Statistic: "Minimum", Dimensions: database,
		Threshold: 0.1, Of: storageBytes, Minutes: 15, Period: 300, Next: "db psql",
		Check: []string{
			"which tables grew: `slipway db psql`, then `\\dt+`",
		}},
	{Name: "database-connections",
		Why:       "Connections are near what the class takes. Lower web.connections or web.max, or choose a larger class.",
		Namespace: "AWS/RDS", Metric: "DatabaseConnections", Statistic: "Maximum", Dimensions: database,
		Above: true, Threshold: 0.8, Of: connections, Minutes: 5, Period: 60, Next: "db psql",
		Check: []string{
			"`slipway db psql -- -c 'SELECT state, count(*) FROM pg_stat_activity GROUP BY 1'`",
			"`slipway status`: more tasks than usual? Each has `web.connections`",
		}},
}
