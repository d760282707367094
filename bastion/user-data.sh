#!/bin/bash
# Runs once, as root, when the machine first starts.
set -eu

# The package manager needs more memory than the smallest machine has.
dd if=/dev/zero of=/swap bs=1M count=1024 status=none
chmod 600 /swap
mkswap /swap
swapon /swap
echo '/swap none swap sw 0 0' >>/etc/fstab

dnf install --assumeyes --quiet postgresql16
