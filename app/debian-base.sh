#!/bin/sh
# Builds base images for use without an image registry and PyPI:
#   slipway-base:sid      Debian's Python with Django, gunicorn, psycopg and the rest, as Debian packages: the build argument BASE
#   slipway-nginx:sid     Debian's nginx: app.nginx.base
#   slipway-postgres:sid  Debian's Postgres: --postgres
#   slipway-valkey:sid    Debian's Valkey: --valkey
#   slipway-celery:sid    slipway-base with Celery, its scheduler in the database, and the clients of Redis, for the tests
#   slipway-coverage:sid  slipway-base with coverage, for the tests
# Needs Docker, debootstrap, root and a Debian mirror (MIRROR). Existing images are kept: remove them to rebuild.
set -eu
mirror=${MIRROR:-http://deb.debian.org/debian}
export DOCKER_BUILDKIT=0

have() { docker image inspect "$1" >/dev/null 2>&1; }

if ! have slipway-debian:sid; then
	command -v debootstrap >/dev/null || { echo "debian-base: debootstrap is not installed: apt-get install debootstrap" >&2; exit 1; }
	root=$(mktemp -d)
	trap 'rm -rf "$root"' EXIT
	trap 'exit 130' INT TERM
	debootstrap --variant=minbase --include=ca-certificates sid "$root" "$mirror" >"$root.log" 2>&1 ||
		{ tail -20 "$root.log" >&2; rm -f "$root.log"; echo "debian-base: debootstrap failed" >&2; exit 1; }
	rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
	tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["/bin/sh"]' - slipway-debian:sid >/dev/null
fi

# base TAG FROM PACKAGE...: builds one layer of packages without manuals, translations and package lists
base() {
	tag=$1 from=$2
	shift 2
	have "$tag" && return 0
	docker build --network host -q -t "$tag" - <<-END >/dev/null 2>&1 || { echo "debian-base: cannot build $tag" >&2; exit 1; }
		FROM $from
		RUN printf 'path-exclude=/usr/share/%s/*\n' man doc locale info lintian >/etc/dpkg/dpkg.cfg.d/slim \
		 && apt-get -o Acquire::Check-Valid-Until=false update \
		 && DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Options::=--force-unsafe-io install -y --no-install-recommends $* \
		 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/*.log /var/log/apt
	END
}

base slipway-nginx:sid slipway-debian:sid nginx-light wget &
nginx=$!
base slipway-postgres:sid slipway-debian:sid postgresql openssl &
postgres=$!
base slipway-valkey:sid slipway-debian:sid valkey-server valkey-tools &
valkey=$!
base slipway-base:sid slipway-debian:sid python3 python3-pip python3-django gunicorn python3-psycopg python3-psycopg-c \
	python3-django-storages-s3 python3-boto3 python3-pil libjs-jquery
base slipway-coverage:sid slipway-base:sid python3-coverage
base slipway-celery:sid slipway-base:sid celery python3-django-celery-beat python3-redis python3-django-redis python3-channels-redis
wait $nginx
wait $postgres
wait $valkey
docker image inspect --format '{{index .RepoTags 0}} {{.Id}} {{.Size}} bytes' \
	slipway-base:sid slipway-nginx:sid slipway-postgres:sid slipway-valkey:sid \
	slipway-coverage:sid slipway-celery:sid
