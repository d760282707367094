#!/bin/sh
# Locks requirements.in to requirements.txt: exact versions of everything, with the hash of every file on PyPI, for
# amd64 and arm64 alike. Needs Docker, an image registry and PyPI. Run it after every change of requirements.in.
set -eu
cd "$(dirname "$0")"
docker run --rm -i -v "$PWD:/app" -w /app --user "$(id -u):$(id -g)" -e HOME=/tmp "${BASE:-python:3.13.7-slim-trixie}" sh -euc '
	python -m venv /tmp/lock
	/tmp/lock/bin/pip install -q pip-tools
	# A distribution brings libpq by itself; from PyPI it comes with psycopg-binary.
	{ cat requirements.in; echo psycopg-binary; } >/tmp/requirements.in
	/tmp/lock/bin/pip-compile -q --strip-extras --generate-hashes --no-annotate --no-header --no-emit-index-url \
		--output-file /tmp/requirements.txt /tmp/requirements.in
	{ echo "# Made by lock.sh from requirements.in: do not edit."; cat /tmp/requirements.txt; } >requirements.txt
'
