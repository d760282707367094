package containers

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
)

const replicationGroupType = "aws:elasticache/replicationGroup:ReplicationGroup"

// ensureCaches runs a Valkey or Redis for each replication group of the account, and removes the others.
//
// The caller holds r.databases. A cache holds its data in memory as in ElastiCache: a restart of its container empties it.
func (r *Run) ensureCaches(ctx context.Context) error {
	boxes, err := r.engine.boxes(ctx, labelCache)
	if err != nil {
		return err
	}
	running := map[string]*box{}
	for _, b := range boxes {
		running[b.Config.Labels[labelCache]] = b
	}
	for _, o := range r.all(replicationGroupType) {
		if err := r.ensureCache(ctx, o, running[o.ID]); err != nil {
			return fmt.Errorf("cache %s: %w", o.ID, err)
		}
		delete(running, o.ID)
	}
	for id := range running {
		if _, err := r.engine.do(ctx, nil, "rm", "-f", r.cacheName(id)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) cacheName(id string) string { return fmt.Sprintf("slipway-%s-cache-%s", r.id, id) }

// valkey writes the server's configuration and starts it. The commands that the site's user lacks are those that ElastiCache restricts
// (ElastiCache guide, "Restricted commands"); the other user is this program's, inside the container.
const valkey = `set -eu
umask 077
cd /tmp
printf '%s' "$TLS_CERTIFICATE" >tls.pem
printf '%s' "$TLS_KEY" >tls.key
{
	printf '%s\n' 'protected-mode no' 'save ""' 'appendonly no' 'maxmemory-policy volatile-lru' 'unixsocket /tmp/server.sock' \
		"user admin on >$ADMIN ~* &* +@all" \
		"user default on $ACCESS ~* &* +@all -bgrewriteaof -bgsave -config -debug -migrate -replicaof -save -slaveof -shutdown -sync"
	if [ "$ENCRYPTED" = true ]; then
		printf '%s\n' 'port 0' "tls-port $PORT" 'tls-cert-file /tmp/tls.pem' 'tls-key-file /tmp/tls.key' 'tls-auth-clients no'
	else
		printf '%s\n' "port $PORT"
	fi
} >server.conf
for server in valkey-server redis-server; do
	if command -v $server >/dev/null; then exec $server /tmp/server.conf; fi
done
echo 'the image has neither valkey-server nor redis-server' >&2
exit 127
`

// administer runs a command of the server in the container, with a password that no list of processes shows.
const administer = `for client in valkey-cli redis-cli; do
	if command -v $client >/dev/null; then REDISCLI_AUTH=$ADMIN exec $client -s /tmp/server.sock --user admin -e; fi
done
exit 127
`

// ensureCache runs one replication group. If its settings, address or image changed, it replaces the container, and the cache is empty.
func (r *Run) ensureCache(ctx context.Context, o *cloud.Object, now *box) error {
	out := cloud.Inputs(o.Outputs)
	address, port := out.String("primaryEndpointAddress"), cmp.Or(out.Int("port"), 6379)
	repository := map[string]string{"valkey": "valkey/valkey:"}[out.String("engine")]
	image := cmp.Or(r.kept.Valkey, cmp.Or(repository, "redis:")+out.String("engineVersion"))
	encrypted := out.Bool("transitEncryptionEnabled")
	sum := fnv.New64a()
	fmt.Fprintln(sum, image, address, port, encrypted)
	look, name := fmt.Sprintf("%016x", sum.Sum64()), r.cacheName(o.ID)
	if now != nil && (!now.State.Running || now.Config.Labels["slipway.look"] != look) {
		if _, err := r.engine.do(ctx, nil, "rm", "-f", name); err != nil {
			return err
		}
		now = nil
	}
	access := "nopass"
	if token := out.String("authToken"); token != "" {
		access = ">" + token
	}
	if now != nil {
		// A new password is valid beside the previous one, as with the strategy ROTATE.
		return r.administer(ctx, name, "ACL SETUSER default "+access)
	}
	certificate, key, err := r.issue(address, out.String("readerEndpointAddress"))
	if err != nil {
		return err
	}
	secret := map[string]string{"TLS_CERTIFICATE": string(certificate), "TLS_KEY": string(key), "ACCESS": access, "ADMIN": draw() + draw()}
	args := []string{"run", "-d", "--name", name, "--label", r.engine.label, "--label", labelCache + "=" + o.ID,
		"--label", "slipway.look=" + look,
		"--network", r.network, "--network-alias", address, "--network-alias", out.String("readerEndpointAddress"),
		"--user", "65534:65534", "--read-only", "--tmpfs", "/tmp:mode=1777", "-e", fmt.Sprintf("PORT=%d", port),
		"-e", fmt.Sprintf("ENCRYPTED=%v", encrypted)}
	var extra []string
	for variable, value := range secret {
		args, extra = append(args, "-e", variable), append(extra, variable+"="+value)
	}
	if _, err := r.engine.do(ctx, extra, append(args, "--entrypoint", "/bin/sh", image, "-c", valkey)...); err != nil {
		return err
	}
	return r.awaitCache(ctx, name)
}

// administer sends a command to the server.
func (r *Run) administer(ctx context.Context, name, command string) error {
	_, err := r.engine.feed(ctx, nil, strings.NewReader(command+"\n"), nil, "exec", "-i", name, "/bin/sh", "-c", administer)
	return err
}

// awaitCache waits until the server answers.
func (r *Run) awaitCache(ctx context.Context, name string) error {
	for deadline := time.Now().Add(time.Minute); ; {
		err := r.administer(ctx, name, "PING")
		if err == nil {
			return nil
		}
		boxes, gone := r.engine.inspect(ctx, name)
		if gone != nil || len(boxes) == 0 || boxes[0].ended() || time.Now().After(deadline) {
			return &errStopped{reason: "the server does not start: " + firstLine(err.Error()), logs: r.last(ctx, name, 20)}
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
