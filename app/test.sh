#!/bin/sh
# Tests the site: builds both images, runs the tests in the built image against a real Postgres over verified TLS, then runs the
# containers like Fargate (read-only, their own users, one network namespace) and requests pages from them.
# Needs Docker; on first use also what debian-base.sh needs. Removes everything it creates except the base images.
# KEEP=1 keeps the two images as slipway-site:test and slipway-site-nginx:test.
set -eu
cd "$(dirname "$0")"
. ./stand.sh

first=$(docker image inspect -f '{{.Id}}' "$site" "$nginx")
build_both
[ "$first" = "$(docker image inspect -f '{{.Id}}' "$site" "$nginx")" ] || fail "a second build produced different images"
made() { docker run --rm --label "$run" "$1" find $2 -type f -exec sha256sum {} + | sort -k 2; }
made "$site-stage" "/opt/venv /etc/ssl/rds /srv/site /manifest" >"$work/made"
made "$nginx-stage" /srv/site/static >>"$work/made"
docker rmi "$site-stage" "$nginx-stage" >/dev/null # otherwise they would stay as untagged images
build_stages --no-cache
made "$site-stage" "/opt/venv /etc/ssl/rds /srv/site /manifest" >"$work/made-again"
made "$nginx-stage" /srv/site/static >>"$work/made-again"
diff "$work/made" "$work/made-again" >&2 || fail "a build without cache produced different files"
say "images built; rebuilds with and without cache are identical: $(wc -l <"$work/made") files"

# look IMAGE BASE USER: checks an image's size on top of its base, its user and its history
look() {
	mine=$(($(docker image inspect -f '{{.Size}}' "$1") - $(docker image inspect -f '{{.Size}}' "$2")))
	docker image inspect -f "{{join .Config.Cmd \" \"}}: {{.Size}} bytes, $mine of them on top of $2, {{len .RootFS.Layers}} layers, user {{.Config.User}}" "$1"
	[ $mine -lt 8000000 ] || fail "$1: $mine bytes on top of its base, at most 8 MB are allowed"
	[ "$(docker image inspect -f '{{.Config.User}}' "$1")" = "$3" ] || fail "$1: its user is not $3"
	[ "$(docker image inspect -f '{{.Config.Healthcheck.Test}}' "$1")" = "[CMD healthcheck]" ] || fail "$1: it has no health check"
	{ docker history --no-trunc --format '{{.CreatedBy}}' "$1"; docker image inspect -f '{{join .Config.Env "\n"}}' "$1"; } >"$work/history"
	! grep -iE '(secret|password|token|credential|aws_[a-z_]*key)[a-z_]*=[^ ]' "$work/history" >&2 || fail "$1: its history contains a secret"
	! docker run --rm --label "$run" --entrypoint sh "$1" -c 'command -v gcc cc make git curl' || fail "$1: contains a build tool"
	[ -z "$(docker run --rm --label "$run" --entrypoint find "$1" /srv -name tests -o -name '*.md' -o -name '.env*' -o -name '*.pem')" ] || fail "$1: contains files that do not belong in an image"
}
look "$site" slipway-base:sid 10001:10001
look "$nginx" slipway-nginx:sid 101:101

# On Fargate a volume gets the owner of its path in the image, but only if the image declares exactly that path as VOLUME and no part
# of it is a symbolic link. Otherwise it belongs to root, and Docker hides this by following the link. So check every path that a task
# definition mounts in its image. ECS Exec's agent runs as root.
docker run --rm --label "$run" -v "$PWD/../site/testdata:/graphs:ro" --entrypoint python3 "$site" -c '
import glob, json
print("\n".join(sorted({" ".join((c["name"], c["user"], m["containerPath"]))
    for graph in glob.glob("/graphs/graph.*.json")
    for r in json.load(open(graph)) if r["type"] == "aws:ecs/taskDefinition:TaskDefinition"
    for c in json.loads(r["inputs"]["containerDefinitions"]) for m in c["mountPoints"]})))' >"$work/mounts"
[ "$(grep -c . "$work/mounts")" -gt 4 ] || fail "the task definitions have too few mounts: $(cat "$work/mounts")"
while read -r name user path; do
	case $name in
	django) image=$site ;;
	nginx) image=$nginx ;;
	*) fail "container $name mounts $path, but its image is unknown" ;;
	esac
	case $path in /managed-agents | /var/*/amazon/ssm) user=0:0 ;; esac
	docker image inspect -f '{{range $path, $_ := .Config.Volumes}}{{println $path}}{{end}}' "$image" | grep -qx "$path" ||
		fail "$name: the image does not declare $path as VOLUME"
	real=$(docker run --rm --label "$run" --user 0 --entrypoint readlink "$image" -f "$path")
	[ "$real" = "$path" ] || fail "$name: $path is a symbolic link to $real"
	holder=$(docker run --rm --label "$run" --user 0 --entrypoint stat "$image" -c %u:%g "$path")
	[ "$holder" = "$user" ] || fail "$name: $path belongs to $holder, but must belong to $user"
done <"$work/mounts"
say "each of $(grep -c . "$work/mounts") mounts is a real directory that belongs to its writer"

# Without these two programs ECS Exec records nothing of a session.
for image in "$site" "$nginx"; do
	for program in script cat; do
		docker run --rm --label "$run" --entrypoint sh "$image" -c "command -v $program" >/dev/null || fail "$image has no $program"
	done
done
say "sessions into both images can be recorded"

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

say "the containers, as a task"
docker run --rm --label "$run" --read-only $inside $owner -e SITE_DB_USERNAME=site -e SITE_DB_PASSWORD=site-password "$site" python manage.py migrate_locked
start --name "$run-django" --read-only --init --cap-drop ALL $inside $lesser "$site"
start --name "$run-nginx" --read-only --init --cap-drop ALL --network "container:$run-django" "$nginx"
ask() { docker exec "$run-nginx" wget -q -S -T 5 -O - --header "Host: $1" --header "X-Forwarded-Proto: https" --header "X-Forwarded-For: 10.9.9.9, 198.51.100.7" "http://127.0.0.1:8080$2" 2>&1; }
expect() { # expect HOST PATH PATTERN...
	answer=$(ask "$1" "$2" || true)
	for pattern in "$@"; do
		[ "$pattern" = "$1" ] || [ "$pattern" = "$2" ] || echo "$answer" | grep -q -- "$pattern" || fail "$2 lacks '$pattern':
$answer"
	done
}
await 30 "Django does not become healthy" docker exec "$run-django" healthcheck
await 30 "nginx does not become healthy" docker exec "$run-nginx" healthcheck
expect 10.1.2.3:8080 /healthz '200 OK' '"alive"'
expect 10.1.2.3:8080 /readyz '200 OK' '"migrations": "ok"'
expect 10.1.2.3:8080 /latest/ '400 Bad Request'
expect site.example /latest/ '200 OK' 'Strict-Transport-Security' 'Content-Security-Policy' 'X-Request-ID' 'feed/site\.[0-9a-f]*\.css'
style=$(ask site.example /latest/ | grep -o '/static/feed/site\.[0-9a-f]*\.css')
expect site.example "$style" '200 OK' 'immutable' 'One column'
docker exec "$run-django" python manage.py doctor
# The 22nd password attempt within a few seconds is rejected; viewing the form is not.
codes=$(docker exec "$run-nginx" sh -c 'for n in $(seq 26); do wget -q -S -T 5 -O /dev/null --post-data x=1 --header "Host: site.example" http://127.0.0.1:8080/account/log-in/ 2>&1 | sed -n "s/.*HTTP.1.1 \([0-9]*\).*/\1/p"; done')
echo "$codes" | grep -q 429 || fail "password attempts are not limited: $codes"
expect site.example /account/log-in/ '200 OK'
docker exec "$run-nginx" sh -c 'head -c 7000000 /dev/zero >/tmp/large; wget -q -S -T 5 -O /dev/null --post-file /tmp/large --header "Host: site.example" http://127.0.0.1:8080/ 2>&1' | grep -q ' 413 ' || fail "a 7 MB request is accepted"
docker logs "$run-nginx" | grep -q '"address":"198.51.100.7".*"path":"/latest/"' || fail "nginx does not log the visitor's address"
docker logs "$run-django" | grep -q '"path": "/latest/"' || fail "Django does not log the request"
docker exec "$run-django" sh -c 'touch /srv/site/x' 2>/dev/null && fail "the root file system is not read-only"
before=$(date +%s)
docker stop -t 30 "$run-nginx" "$run-django" >/dev/null
docker inspect -f '{{.Name}} exited with {{.State.ExitCode}}' "$run-nginx" "$run-django"
[ $(($(date +%s) - before)) -lt 10 ] || fail "idle containers took more than 10 s to stop"
if [ -n "${KEEP:-}" ]; then
	docker tag "$site" slipway-site:test
	docker tag "$nginx" slipway-site-nginx:test
fi
say "all tests passed"
