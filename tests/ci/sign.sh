#!/usr/bin/env bash
# Signs programs for macOS: sign.sh PROGRAM... Ad hoc unless $COVE_SIGNING_IDENTITY names a certificate. What runs machines
# needs the entitlement in its signature; an ad-hoc signature may claim it.
set -euo pipefail
entitlements=$(cd "$(dirname "$0")/../.." && pwd)/app/hypervisor-apple/cove.entitlements
for program in "$@"; do
    codesign --force --sign "${COVE_SIGNING_IDENTITY:--}" --entitlements "$entitlements" "$program"
done
