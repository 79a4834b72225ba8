#!/usr/bin/env bash
# The window: desktop.sh ui|lint|test|screenshots...
#   ui           build the page and check it: types, its own tests, its size.
#   lint         clippy and the unit tests of the shell.
#   test         the real app before the real daemon and machine, through WebDriver and D-Bus.
#   screenshots  every screen, light and dark, with real data, into docs/screenshots.
# The page is inside the program: lint and test build it first if it is not there.
set -euo pipefail
source "$(dirname "$0")/places.sh"
cd "$root"

ui_dir=app/desktop/ui
# What the page may weigh, gzipped: scripts, styles and the document. Fonts are compressed already and not counted.
most_bytes=$((200 * 1024))

install_page() {
    # npm leaves this file behind; it says what is installed.
    cmp -s $ui_dir/package-lock.json $ui_dir/node_modules/.cove-lock && return
    npm ci --silent --no-audit --no-fund --prefix $ui_dir
    cp $ui_dir/package-lock.json $ui_dir/node_modules/.cove-lock
}

page() { install_page && npm run --silent --prefix $ui_dir build; }

ui() {
    page
    npm run --silent --prefix $ui_dir check
    npm run --silent --prefix $ui_dir test
    local bytes
    bytes=$(find $ui_dir/dist -type f \( -name '*.js' -o -name '*.css' -o -name '*.html' \) -exec gzip -9c {} + | wc -c)
    echo "desktop: the page is $bytes bytes gzipped, $most_bytes are allowed"
    [ "$bytes" -le $most_bytes ]
}

lint() {
    [ -e $ui_dir/dist/index.html ] || page
    cargo clippy --locked -p cove-desktop --all-targets -- -D warnings
    cargo test --locked -p cove-desktop
}

# on_a_desktop COMMAND...: with a display and a session bus that end with it.
on_a_desktop() {
    # Without a GPU, WebKit's compositor only costs time; a root user's sandbox does not exist.
    WEBKIT_DISABLE_COMPOSITING_MODE=1 WEBKIT_DISABLE_DMABUF_RENDERER=1 \
        COVE_DIST=${COVE_DIST:-$root/dist} PYTHONPATH=tests/desktop PYTHONDONTWRITEBYTECODE=1 \
        dbus-run-session -- xvfb-run -a -s "-screen 0 1400x1000x24" "$@"
}

# The app beside the daemon, as it is installed.
app() {
    page
    cargo build --release --locked -p cove-desktop
    install -D "$CARGO_TARGET_DIR/release/cove-desktop" dist/bin/cove-desktop.new
    mv dist/bin/cove-desktop.new dist/bin/cove-desktop
}

test() {
    [ -n "${COVE_DIST:-}" ] || app
    on_a_desktop "$venv/bin/python" -m unittest ${ARGS:-discover -s tests/desktop -v}
}

screenshots() {
    [ -n "${COVE_DIST:-}" ] || app
    on_a_desktop "$venv/bin/python" tests/desktop/screenshots.py docs/screenshots
}

for part in "$@"; do "$part"; done
