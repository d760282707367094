#!/bin/bash
# Runs once, as root, when the machine first starts.
set -eu

# The package manager needs more memory than the smallest machine has.
dd if=/dev/zero of=/swap bs=1M count=1024 status=none
chmod 600 /swap
mkswap /swap
swapon /swap
echo '/swap none swap sw 0 0' >>/etc/fstab

# pg_dump refuses a server of a newer major, while every client talks to older servers: so the newest client. An image
# knows only the packages of its own release; "latest" is the repository of today. Source: Amazon Linux 2023 guide,
# "Deterministic upgrades through versioned repositories"; amazon-linux-2023#1031 for postgresql18.
for major in 18 17 16; do
	if dnf install --releasever=latest --assumeyes --quiet "postgresql$major"; then
		break
	fi
done
psql --version

# With the authorities of RDS psql can tell that it speaks to the database itself. A site without NAT cannot fetch them.
bundle=/etc/pki/tls/certs/rds.pem
if curl --silent --fail --max-time 30 --output "$bundle" https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem; then
	printf 'export PGSSLMODE=verify-full PGSSLROOTCERT=%s\n' "$bundle" >/etc/profile.d/psql.sh
else
	printf 'export PGSSLMODE=require\n' >/etc/profile.d/psql.sh
fi
