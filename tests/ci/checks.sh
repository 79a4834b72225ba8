#!/usr/bin/env bash
# Runs checks by name, all of them by default; says at the end what each cost, and of each that failed, how to repeat it.
set -uo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"

all=(setup fmt tidy deny proto-compat clippy unit cross wine dist vm e2e desktop)

setup() { tests/ci/setup.sh run && tests/ci/setup.sh checks; }
fmt() { cargo fmt --all --check; }
tidy() { cargo test --locked -p cove-tests --test tidy; }
deny() { cargo deny check bans licenses sources; }
proto-compat() {
    # No drift is a unit test of cove-proto.
    buf lint proto && buf breaking proto --against proto/baseline.binpb
}
# The window's page is inside its program: no compiler gets past cove-desktop without it.
clippy() { tests/ci/desktop.sh have_page && cargo clippy --locked --workspace --all-targets --all-features -- -D warnings; }
unit() { tests/ci/desktop.sh have_page && cargo test --locked --workspace --no-fail-fast; }
cross() { tests/ci/cross-check.sh; }
wine() { tests/wine/check.sh; }
dist() { tests/ci/dist.sh; }
vm() {
    dist && COVE_VM_IMAGE=$root/dist/share/cove COVE_VHOST_DEVICE_VSOCK=$root/dist/share/cove/vhost-device-vsock \
        cargo test --locked -p cove-hypervisor-qemu --features vm-tests --test conformance
}
e2e() {
    dist && COVE_DIST=$root/dist COVE_TEST_PYTHON=$venv/bin/python COVE_TEST_BUF=$tools/bin/buf \
        cargo test --locked -p cove-tests --features e2e --test e2e -- ${ARGS:-}
}

desktop() { dist && tests/ci/desktop.sh page_checks app tests; }

passed=0 failed=() lines=()
for check in "${@:-${all[@]}}"; do
    printf '\n━━ %s\n' "$check"
    began=$SECONDS
    if "$check"; then
        passed=$((passed + 1)) verdict=ok
    else
        failed+=("$check") verdict=FAILED
    fi
    lines+=("$(printf '  %-14s %-7s %4d s' "$check" $verdict $((SECONDS - began)))")
    # Nothing else can work without the tools.
    if [ "$check" = setup ] && [ $verdict = FAILED ]; then break; fi
done

printf '\n━━ %d s in all\n' $SECONDS
printf '%s\n' "${lines[@]}"
for check in "${failed[@]}"; do printf '%s failed; to repeat it alone: make %s\n' "$check" "$check"; done
printf 'checks: %d passed, %d failed\n' $passed ${#failed[@]}
[ ${#failed[@]} = 0 ]
