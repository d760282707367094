package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// An address is a database and who logs in.
type address struct {
	host, port, name, user, password string
	sslmode, rootcert                string // empty: pgx's default
}

func (a address) config(application string) (*pgx.ConnConfig, error) {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var b strings.Builder
	for _, p := range [][2]string{
		{"host", a.host}, {"port", a.port}, {"dbname", a.name}, {"user", a.user}, {"password", a.password}, {"sslmode", a.sslmode},
		{"sslrootcert", a.rootcert}, {"connect_timeout", "5"}, {"application_name", application},
	} {
		if p[1] != "" {
			fmt.Fprintf(&b, "%s='%s' ", p[0], quote.Replace(p[1]))
		}
	}
	config, err := pgx.ParseConfig(b.String())
	if err != nil {
		return nil, err
	}
	delete(config.RuntimeParams, "options") // PGOPTIONS is for the project's commands
	return config, nil
}

func (a address) connect(ctx context.Context, application string) (*pgx.Conn, error) {
	config, err := a.config(application)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// passing reports whether an error of connect goes away by itself: the server is starting or full. A refused login does not.
func passing(err error) bool {
	if said, ok := asError[*pgconn.PgError](err); ok {
		return slices.Contains([]string{"57P03", "57P01", "57P02", "53300"}, said.Code)
	}
	if name, ok := asError[*net.DNSError](err); ok {
		return name.IsTemporary && !name.IsNotFound
	}
	timeout, ok := asError[net.Error](err)
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

func asError[T error](err error) (T, bool) {
	var found T
	ok := errors.As(err, &found)
	return found, ok
}

// words is an error in one line.
func words(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
