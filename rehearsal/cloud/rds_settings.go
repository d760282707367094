package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Parameters of PostgreSQL in parameter groups, whose values RDS takes without a unit, in the unit of the parameter. Only parameters whose
// range is certain are listed. Source: RDS guide, "Working with parameters on your RDS for PostgreSQL DB instance"; PostgreSQL's manual,
// "Server Configuration".
var postgresNumbers = map[string][2]float64{
	"max_connections": {6, 262143}, "work_mem": {64, 2147483647}, "maintenance_work_mem": {1024, 2147483647},
	"temp_buffers":   {100, 1073741823},
	"shared_buffers": {16, 1073741823}, "effective_cache_size": {1, 2147483647}, "log_min_duration_statement": {-1, 2147483647},
	"statement_timeout": {0, 2147483647}, "lock_timeout": {0, 2147483647}, "idle_in_transaction_session_timeout": {0, 2147483647},
	"max_wal_senders": {5, 262143}, "max_replication_slots": {5, 262143}, "max_worker_processes": {0, 262143},
	"autovacuum_max_workers": {1, 262143}, "random_page_cost": {0, 1.79769e308}, "checkpoint_timeout": {30, 86400},
	"max_locks_per_transaction": {10, 2147483647}, "track_activity_query_size": {100, 1048576}, "autovacuum_naptime": {1, 2147483},
	"deadlock_timeout": {1, 2147483647}, "log_autovacuum_min_duration": {-1, 2147483647}, "log_temp_files": {-1, 2147483647},
}

// postgresSwitches take 0 or 1.
var postgresSwitches = words(`rds.force_ssl log_connections log_disconnections log_lock_waits log_duration log_checkpoints autovacuum
	rds.logical_replication`)

// postgresChoices take one of a few words. Source: PostgreSQL's manual, "Server Configuration".
var postgresChoices = map[string][]string{
	"log_statement": words("none ddl mod all"), "password_encryption": words("md5 scram-sha-256"),
	"log_error_verbosity": words("terse default verbose"), "pg_stat_statements.track": words("none top all"),
	"default_transaction_isolation": {"read uncommitted", "read committed", "repeatable read", "serializable"},
}

// preloaded are libraries that RDS preloads. Source: RDS Release Notes, "Extension versions for Amazon RDS for PostgreSQL".
var preloaded = words(`auto_explain orafce pgaudit pglogical pg_bigm pg_cron pg_hint_plan pg_prewarm pg_similarity pg_stat_statements pg_tle
	pg_transport plprofiler plrust`)

// fixedParameters are set by RDS itself, some through others: wal_level through rds.logical_replication. Source: RDS User Guide,
// "Working with parameters on your RDS for PostgreSQL DB instance", parameters that cannot be modified.
var fixedParameters = words(`archive_mode archive_command config_file data_directory hba_file ident_file listen_addresses
	unix_socket_directories wal_level`)

// foreignParameters begin the names of MySQL's.
var foreignParameters = words("innodb_ binlog_ character_set_ collation_ sql_mode slow_query_log long_query_time max_allowed_packet")

// A formula, as LEAST({DBInstanceClassMemory/9531392},5000), is computed by RDS.
var formulaForm = regexp.MustCompile(`[{}(]`)

// postgresSetting is what is wrong with a parameter's value; "" if nothing is known to be.
func postgresSetting(name, value string) string {
	if value == "" || formulaForm.MatchString(value) {
		return ""
	}
	if span, ok := postgresNumbers[name]; ok {
		if n, isNumber := asNumber(value); !isNumber || n < span[0] || n > span[1] {
			return fmt.Sprintf("allowed values are %s to %s, without a unit", plainNumber(span[0]), plainNumber(span[1]))
		}
	}
	if allowed := postgresChoices[name]; allowed != nil && !slices.Contains(allowed, strings.ToLower(value)) {
		return "allowed values are " + strings.Join(allowed, ", ")
	}
	if name == "timezone" && zoneFault(value) != "" {
		return "expected a time zone such as UTC or Europe/Berlin"
	}
	if name == "shared_preload_libraries" {
		for _, library := range strings.Split(value, ",") {
			if near := nearMiss(strings.TrimSpace(library), preloaded); near != "" {
				return "did you mean " + near + "?"
			}
		}
	}
	if slices.Contains(postgresSwitches, name) && !slices.Contains(words("0 1 on off true false"), value) {
		return "allowed values are 0 and 1"
	}
	return ""
}

// misspelt is the parameter that a name most likely means: one letter of it is wrong, missing or too many. RDS has hundreds of
// parameters, so an unknown name alone proves nothing.
func misspelt(name string) string {
	known := slices.Concat(sortedKeys(postgresNumbers), postgresSwitches, staticParameters)
	if slices.Contains(known, name) || slices.Contains(words("log_statement log_statement_stats"), name) {
		return ""
	}
	return nearMiss(name, known)
}

// nearMiss is the long name that another one differs from by one letter, or by its case; "" if there is none, or it is one itself.
func nearMiss(name string, known []string) string {
	if slices.Contains(known, name) {
		return ""
	}
	for _, k := range known {
		if strings.EqualFold(name, k) || len(k) > 7 && oneEdit(name, k) {
			return k
		}
	}
	return ""
}

// oneEdit reports whether one insertion, deletion or substitution makes b of a.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	if len(a) == len(b) {
		return a[n+1:] == b[n+1:]
	}
	return a[n:] == b[n+1:]
}
