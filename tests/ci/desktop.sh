#!/usr/bin/env bash
# The window: desktop.sh STEP...
#   have_page    builds the page if there is none: whoever compiles the program needs one.
#   page_checks  builds the page and checks it: types, its own tests, its size.
#   app          builds the program into dist/bin, beside the daemon, as it is installed.
#   tests        the real app before the real daemon and machine, through WebDriver and D-Bus. ARGS=test_tray for some.
#   screenshots  every screen, light and dark, with real data, into docs/screenshots.
#   idle         how much of the processor the app takes in a minute with its window closed.
# COVE_DIST names the tree of programs that the last three use, dist/ by default.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"

ui=app/desktop/ui
# What the page may weigh, gzipped: scripts, styles and the document. Fonts are compressed already and not counted.
most_bytes=$((200 * 1024))

have_page() { [ -e $ui/dist/index.html ] || page; }

page() {
    if ! cmp -s $ui/package-lock.json $ui/node_modules/.installed-lock; then
        # A clean clone has no node_modules; what npm has downloaded before is kept.
        npm ci --silent --no-audit --no-fund --prefer-offline --cache "$cache/npm" --prefix $ui
        cp $ui/package-lock.json $ui/node_modules/.installed-lock
    fi
    npm run --silent --prefix $ui build
}

page_checks() {
    page
    npm run --silent --prefix $ui check
    npm run --silent --prefix $ui test
    local bytes
    bytes=$(find $ui/dist -type f \( -name '*.js' -o -name '*.css' -o -name '*.html' \) -exec gzip -9c {} + | wc -c)
    echo "desktop: the page is $bytes bytes gzipped, $most_bytes are allowed"
    [ "$bytes" -gt 0 ] && [ "$bytes" -le $most_bytes ]
}

app() {
    page
    cargo build --release --locked -p cove-desktop
    # A new file instead of new bytes in the old one, which may be running.
    install -D "$CARGO_TARGET_DIR/release/cove-desktop" dist/bin/cove-desktop.new
    mv dist/bin/cove-desktop.new dist/bin/cove-desktop
}

# on_a_desktop COMMAND...: with a display and a session bus that end with it.
on_a_desktop() {
    # Without a GPU, WebKit's compositor only costs time.
    WEBKIT_DISABLE_COMPOSITING_MODE=1 WEBKIT_DISABLE_DMABUF_RENDERER=1 \
        COVE_DIST=${COVE_DIST:-$root/dist} PYTHONPATH=tests/desktop:proto PYTHONDONTWRITEBYTECODE=1 \
        dbus-run-session -- xvfb-run -a -s "-screen 0 1400x1000x24" "$venv/bin/python" "$@"
}

# shellcheck disable=SC2086 # ARGS are words.
tests() { on_a_desktop -m unittest ${ARGS:-discover -s tests/desktop -v}; }
screenshots() {
    # Pictures show paths: those of programs that lie where anybody's may.
    local programs=/tmp/cove
    rm -rf $programs && cp -a "${COVE_DIST:-dist}" $programs
    COVE_DIST=$programs on_a_desktop tests/desktop/screenshots.py docs/screenshots
    rm -rf $programs
}
idle() { on_a_desktop tests/desktop/idle.py; }

for step in "$@"; do "$step"; done
