# A test environment for the site: its image, Postgres configured like RDS, and the environment variables of a task definition.
# Sourced by the scripts in this folder, which then have:
#   $run            label and name prefix of everything created; removed when the script ends
#   $site           the image
#   $run-db         the database container
#   $inside $owner $lesser   options for docker run: network, a writable /tmp and settings; database owner; a role that may only read and write rows
# Needs Docker; on first use also what debian-base.sh needs.
export DOCKER_BUILDKIT=0
run=slipway-app-$(basename "$0" .sh)-$$
site=$run-site
started=$(date +%s)

say() { echo "== $(($(date +%s) - started)) s: $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
clean_up() {
	docker ps -aq --filter label="$run" | xargs -r docker rm -fv >/dev/null
	docker volume ls -q --filter label="$run" | xargs -r docker volume rm >/dev/null
	docker network ls -q --filter label="$run" | xargs -r docker network rm >/dev/null
	for image in tests site site-stage; do docker rmi -f "$run-$image" >/dev/null 2>&1 || true; done
	rm -rf "$work"
}
work=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM
start() { docker run -d --label "$run" "$@" >/dev/null; }
# await SECONDS WHAT COMMAND...: waits until the command succeeds, or fails with WHAT
await() {
	tries=$(($1 * 2)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { docker ps -aq --filter label="$run" | xargs -r -n1 docker logs --tail 20 >&2; fail "$what"; }
		sleep 0.5
	done
}

build() { # build TAG ARGUMENT...
	tag=$1
	shift
	docker build -q -t "$tag" --build-arg BASE=slipway-base:sid --build-arg PACKAGES=base "$@" . >"$work/build" 2>&1 ||
		{ docker build -t "$tag" --build-arg BASE=slipway-base:sid --build-arg PACKAGES=base "$@" . | tail -30; fail "$tag does not build"; }
}
# The first stage is tagged so that it can be inspected and removed.
build_stage() { build "$site-stage" --target build "$@"; }
./debian-base.sh
build_stage
build "$site"

docker network create --label "$run" "$run" >/dev/null
docker volume create --label "$run" "$run-certs" >/dev/null

# Like RDS: TLS only, a certificate for the host name, an owner that is not a superuser.
start --name "$run-db" --network "$run" --network-alias database -v "$run-certs:/certs" -e OWNER_PASSWORD=owner-password slipway-postgres:sid sh -euc '
	cd /certs
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj "/CN=throwaway" 2>/dev/null
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out db.key
	openssl req -new -key db.key -subj "/CN=database" -out db.csr
	echo "subjectAltName=DNS:database" >ext
	openssl x509 -req -in db.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out db.pem 2>/dev/null
	rm ca.key && chown postgres db.key && chmod 600 db.key && chmod 644 ca.pem
	bin=$(ls -d /usr/lib/postgresql/*/bin)
	install -d -o postgres /data
	run() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
	run $bin/initdb -D /data --auth trust --encoding UTF8 --locale C.UTF-8 >/dev/null
	printf "local all all trust\nhostssl all all all scram-sha-256\n" >/data/pg_hba.conf
	run $bin/pg_ctl -D /data -o "-c listen_addresses= -k /tmp" -w start >/dev/null
	run psql -qh /tmp postgres -c "CREATE ROLE owner LOGIN CREATEDB CREATEROLE PASSWORD '\''$OWNER_PASSWORD'\''" -c "CREATE DATABASE site OWNER owner"
	run $bin/pg_ctl -D /data -w stop >/dev/null
	exec setpriv --reuid postgres --regid postgres --clear-groups $bin/postgres -D /data -k /tmp -c listen_addresses="*" \
		-c ssl=on -c ssl_cert_file=/certs/db.pem -c ssl_key_file=/certs/db.key -c fsync=off
'

# The environment variables of the task definition.
cat >"$work/env" <<-END
	PGSSLMODE=verify-full
	PGSSLROOTCERT=/certs/ca.pem
	DB_HOST=database
	DB_PORT=5432
	DB_NAME=site
	SECRET_KEY=$(od -An -N40 -tx1 /dev/urandom | tr -d ' \n')
	ALLOWED_HOSTS=site.example
	CSRF_TRUSTED_ORIGINS=https://site.example
	SITE_HTTPS=true
	MEDIA_ROOT=/tmp/media
END
owner="-e DB_USER=owner -e DB_PASSWORD=owner-password"
lesser="-e DB_USER=site -e DB_PASSWORD=site-password"
inside="--tmpfs /tmp --network $run -v $run-certs:/certs:ro --env-file $work/env"
database() { docker exec "$run-db" setpriv --reuid postgres --regid postgres --clear-groups psql -v ON_ERROR_STOP=1 -qh /tmp site "$@"; }

await 30 "Postgres did not start" docker exec "$run-db" pg_isready -qh database

# migrate: what Slipway's migration task does: migrates as the owner, then creates the role of the site
migrate() {
	docker run --rm --label "$run" --read-only $inside $owner "$site" python manage.py migrate --noinput -v0
	database -c "CREATE ROLE site LOGIN PASSWORD 'site-password'" -c "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO site" \
		-c "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO site" -c "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM site"
}
