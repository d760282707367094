#!/bin/sh
# Tests the site: builds its image, runs the tests in the built image against a real Postgres over verified TLS, then runs the container
# like Fargate (read-only, its own user) and requests pages from it.
# Needs Docker; on first use also what debian-base.sh needs. Removes everything it creates except the base images.
# KEEP=1 keeps the image as slipway-site:test.
set -eu
cd "$(dirname "$0")"
. ./stand.sh

first=$(docker image inspect -f '{{.Id}}' "$site")
build "$site"
[ "$first" = "$(docker image inspect -f '{{.Id}}' "$site")" ] || fail "a second build produced a different image"
made() { docker run --rm --label "$run" "$site-stage" find /opt/venv /srv/site -type f -exec sha256sum {} + | sort -k 2; }
made >"$work/made"
docker rmi "$site-stage" >/dev/null # otherwise it would stay as an untagged image
build_stage --no-cache
made >"$work/made-again"
diff "$work/made" "$work/made-again" >&2 || fail "a build without cache produced different files"
say "image built; rebuilds with and without cache are identical: $(wc -l <"$work/made") files"

mine=$(($(docker image inspect -f '{{.Size}}' "$site") - $(docker image inspect -f '{{.Size}}' slipway-base:sid)))
docker image inspect -f "{{join .Config.Cmd \" \"}}: {{.Size}} bytes, $mine of them on top of slipway-base:sid, {{len .RootFS.Layers}} layers, user {{.Config.User}}" "$site"
[ $mine -lt 12000000 ] || fail "$mine bytes on top of its base, at most 12 MB are allowed"
[ "$(docker run --rm --label "$run" "$site" id -u)" != 0 ] || fail "the image runs as root"
{ docker history --no-trunc --format '{{.CreatedBy}}' "$site"; docker image inspect -f '{{join .Config.Env "\n"}}' "$site"; } >"$work/history"
! grep -iE '(secret|password|token|credential|aws_[a-z_]*key)[a-z_]*=[^ ]' "$work/history" >&2 || fail "the image's history contains a secret"
! docker run --rm --label "$run" --entrypoint sh "$site" -c 'command -v gcc cc make git curl' || fail "the image contains a build tool"
[ -z "$(docker run --rm --label "$run" --entrypoint find "$site" /srv -name tests -o -name '*.md' -o -name '.env*' -o -name '*.pem')" ] || fail "the image contains files that do not belong in it"
# Without these two programs ECS Exec records nothing of a session.
for program in script cat; do
	docker run --rm --label "$run" --entrypoint sh "$site" -c "command -v $program" >/dev/null || fail "the image has no $program"
done

# The tests run in the shipped image, plus the tests and coverage, which it does not contain.
mkdir -p "$work/tests/website" "$work/tests/feed"
cp -R website/tests "$work/tests/website/" && cp -R feed/tests "$work/tests/feed/" && cp .coveragerc "$work/tests/"
cat >"$work/tests/Dockerfile" <<-END
	FROM $site
	COPY --from=slipway-coverage:sid /usr/lib/python3/dist-packages/coverage /usr/lib/python3/dist-packages/coverage
	COPY . .
END
docker build -q -t "$run-tests" "$work/tests" >/dev/null 2>&1 || fail "the test image does not build"
say "tests"
docker run --rm --label "$run" --read-only $inside $owner "$run-tests" sh -c '
	export COVERAGE_FILE=/tmp/coverage
	python -m coverage run manage.py test --noinput -v "${VERBOSITY:-1}" &&
	python -m coverage report' || fail "the tests"

say "TLS"
manage() { docker run --rm --label "$run" --read-only $inside $owner "$@" "$site" python manage.py showmigrations; }
manage >/dev/null || fail "the site does not reach its database"
for wrong in PGSSLROOTCERT=/etc/ssl/certs/ca-certificates.crt PGSSLMODE=disable "DB_HOST=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$run-db")"; do
	! manage -e "$wrong" >"$work/tls" 2>&1 || fail "the database is reached with $wrong"
	grep -qE 'certificate verify failed|no encryption|does not match host name' "$work/tls" || fail "$wrong: $(tail -3 "$work/tls")"
done

say "the container, as in a task"
migrate
start --name "$run-django" --read-only --init --cap-drop ALL $inside $lesser "$site"
ask() { # ask HOST PATH: prints status, headers and body, as nginx asks
	docker exec "$run-django" python -c '
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
c.request("GET", sys.argv[2], headers={"Host": sys.argv[1], "X-Forwarded-Proto": "https", "X-Request-ID": "nginx-sets-this"})
r = c.getresponse()
print(r.status, r.reason, r.headers, r.read().decode(), sep="\n")' "$1" "$2" 2>&1
}
expect() { # expect HOST PATH PATTERN...
	answer=$(ask "$1" "$2" || true)
	for pattern in "$@"; do
		[ "$pattern" = "$1" ] || [ "$pattern" = "$2" ] || echo "$answer" | grep -q -- "$pattern" || fail "$2 lacks '$pattern':
$answer"
	done
}
healthy() { ask site.example /healthz | grep -q '^200$'; }
await 30 "Django does not become healthy" healthy
expect 10.1.2.3:8080 /healthz '^200$' '"alive"'
expect 10.1.2.3:8080 /readyz '^200$' '"migrations": "ok"'
expect 10.1.2.3:8080 /latest/ '^400$'
expect site.example /latest/ '^200$' 'Strict-Transport-Security' 'X-Request-ID: nginx-sets-this' 'feed/site\.[0-9a-f]*\.css'
style=$(ask site.example /latest/ | grep -o '/static/feed/site\.[0-9a-f]*\.css')
docker exec "$run-django" grep -q 'One column' "/srv/site$style" || fail "the page links $style, which was not collected"
docker logs "$run-django" | grep -q '"path": "/latest/"' || fail "Django does not log the request"
docker exec "$run-django" sh -c 'touch /srv/site/x' 2>/dev/null && fail "the root file system is not read-only"
before=$(date +%s)
docker stop -t 30 "$run-django" >/dev/null
docker inspect -f '{{.Name}} exited with {{.State.ExitCode}}' "$run-django"
[ "$(docker inspect -f '{{.State.ExitCode}}' "$run-django")" = 0 ] || fail "the container did not stop by itself"
[ $(($(date +%s) - before)) -lt 10 ] || fail "an idle container took more than 10 s to stop"

say "a laptop"
start --name "$run-laptop" --init -v "$PWD/website:/srv/site/website:ro" -v "$PWD/feed:/srv/site/feed:ro" $inside $owner \
	-e SITE_MODE=development -e DEBUG=true -e SITE_HTTPS=false -e ALLOWED_HOSTS=site.example "$site" \
	sh -c "python manage.py migrate && exec python manage.py runserver 0.0.0.0:8000"
await 30 "the laptop's site does not start" docker exec "$run-laptop" python -c '
import urllib.request
for path in "/latest/", "/static/feed/site.css":
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8000" + path, headers={"Host": "site.example"}), timeout=5)'
if [ -n "${KEEP:-}" ]; then
	docker tag "$site" slipway-site:test
fi
say "all tests passed"
