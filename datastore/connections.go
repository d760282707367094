package datastore

import "strings"

// MaxConnections is RDS's default limit of connections for an instance class of Postgres:
// LEAST({DBInstanceClassMemory/9531392}, 5000). RDS reserves about a tenth of the class's nominal memory, so the result is
// a little higher than SHOW max_connections. An unknown class counts as the smallest.
// Source: Amazon RDS User Guide, Quotas and constraints.
func MaxConnections(class string) int {
	gib := map[string]int{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32, "4xlarge": 64}
	parts := strings.Split(class, ".")
	memory, known := gib[parts[len(parts)-1]]
	switch {
	case !known && strings.HasSuffix(class, "xlarge"):
		return 5000
	case !known:
		memory = 1
	case len(parts) == 3 && (parts[1][0] == 'r' || parts[1][0] == 'x'):
		memory *= 2 // memory-optimized families
	}
	return min(memory<<30/9531392, 5000)
}

// Usable is how many of MaxConnections the site's tasks can have: RDS's agent and operating system take a part of the memory,
// and Postgres and RDS keep five connections for themselves (superuser_reserved_connections, rds.rds_superuser_reserved_connections).
func Usable(class string) int { return MaxConnections(class)*9/10 - 5 }
