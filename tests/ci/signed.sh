#!/usr/bin/env bash
# Signs a program and becomes it: signed.sh PROGRAM [ARGUMENT...]. Cargo's runner for tests on macOS that boot machines.
set -euo pipefail
"$(dirname "$0")/sign.sh" "$1"
exec "$@"
