#!/usr/bin/env bash
# What `make run` shows: a machine boots, a container runs by docker and by cove, both halves say who they are.
set -euo pipefail
source "$(dirname "$0")/places.sh"

# A home of its own, so that it touches no machine that somebody works with.
export COVE_HOME=${COVE_HOME:-$cache/run}
cove=$root/dist/bin/cove

show() {
    printf '\n\033[1m$ %s\033[0m\n' "${*/#$cove/cove}"
    "$@"
}
stop() { "$cove" stop --daemon --quiet || true; }
trap stop EXIT

show "$cove" start --docker-context=no
DOCKER_HOST=$("$cove" status --docker-host)
export DOCKER_HOST
unset DOCKER_CONTEXT
show docker run --rm cove/hello
show "$cove" run --rm cove/hello
show docker version
show "$cove" explain
show "$cove" stop --daemon
trap - EXIT

cat <<END

That was a Linux kernel of its own with a container in it. To use it: add $root/dist/bin to PATH, then

  cove start            boots the machine and offers to make docker use it
  docker run --rm cove/hello
END
