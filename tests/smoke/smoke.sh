#!/usr/bin/env bash
# The smoke test: the same on every host, in about a minute.
#
#   smoke.sh                       everything
#   smoke.sh --without-machine     for computers on which no virtual machine can run: all that goes without, and that the
#                                  start is refused with a reason and a fix
#
# Looks for cove beside itself (bin/cove) or in $COVE_DIST. Uses a home of its own and removes it; says PASS or FAIL for each
# step and leaves everything that it saw in smoke-report.txt. Works with the bash 3.2 of macOS and with Git's bash on Windows.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dist=${COVE_DIST:-$here}
report=$PWD/smoke-report.txt
machine=yes
case "${1:-}" in
'') ;;
--without-machine) machine=no ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

cove=$dist/bin/cove window=$dist/bin/cove-desktop
case "$(uname -s)" in
Darwin)
    # What a browser has downloaded is not run before somebody says that it may; whoever calls this says so.
    xattr -dr com.apple.quarantine "$dist" 2>/dev/null || true
    ;;
MINGW* | MSYS* | CYGWIN*) cove=$cove.exe window=$window.exe ;;
esac

# Short, because the names of sockets have a limit.
home=$(mktemp -d /tmp/cove.XXXXXX)
COVE_HOME=$home
if command -v cygpath >/dev/null 2>&1; then COVE_HOME=$(cygpath -w "$home"); fi
export COVE_HOME
unset DOCKER_CONTEXT DOCKER_HOST

failed=0 passed=0 said=
: >"$report"

note() { printf '%s\n' "$@" >>"$report"; }

# step SENTENCE COMMAND...: PASS if the command succeeds. What it says is in $said and in the report.
step() {
    local sentence=$1 began=$SECONDS verdict=PASS
    shift
    note "" "── $sentence" "\$ $*"
    said=$("$@" 2>&1) || verdict="FAIL"
    note "$said"
    finish "$verdict" "$sentence" $((SECONDS - began))
}

finish() {
    if [ "$1" = PASS ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '%s  %-58s %3d s\n' "$1" "$2" "$3" | tee -a "$report"
    if [ "$1" != PASS ]; then printf '%s\n' "$said" | tail -5 | sed 's/^/      /'; fi
}

# says SENTENCE WORDS: PASS if the last step said them.
says() {
    case "$said" in
    *"$2"*) finish PASS "$1" 0 ;;
    *) finish FAIL "$1" 0 ;;
    esac
}

refused() { ! "$@"; }

# field NAME: a field of `cove status --format json`, whatever its type.
field() { "$cove" status --format json | sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" | head -1; }

# The Docker API without the docker command, where a unix socket can be asked.
ask_docker() { curl --silent --show-error --fail --max-time 20 --unix-socket "$home/run/docker.sock" "http://docker$1"; }

with_docker() { DOCKER_HOST=$("$cove" status --docker-host) docker "$@"; }

kill_daemon() {
    local pid
    pid=$(field daemon_pid)
    if command -v taskkill >/dev/null 2>&1; then
        taskkill //F //PID "$pid"
    else
        kill -9 "$pid"
    fi
}

without_machine() {
    step "the daemon answers" "$cove" status
    says "the machine is stopped" "stopped"
    if [ -S "$home/run/docker.sock" ]; then
        step "the Docker API answers a ping" ask_docker /_ping
        says "it says OK" "OK"
        step "the Docker API says its version" ask_docker /version
        says "its server is Linux" '"linux"'
    fi
    step "cove says its version" "$cove" version
    step "the settings are shown" "$cove" settings
    # The package of a computer without a desktop has none.
    if [ -x "$window" ]; then step "the window's program starts" "$window" --version; fi
}

with_machine() {
    step "the machine starts" "$cove" start --docker-context=no
    step "cove runs a container" "$cove" run --rm cove/hello
    says "it says hello" "Hello from Cove!"
    if command -v docker >/dev/null 2>&1; then
        step "docker runs a container" with_docker run --rm cove/hello
        says "it says hello to docker" "Hello from Cove!"
        step "docker knows whom it talks to" with_docker version
    fi
    step "cove explains who is who" "$cove" explain
    step "a container is left behind" "$cove" run --detach --name survivor cove/hello
    step "the daemon is killed" kill_daemon
    step "a new daemon takes the machine over" "$cove" start --docker-context=no
    step "the container is still known" "$cove" ps --all
    says "by its name" "survivor"
    step "the machine is given one CPU, from its next start" "$cove" settings --cpus 1
    step "the machine restarts" "$cove" restart
    step "the container is on the disk" "$cove" ps --all
    says "by its name, after a restart" "survivor"
}

goodbye() {
    local log
    note "" "── status at the end"
    "$cove" status --format json >>"$report" 2>&1
    step "the machine and the daemon stop" "$cove" stop --daemon
    for log in "$home/log/coved.log" "$home/machine/helper.log" "$home/machine/console.log"; do
        note "" "── ${log#"$home"/}, its end"
        tail -n 150 "$log" >>"$report" 2>&1
    done
    rm -rf "$home"
    printf '%s passed, %s failed; all of it is in %s\n' "$passed" "$failed" "$report"
}

note "Cove's smoke test, $(date -u +%Y-%m-%dT%H:%M:%SZ)"
{ uname -a; sw_vers; sysctl -n machdep.cpu.brand_string hw.model; cmd //c ver; } >>"$report" 2>/dev/null
printf '%s\n' "$("$cove" --version 2>&1)" | tee -a "$report"
if [ $machine = yes ]; then
    step "this computer has what it needs" "$cove" doctor
    without_machine
    with_machine
else
    # It has problems, and must name them.
    step "this computer's problem is found" refused "$cove" doctor
    without_machine
    step "a start without a machine is refused" refused "$cove" start --docker-context=no
    says "it says in which phase" "(phase prepare)"
fi
goodbye
[ $failed = 0 ]
