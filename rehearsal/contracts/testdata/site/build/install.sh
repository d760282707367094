#!/bin/sh
exec python3 -m venv "$2"
