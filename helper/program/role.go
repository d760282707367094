package main

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A role is what the app logs in as: it reads and writes rows and nothing else. It cannot create tables or assume another role.
type role struct{ user, password string }

func newRole(env environment) (role, error) {
	r := role{env["SLIPWAY_DB_ROLE"], env["SLIPWAY_DB_ROLE_PASSWORD"]}
	switch {
	case (r.user == "") != (r.password == ""):
		return r, usage("SLIPWAY_DB_ROLE and SLIPWAY_DB_ROLE_PASSWORD must be set together: one of them is missing")
	case r.user != "" && r.user == env["SLIPWAY_DB_OWNER"]:
		return r, usage("SLIPWAY_DB_ROLE must not be SLIPWAY_DB_OWNER: the app's role has fewer permissions")
	}
	for _, c := range r.password {
		// Other characters would have to be normalized (RFC 4013), and a mistake would show only at a login.
		if c < ' ' || c > '~' {
			return r, usage("SLIPWAY_DB_ROLE_PASSWORD must consist of printable ASCII characters")
		}
	}
	return r, nil
}

// maintain creates or alters the role, and grants it what it needs in every schema of the owner's.
func (r role) maintain(ctx context.Context, owner address, say func(string, ...any)) error {
	conn, err := owner.connect(ctx, keeperName)
	if err != nil {
		return fmt.Errorf("cannot connect to the database: %s", words(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var done string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '15s'")
		if err != nil {
			return err
		}
		if done, err = r.define(ctx, tx); err != nil {
			return err
		}
		return r.grant(ctx, tx, owner)
	})
	if said, ok := asError[*pgconn.PgError](err); ok {
		// Not the statement, which contains the verifier; the server's message is enough.
		return fmt.Errorf("the role %s could not be created: %s", r.user, said.Message)
	}
	if err != nil {
		return err
	}
	say("role %s %s and granted", r.user, done)
	return nil
}

func (r role) define(ctx context.Context, tx pgx.Tx) (done string, err error) {
	verb, done := "ALTER", "altered"
	var powerful bool
	const query = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = $1"
	err = tx.QueryRow(ctx, query, r.user).Scan(&powerful)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		verb, done = "CREATE", "created"
	case err != nil:
		return "", err
	case powerful:
		return "", fmt.Errorf("the role %s has more permissions than the app's role should have: choose another name", r.user)
	}
	// The server sees and logs only the verifier.
	_, err = tx.Exec(ctx, fmt.Sprintf("%s ROLE %s LOGIN PASSWORD '%s'", verb, identifier(r.user), verifier(r.password)))
	return done, err
}

func identifier(name string) string { return pgx.Identifier{name}.Sanitize() }

// grant grants object by object: GRANT ... ON ALL TABLES fails if an extension has a table that is not the owner's.
func (r role) grant(ctx context.Context, tx pgx.Tx, owner address) error {
	to, by := identifier(r.user), identifier(owner.user)
	statements := []string{fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", identifier(owner.name), to)}
	schemas, err := column(ctx, tx, ownedSchemas)
	if err != nil {
		return err
	}
	for _, schema := range schemas {
		in := identifier(schema)
		later := fmt.Sprintf("ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT ", by, in)
		statements = append(statements,
			fmt.Sprintf("REVOKE CREATE ON SCHEMA %s FROM PUBLIC", in),
			fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", in, to),
			later+"SELECT, INSERT, UPDATE, DELETE ON TABLES TO "+to,
			// UPDATE is for setval, with which loaddata ends.
			later+"USAGE, SELECT, UPDATE ON SEQUENCES TO "+to)
	}
	for _, kind := range []struct{ query, grant string }{
		{ownedTables, "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO %s"},
		{ownedSequences, "GRANT USAGE, SELECT, UPDATE ON SEQUENCE %s TO %s"},
		// The app may read which migrations are applied; only the owner records them.
		{migrationTables, "REVOKE INSERT, UPDATE, DELETE ON TABLE %s FROM %s"},
	} {
		names, err := column(ctx, tx, kind.query)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			statements = append(statements, fmt.Sprintf(kind.grant, strings.Join(names, ", "), to))
		}
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func column(ctx context.Context, tx pgx.Tx, query string) ([]string, error) {
	rows, err := tx.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const (
	ownedSchemas = `SELECT nspname::text FROM pg_namespace
		WHERE nspname = 'public' OR (nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role(nspowner, 'USAGE')) ORDER BY 1`

	ownedRelations = `SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role(relowner, 'USAGE')`
	ownedTables     = ownedRelations + ` AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1`
	ownedSequences  = ownedRelations + ` AND relkind = 'S' ORDER BY 1`
	migrationTables = ownedRelations + ` AND relkind IN ('r', 'p') AND relname = 'django_migrations' ORDER BY 1`
)

// verifier is what Postgres stores of a password (Postgres manual, "pg_authid": SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER).
func verifier(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	return scram(password, salt, 4096)
}

// scram computes the keys of RFC 5802, section 3.
func scram(password string, salt []byte, iterations int) string {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic(err) // only for a length that the hash does not allow
	}
	sum := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(sum("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(sum("Server Key")))
}
