#!/bin/sh
# Measures timelines per second and the 99th percentile of response times: the shipped configuration (nginx, gunicorn, Postgres)
# compared with the same pages under gunicorn and Django with their defaults. All variants take turns in one run, so the ratios hold on
# any machine; the absolute figures are of this one.
# Needs Docker and wrk, which root installs from Debian, and Slipway's nginx: NGINX is its image, by default the newest that
# `slipway up --run` built. SECONDS_EACH (default 10), ROUNDS (3), VISITORS (16).
set -eu
cd "$(dirname "$0")"
command -v wrk >/dev/null || { apt-get update && apt-get install -y --no-install-recommends wrk; } >/dev/null 2>&1 ||
	{ echo "load: wrk is not installed: apt-get install wrk" >&2; exit 1; }
nginx=${NGINX:-$(docker images -q --filter 'reference=127.0.0.1:*/slipway-*/nginx' | head -n 1)}
[ -n "$nginx" ] || { echo "load: no image of nginx: run slipway up --run, and load.sh before slipway destroy" >&2; exit 1; }
. ./stand.sh
seconds=${SECONDS_EACH:-10} rounds=${ROUNDS:-3} visitors=${VISITORS:-16}

migrate
say "200 people, 20,000 posts, 20,000 likes; the visitor follows 50"
session=$(docker run --rm --label "$run" $inside $lesser "$site" python manage.py shell -v0 -c '
import random
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from feed.models import Follow, Like, Post, User
random.seed(1)
people = User.objects.bulk_create(User(username=f"person_{n}") for n in range(200))
visitor = people[0]
Follow.objects.bulk_create(Follow(follower=visitor, followed=p) for p in people[1:51])
posts = Post.objects.bulk_create(Post(author=random.choice(people), text=f"Number {n}: the tide was kind to us today. https://example.org/{n}") for n in range(20000))
pairs = {(random.randrange(200), random.randrange(20000)) for _ in range(20000)}
Like.objects.bulk_create(Like(user=people[u], post=posts[p]) for u, p in pairs)
s = SessionStore()
s[SESSION_KEY], s[BACKEND_SESSION_KEY], s[HASH_SESSION_KEY] = str(visitor.pk), "django.contrib.auth.backends.ModelBackend", visitor.get_session_auth_hash()
s.save()
print(s.session_key)' | tail -1)
database -c 'VACUUM ANALYZE'

# What startproject would say, as far as the same pages can do with it: no lasting connections, none of the site's own
# middleware, no log.
mkdir "$work/plain"
touch "$work/plain/nothing.py"
cat >"$work/plain/plain.py" <<-'END'
	from website.settings import *

	MIDDLEWARE = [m for m in MIDDLEWARE if not m.startswith("website.")]
	DATABASES["default"].update(CONN_MAX_AGE=0, CONN_HEALTH_CHECKS=False)
	DATABASES["default"]["OPTIONS"] = {}
	LOGGING = {}
END
chmod -R a+rX "$work" "$work/plain"
start --name "$run-shipped" --read-only --init $inside $lesser "$site"
start --name "$run-nginx" --read-only --tmpfs /tmp --init --network "container:$run-shipped" -e SLIPWAY_HOST=site.example -e SLIPWAY_PORT=8080 \
	-e SLIPWAY_APP_PORT=8000 -e SLIPWAY_HEALTH_PATH=/healthz -e SLIPWAY_MAX_BODY=6m -e SLIPWAY_TIMEOUT=30s -e SLIPWAY_KEEPALIVE=75s \
	-e SLIPWAY_STATIC_URL=/static/ "$nginx"
plain="$inside $lesser -v $work/plain:/plain:ro -e PYTHONPATH=/plain -e DJANGO_SETTINGS_MODULE=plain"
start --name "$run-plain-1" --init $plain "$site" gunicorn -c /plain/nothing.py -b 0.0.0.0:8080 website.wsgi
start --name "$run-plain-2" --init $plain "$site" gunicorn -c /plain/nothing.py -b 0.0.0.0:8080 -w 2 website.wsgi

ask() { # ask CONTAINER: gets the timeline
	docker exec "$run-shipped" python -c '
import sys, urllib.request
headers = {"Host": "site.example", "X-Forwarded-Proto": "https", "Cookie": "__Host-session=" + sys.argv[2]}
print(urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=headers), timeout=10).read().decode())' "http://$(address "$1"):8080/" "$session"
}
address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$run-$1"; }
measure() { # measure CONTAINER SECONDS: prints requests per second and the 99th percentile in ms
	wrk -t 1 -c "$visitors" -d "$2s" --latency --timeout 20s -H "Host: site.example" -H "X-Forwarded-Proto: https" -H "Cookie: __Host-session=$session" "http://$(address "$1"):8080/" >"$work/wrk"
	! grep -E 'Non-2xx|timeout [1-9]' "$work/wrk" >&2 || fail "$1 answers with errors"
	awk '/^ *99%/ { v = $2; print_p = v ~ /us$/ ? v / 1000 : v ~ /ms$/ ? v + 0 : v * 1000 } /^Requests\/sec/ { r = $2 } END { printf "%.1f %.0f\n", r, print_p }' "$work/wrk"
}
for c in shipped plain-1 plain-2; do
	await 60 "$c does not respond" ask "$c"
	[ "$(ask "$c" | grep -c 'class="post"')" = 20 ] || fail "$c does not show 20 posts"
	measure "$c" 3 >/dev/null
done
say "$rounds rounds of $seconds s, $visitors visitors at a time"
for round in $(seq "$rounds"); do
	for c in shipped plain-1 plain-2; do
		measure "$c" "$seconds" >>"$work/$c"
		say "round $round: $c: $(tail -1 "$work/$c" | sed 's/ / requests a second, p99 /') ms"
	done
done
middle() { sort -n -k "$2" "$work/$1" | awk -v k="$2" '{ v[NR] = $k } END { print v[int((NR + 1) / 2)] }'; }
row() { # row NAME CONTAINER
	awk -v name="$1" -v r="$(middle "$2" 1)" -v p="$(middle "$2" 2)" -v r0="$(middle plain-1 1)" -v p0="$(middle plain-1 2)" \
		'BEGIN { printf "| %s | %.0f | %.0f ms | %.2f | %.2f |\n", name, r, p, r / r0, p / p0 }'
}
echo
echo "$(nproc) CPUs ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)), $(awk '/MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GB; load average at the end: $(cut -d ' ' -f 1-3 /proc/loadavg)"
echo
echo "| | requests a second | p99 | requests, ratio | p99, ratio |"
echo "|---|---:|---:|---:|---:|"
row "nginx and gunicorn, as shipped" shipped
row "gunicorn and Django, defaults" plain-1
row "defaults with two processes" plain-2
