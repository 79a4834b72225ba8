#!/usr/bin/env bash
# Installs what building and running Cove needs on Debian and Ubuntu: `setup.sh run`; and what its checks need on top:
# `setup.sh checks`, `setup.sh distribution`, `setup.sh project`. Each thing is looked for first, so that a second call does nothing and costs no time.
set -euo pipefail
source "$(dirname "$0")/places.sh"

export DEBIAN_FRONTEND=noninteractive
apt_is_fresh=

say() { printf 'setup: %s\n' "$*" >&2; }
give_up() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
installed() { dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# apt_install PACKAGE...: those that are not there yet, in one call.
apt_install() {
    have apt-get || give_up "this system has no apt; install these yourself and call again: $*"
    say "apt: $*"
    if [ -z "$apt_is_fresh" ]; then as_root apt-get update -qq; apt_is_fresh=1; fi
    as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# mirror: where this Debian takes its packages from.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$' ||
        give_up "apt knows no Debian mirror; add one to its sources"
}

codename() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# ── to build and run ──

c_linker() { have cc || apt_install gcc libc6-dev; }

rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2 || true)
    if [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -1)" = "$wanted" ]; then return; fi
    if [ -z "$found" ] && apt-cache show cargo-web >/dev/null 2>&1; then
        # Debian's build of a current Rust, made for its web browsers.
        apt_install cargo-web rustc-web
    else
        give_up "Rust $wanted or newer is needed and ${found:-none} was found; get it from https://rustup.rs"
    fi
}

# qemu_package PACKAGE: of the QEMU that the tests run.
qemu_package() {
    if [ "$(codename)" = bookworm ]; then
        # Stable's 7.2 would do; backports' 10 is what the tests run.
        if ! apt-get indextargets --format '$(RELEASE)' | grep -q bookworm-backports; then
            echo "deb $(mirror) bookworm-backports main" | as_root tee /etc/apt/sources.list.d/cove-backports.list >/dev/null
            apt_is_fresh=
        fi
        apt_install -t bookworm-backports "$1"
    else
        apt_install "$1"
    fi
}

qemu() { have qemu-system-x86_64 || qemu_package qemu-system-x86; }

archive_keyring() {
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || [ -e /usr/share/keyrings/debian-archive-keyring.pgp ] ||
        apt_install debian-archive-keyring
}

# from_debian SUITE PACKAGE FILE: a program of another Debian's package, into the tools folder; nothing is installed.
from_debian() {
    say "$2: of Debian $1, unpacked into $tools"
    local scratch; scratch=$(mktemp -d); mkdir -p "$scratch/lists/partial" "$tools/bin"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $1 main" >"$scratch/sources.list"
    local apt=(-o Dir::Etc::sourcelist="$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::Lists="$scratch/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update -qq
    (cd "$scratch" && apt-get "${apt[@]}" download -qq "$2" && dpkg-deb -x "$2"_*.deb unpacked)
    install -m 755 "$scratch/unpacked/$3" "$tools/bin/$(basename "$3")"
    rm -rf "$scratch"
}

# The docker command line alone: no engine is installed or started.
docker_cli() {
    have docker && return
    if [ "$(codename)" != bookworm ]; then apt_install docker-cli 2>/dev/null || apt_install docker.io; return; fi
    # Bookworm's package is the engine and the command line of 2022 in one; trixie's command line runs here as it is.
    from_debian trixie docker-cli usr/bin/docker
}

# Of version 2; Debian had none of it before 2025.
compose() {
    [ -x "$tools/bin/docker-compose" ] ||
        from_debian sid docker-compose usr/libexec/docker/cli-plugins/docker-compose
}

# cargo_tool NAME VERSION [ARGUMENT...]: a program of crates.io, into the tools folder.
cargo_tool() {
    local name=$1 version=$2; shift 2
    grep -qs "\"$name $version " "$tools/.crates2.json" && [ -x "$tools/bin/$name" ] && return
    say "cargo: $name $version (a few minutes, once)"
    CARGO_TARGET_DIR=$cache/tools-target cargo install --quiet --locked --root "$tools" --version "$version" "$@" "$name"
    rm -rf "$cache/tools-target"
}

# ── to check ──

packages_for_checks() {
    local missing=()
    have busybox || missing+=(busybox-static)
    have python3 || missing+=(python3)
    have setpriv || missing+=(util-linux)
    # A registry, a tool that makes images for it, and certificates; and what asks the API as a script would.
    have docker-registry || missing+=(docker-registry)
    have skopeo || missing+=(skopeo)
    have openssl || missing+=(openssl)
    have curl || missing+=(curl)
    if have apt-cache; then
        # rustc with the sources of std: type-checks the other hosts' code without their toolchains.
        for package in rustc-web rust-web-src rust-web-clippy; do installed $package || missing+=("$package"); done
        have npm || missing+=(npm)
        # Links the Windows programs, makes the resources of the window, and runs them.
        have x86_64-w64-mingw32-gcc || missing+=(gcc-mingw-w64-x86-64)
        have wine || missing+=(wine wine64)
    fi
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    # Looks at disks in Windows' format.
    have qemu-img || qemu_package qemu-utils
}

# The window is GTK's and WebKit's here; its tests need a display, a session bus and something that drives WebKit.
packages_for_the_window() {
    local missing=() package
    for package in libwebkit2gtk-4.1-dev libayatana-appindicator3-dev webkit2gtk-driver xvfb xauth dbus fonts-noto-cjk; do
        installed $package || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    # What Vite, which builds the page, asks for.
    local node; node=$(node --version 2>/dev/null || true)
    [ "$(printf '%s\n' v20.19 "$node" | sort -V | head -1)" = v20.19 ] ||
        give_up "Node 20.19 or newer is needed and ${node:-none} was found; get it from https://nodejs.org"
}

buf() {
    [ "$(cat "$buf_dir/version" 2>/dev/null)" = $buf_version ] && return
    say "npm: @bufbuild/buf $buf_version"
    mkdir -p "$buf_dir" "$tools/bin"
    npm install --silent --no-audit --no-fund --prefix "$buf_dir" "@bufbuild/buf@$buf_version"
    ln -sf "$buf_dir/node_modules/.bin/buf" "$tools/bin/buf"
    echo $buf_version >"$buf_dir/version"
}

python_packages() {
    local wanted="$grpcio_version $dbus_next_version"
    [ "$(cat "$venv/version" 2>/dev/null)" = "$wanted" ] && return
    say "pip: grpcio $grpcio_version, dbus-next $dbus_next_version"
    python3 -m venv "$venv" 2>/dev/null || { apt_install python3-venv; python3 -m venv "$venv"; }
    "$venv/bin/pip" install --quiet "grpcio==$grpcio_version" "grpcio-tools==$grpcio_version" \
        "dbus-next==$dbus_next_version"
    echo "$wanted" >"$venv/version"
}

# debian NAME [PACKAGE,...]: the root file system of a Debian bookworm, as small as there is one, with these packages.
debian() {
    local tar=$cache/roots/$1.tar work
    [ -f "$tar" ] && return
    have debootstrap || apt_install debootstrap
    say "debootstrap: $1"
    work=$(mktemp -d)
    as_root debootstrap --variant=minbase ${2:+--include="$2"} bookworm "$work/root" "$(mirror)" >/dev/null
    as_root rm -rf "$work"/root/var/cache/apt/archives/*.deb
    mkdir -p "$cache/roots"
    as_root tar -C "$work/root" --xattrs -cf "$tar.new" .
    as_root rm -rf "$work"
    mv "$tar.new" "$tar"
}

case ${1:-} in
run)
    c_linker; rust; qemu; archive_keyring; docker_cli
    cargo_tool vhost-device-vsock $vhost_device_vsock_version
    ;;
checks)
    packages_for_checks; packages_for_the_window; buf; python_packages; archive_keyring; compose
    # Without its advisory and fetching parts, which need the network.
    cargo_tool cargo-deny $cargo_deny_version --no-default-features
    cargo_tool tauri-driver $tauri_driver_version
    ;;
distribution) debian bookworm ;;
project) debian project nginx-light,python3,python3-psycopg2,postgresql,git,fio ;;
*) give_up "usage: setup.sh run|checks|distribution|project" ;;
esac
