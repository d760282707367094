#!/bin/sh
# The site's own check: builds both images, runs the tests inside the built image against a real Postgres over verified
# TLS, then runs the containers as Fargate does (read-only, their own users, one network namespace) and asks them for pages.
# Needs Docker; on first use also what debian-base.sh needs. Removes all that it makes, except the base images.
# KEEP=1 leaves the two images behind as slipway-site:test and slipway-site-nginx:test.
set -eu
cd "$(dirname "$0")"
export DOCKER_BUILDKIT=0
run=slipway-app-test-$$
site=$run-site nginx=$run-nginx
started=$(date +%s)

say() { echo "== $(($(date +%s) - started)) s: $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
clean_up() {
	docker ps -aq --filter label="$run" | xargs -r docker rm -fv >/dev/null
	docker volume ls -q --filter label="$run" | xargs -r docker volume rm >/dev/null
	docker network ls -q --filter label="$run" | xargs -r docker network rm >/dev/null
	for image in tests nginx nginx-stage site site-stage; do docker rmi -f "$run-$image" >/dev/null 2>&1 || true; done
	rm -rf "$work"
}
work=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM

./debian-base.sh

build() { # build TAG ARGUMENT...
	tag=$1
	shift
	docker build -q -t "$tag" --build-arg BASE=slipway-base:sid --build-arg PACKAGES=base "$@" . >"$work/build" 2>&1 ||
		{ docker build -t "$tag" --build-arg BASE=slipway-base:sid --build-arg PACKAGES=base "$@" . | tail -30; fail "$tag does not build"; }
}
ca="--build-arg RDS_CA=/etc/ssl/certs/ca-certificates.crt"
# The stages get names of their own, so that they can be removed.
build "$site-stage" $ca --target build
build "$site" $ca
build "$nginx-stage" -f Dockerfile.nginx --build-arg NGINX_BASE=slipway-nginx:sid --target static
build "$nginx" -f Dockerfile.nginx --build-arg NGINX_BASE=slipway-nginx:sid
first=$(docker image inspect -f '{{.Id}}' "$site" "$nginx")
build "$site" $ca
build "$nginx" -f Dockerfile.nginx --build-arg NGINX_BASE=slipway-nginx:sid
[ "$first" = "$(docker image inspect -f '{{.Id}}' "$site" "$nginx")" ] || fail "building again made other images"
say "images built, twice the same"
docker image inspect -f '{{join .Config.Cmd " "}}: {{.Size}} bytes, {{len .RootFS.Layers}} layers, user {{.Config.User}}, stop signal {{.Config.StopSignal}}' "$site" "$nginx"
for image in "$site" "$nginx"; do
	docker history --no-trunc --format '{{.CreatedBy}}' "$image" | grep -iE '(secret_key|password|token|aws_[a-z_]*key)=[^ ]' && fail "$image: its history tells a secret"
done

docker network create --label "$run" "$run" >/dev/null
docker volume create --label "$run" "$run-certs" >/dev/null
start() { docker run -d --label "$run" "$@" >/dev/null; }

# As RDS: TLS only, a certificate for the address, an owner who is not a superuser.
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

# What the task definition would tell the site.
cat >"$work/env" <<-END
	DB_HOST=database
	DB_PORT=5432
	DB_DATABASE=site
	DB_SSLMODE=verify-full
	DB_SSLROOTCERT=/certs/ca.pem
	SECRET_KEY=$(od -An -N40 -tx1 /dev/urandom | tr -d ' \n')
	ALLOWED_HOSTS=site.example
	CSRF_TRUSTED_ORIGINS=https://site.example
	SITE_URL=https://site.example
	SITE_HTTPS=true
	MEDIA_ROOT=/tmp/media
END
owner="-e DB_USERNAME=owner -e DB_PASSWORD=owner-password"
inside="--network $run -v $run-certs:/certs:ro --env-file $work/env"

# The tests run in the image that ships, which has neither tests nor coverage in it.
mkdir -p "$work/tests/website" "$work/tests/feed"
cp -R website/tests "$work/tests/website/" && cp -R feed/tests "$work/tests/feed/" && cp .coveragerc "$work/tests/"
cat >"$work/tests/Dockerfile" <<-END
	FROM $site
	COPY --from=slipway-coverage:sid /usr/lib/python3/dist-packages/coverage /usr/lib/python3/dist-packages/coverage
	COPY . .
END
docker build -q -t "$run-tests" "$work/tests" >/dev/null 2>&1 || fail "the image for the tests does not build"
tries=0
until docker exec "$run-db" pg_isready -qh database 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 60 ] || { docker logs "$run-db" >&2; fail "Postgres does not start"; }
	sleep 0.5
done
say "tests"
docker run --rm --label "$run" --read-only $inside $owner "$run-tests" sh -c '
	export COVERAGE_FILE=/tmp/coverage
	python -m coverage run manage.py test --noinput -v "${VERBOSITY:-1}" &&
	python -m coverage report' || fail "the tests"

say "the containers, as a task"
docker run --rm --label "$run" --read-only $inside $owner -e SITE_DB_USERNAME=site -e SITE_DB_PASSWORD=site-password "$site" python manage.py migrate_locked
start --name "$run-django" --read-only --init --cap-drop ALL $inside -e DB_USERNAME=site -e DB_PASSWORD=site-password "$site"
start --name "$run-nginx" --read-only --init --cap-drop ALL --network "container:$run-django" "$nginx"
ask() { docker exec "$run-nginx" wget -q -S -T 5 -O - --header "Host: $1" --header "X-Forwarded-Proto: https" --header "X-Forwarded-For: 10.9.9.9, 198.51.100.7" "http://127.0.0.1:8080$2" 2>&1; }
expect() { # expect HOST PATH PATTERN...
	answer=$(ask "$1" "$2" || true)
	for pattern in "$@"; do
		[ "$pattern" = "$1" ] || [ "$pattern" = "$2" ] || echo "$answer" | grep -q -- "$pattern" || fail "$2 lacks '$pattern':
$answer"
	done
}
tries=0
until docker exec "$run-django" healthcheck 2>/dev/null && docker exec "$run-nginx" healthcheck 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 60 ] || { docker logs "$run-django" >&2; docker logs "$run-nginx" >&2; fail "the containers never got healthy"; }
	sleep 0.5
done
expect 10.1.2.3:8080 /healthz '200 OK' '"alive"'
expect 10.1.2.3:8080 /readyz '200 OK' '"migrations": "ok"'
expect 10.1.2.3:8080 /latest/ '400 Bad Request'
expect site.example /latest/ '200 OK' 'Strict-Transport-Security' 'Content-Security-Policy' 'X-Request-ID' 'feed/site\.[0-9a-f]*\.css'
style=$(ask site.example /latest/ | grep -o '/static/feed/site\.[0-9a-f]*\.css')
expect site.example "$style" '200 OK' 'immutable' 'One column'
docker exec "$run-django" python manage.py doctor
# The twenty-second password within a few seconds is one too many; looking at the form is not.
codes=$(docker exec "$run-nginx" sh -c 'for n in $(seq 26); do wget -q -S -T 5 -O /dev/null --post-data x=1 --header "Host: site.example" http://127.0.0.1:8080/account/log-in/ 2>&1 | sed -n "s/.*HTTP.1.1 \([0-9]*\).*/\1/p"; done')
echo "$codes" | grep -q 429 || fail "passwords may be tried without end: $codes"
expect site.example /account/log-in/ '200 OK'
docker exec "$run-nginx" sh -c 'head -c 7000000 /dev/zero >/tmp/large; wget -q -S -T 5 -O /dev/null --post-file /tmp/large --header "Host: site.example" http://127.0.0.1:8080/ 2>&1' | grep -q ' 413 ' || fail "a request of 7 MB is let through"
docker logs "$run-nginx" | grep -q '"address":"198.51.100.7".*"path":"/latest/"' || fail "nginx does not log the visitor's address"
docker logs "$run-django" | grep -q '"path": "/latest/"' || fail "Django does not log the request"
docker exec "$run-django" sh -c 'touch /srv/site/x' 2>/dev/null && fail "the root file system is not read-only"
before=$(date +%s)
docker stop -t 30 "$run-nginx" "$run-django" >/dev/null
docker inspect -f '{{.Name}} ended with {{.State.ExitCode}}' "$run-nginx" "$run-django"
[ $(($(date +%s) - before)) -lt 10 ] || fail "idle containers took more than 10 s to stop"
if [ -n "${KEEP:-}" ]; then
	docker tag "$site" slipway-site:test
	docker tag "$nginx" slipway-site-nginx:test
fi
say "all is well"
