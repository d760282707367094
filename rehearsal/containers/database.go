package containers

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
)

// ensureData runs the databases and caches of the account.
func (r *Run) ensureData(ctx context.Context) error {
	r.databases.Lock()
	defer r.databases.Unlock()
	if err := r.ensureCaches(ctx); err != nil {
		return err
	}
	return r.ensureDatabases(ctx)
}

// ensureDatabases runs a Postgres for each database instance of the account, removes the others, and sets the owners' passwords.
func (r *Run) ensureDatabases(ctx context.Context) error {
	boxes, err := r.engine.boxes(ctx, labelDatabase)
	if err != nil {
		return err
	}
	running := map[string]*box{}
	for _, b := range boxes {
		running[b.Config.Labels[labelDatabase]] = b
	}
	for _, o := range r.all("aws:rds/instance:Instance") {
		id := cloud.Inputs(o.Outputs).String("identifier")
		if err := r.ensureDatabase(ctx, o, running[id]); err != nil {
			return fmt.Errorf("database %s: %w", id, err)
		}
		delete(running, id)
	}
	for id := range running {
		if err := r.dropDatabase(ctx, id, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) databaseName(id string) string { return fmt.Sprintf("slipway-%s-db-%s", r.id, id) }

func (r *Run) dropDatabase(ctx context.Context, id string, data bool) error {
	name := r.databaseName(id)
	if _, err := r.engine.do(ctx, nil, "rm", "-f", name); err != nil || !data {
		return err
	}
	_, err := r.engine.do(ctx, nil, "volume", "rm", name)
	return err
}

// stopDatabase stops a server as its image asks for: connections end, and nothing is left to recover.
func (r *Run) stopDatabase(ctx context.Context, name string) error {
	_, err := r.engine.do(ctx, nil, "stop", name)
	return err
}

// postgres initializes a cluster if there is none, and starts the server. It runs as the image's user postgres, accepts only TLS
// like rds.force_ssl, and asks for no password inside the container.
const postgres = `set -eu
PATH="$PATH:$(echo /usr/lib/postgresql/*/bin)"
home=/var/lib/postgresql/slipway
umask 077
[ -s $home/PG_VERSION ] || { initdb -D $home.new --auth trust --encoding UTF8 --locale C.UTF-8 >/dev/null && mv $home.new $home; }
printf '%s' "$TLS_CERTIFICATE" >$home/tls.pem
printf '%s' "$TLS_KEY" >$home/tls.key
printf 'local all all trust\nhostssl all all all scram-sha-256\n' >$home/pg_hba.conf
exec postgres -D $home -k /tmp -c listen_addresses='*' -c ssl=on -c ssl_cert_file=$home/tls.pem -c ssl_key_file=$home/tls.key "$@"
`

// unreal reports whether a parameter exists only in RDS.
func unreal(name, value string) bool {
	return strings.HasPrefix(name, "rds.") || strings.ContainsAny(value, "{}")
}

// ensureDatabase runs one instance. If its settings, address or image changed, it replaces the container and keeps the data.
func (r *Run) ensureDatabase(ctx context.Context, o *cloud.Object, now *box) error {
	out := cloud.Inputs(o.Outputs)
	id, address, port := out.String("identifier"), out.String("address"), cmp.Or(out.Int("port"), 5432)
	major, _, _ := strings.Cut(out.String("engineVersion"), ".")
	image := cmp.Or(r.kept.Postgres, "postgres:"+major)
	// RDS always loads this library; the parameter group has settings for pg_stat_statements.
	settings := []string{"-c", "shared_preload_libraries=pg_stat_statements", "-c", fmt.Sprintf("port=%d", port)}
	if group := r.find("aws:rds/parameterGroup:ParameterGroup", "name", out.String("parameterGroupName")); group != nil {
		for _, p := range cloud.Inputs(group.Outputs).Maps("parameters") {
			if name, value := p.String("name"), p.String("value"); !unreal(name, value) {
				settings = append(settings, "-c", name+"="+value)
			}
		}
	}
	sum := fnv.New64a()
	fmt.Fprintln(sum, image, address, settings)
	look := fmt.Sprintf("%016x", sum.Sum64())
	name := r.databaseName(id)
	if out.String("status") == "stopped" { // its volume stays, as an instance's does
		if now == nil {
			return nil
		}
		return r.stopDatabase(ctx, name)
	}
	if now != nil && (!now.State.Running || now.Config.Labels["slipway.look"] != look) {
		if err := r.dropDatabase(ctx, id, false); err != nil {
			return err
		}
		now = nil
	}
	if now == nil {
		if _, err := r.engine.do(ctx, nil, "volume", "create", "--label", r.engine.label, name); err != nil {
			return err
		}
		certificate, key, err := r.issue(address)
		if err != nil {
			return err
		}
		args := []string{"run", "-d", "--name", name, "--label", r.engine.label, "--label", labelDatabase + "=" + id,
			"--label", "slipway.look=" + look,
			"--network", r.network, "--network-alias", address, "--user", "postgres", "--stop-signal", "SIGINT", "--shm-size", "256m",
			"--mount", "type=volume,src=" + name + ",dst=/var/lib/postgresql", "-e", "TLS_CERTIFICATE", "-e", "TLS_KEY",
			"--entrypoint", "/bin/sh", image, "-c", postgres, "postgres"}
		if _, err := r.engine.do(ctx, []string{"TLS_CERTIFICATE=" + string(certificate), "TLS_KEY=" + string(key)},
			append(args, settings...)...); err != nil {
			return err
		}
	}
	return r.createOwner(ctx, name, port, out)
}

// createOwner waits for the server and creates what RDS creates: the owner's role, which is not a superuser, and the database.
func (r *Run) createOwner(ctx context.Context, name string, port int, instance cloud.Inputs) error {
	deadline := time.Now().Add(time.Minute)
	psql := func(sql string) error {
		_, err := r.engine.feed(ctx, nil, strings.NewReader(sql), nil, "exec", "-i", name, "psql", "-qXAt", "-h", "/tmp", "-p",
			fmt.Sprint(port), "-U", "postgres",
			"-v",
			"ON_ERROR_STOP=1", "postgres")
		return err
	}
	for {
		err := psql("SELECT 1")
		if err == nil {
			break
		}
		boxes, gone := r.engine.inspect(ctx, name)
		if gone != nil || len(boxes) == 0 || boxes[0].ended() || time.Now().After(deadline) {
			return &errStopped{reason: "the server does not start: " + firstLine(err.Error()), logs: r.last(ctx, name, 20)}
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	owner, password, database := instance.String("username"), instance.String("password"), instance.String("dbName")
	sql := fmt.Sprintf("SET log_statement = none; SET log_min_duration_statement = -1;\n"+
		"SELECT 'CREATE ROLE ' || quote_ident(%[1]s) || ' LOGIN CREATEDB CREATEROLE' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = "+
		"%[1]s) \\gexec\n"+
		"ALTER ROLE %[2]s PASSWORD %[3]s;\n", literal(owner), identifier(owner), literal(password))
	if database != "" {
		sql += fmt.Sprintf("SELECT 'CREATE DATABASE ' || quote_ident(%[1]s) || ' OWNER ' || quote_ident(%[2]s) WHERE NOT EXISTS (SELECT FROM "+
			"pg_database WHERE datname = %[1]s) \\gexec\n", literal(database), literal(owner))
	}
	if err := psql(sql); err != nil {
		return errors.New("cannot create its owner: " + strings.ReplaceAll(firstLine(err.Error()), password, "[secret]"))
	}
	return nil
}

func literal(s string) string    { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// A pair is the certificate authority in place of RDS's.
type pair struct{ Certificate, Key []byte } // PEM

// authority creates the certificate authority, once. Tasks find its certificate, ca.pem, in place of RDS's bundle.
func (r *Run) authority() error {
	file := filepath.Join(r.dir, "ca.json")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	certificate, key, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Slipway rehearsal"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	if err != nil {
		return err
	}
	text, err := json.Marshal(pair{certificate, key})
	if err != nil {
		return err
	}
	// Every user of a container must be able to read it.
	if err := os.WriteFile(filepath.Join(r.dir, "ca.pem"), certificate, 0o644); err != nil {
		return err
	}
	return replace(file, text)
}

// issue creates a certificate for host names or addresses, in PEM.
func (r *Run) issue(names ...string) (certificate, key []byte, err error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "ca.json"))
	if err != nil {
		return nil, nil, err
	}
	var p pair
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, nil, err
	}
	ca, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		return nil, nil, err
	}
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "stand-in"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	return sign(c, &ca)
}

func (r *Run) certificate(names ...string) (tls.Certificate, error) {
	certificate, key, err := r.issue(names...)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certificate, key)
}

func sign(c *x509.Certificate, by *tls.Certificate) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(10, 0, 0)
	parent, signer := c, any(private)
	if by != nil {
		if parent, err = x509.ParseCertificate(by.Certificate[0]); err != nil {
			return nil, nil, err
		}
		signer = by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &private.PublicKey, signer)
	if err != nil {
		return nil, nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), nil
}
