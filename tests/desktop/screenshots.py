"""Every screen, light and dark, with a real machine behind it: screenshots.py FOLDER."""

import pathlib
import sys
import time

import image
import session
from webdriver import window

SIZE = (1200, 800)
# Longer than any cross-fade.
STILL_SECONDS = 0.4

MIB = 1 << 20
# Name, size of what comes on top of busybox, when it was made.
IMAGES = [
    ("shop/web:1.4.2", 38 * MIB, "2026-11-18T09:12:44Z"),
    ("shop/worker:1.4.2", 22 * MIB, "2026-11-18T09:14:02Z"),
    ("postgres:17", 61 * MIB, "2026-10-02T21:40:00Z"),
    ("redis:8", 9 * MIB, "2026-09-11T08:03:31Z"),
]
WEB = r"""
echo "listening on 0.0.0.0:8080"
n=0
while true; do
  for path in / /products /products/42 /cart /assets/app.css /api/orders; do
    n=$((n + 1))
    printf '\033[32mGET\033[0m %-16s \033[1m200\033[0m %3d ms\n' $path $((n * 37 % 90 + 2))
  done
  [ $((n % 18)) = 0 ] && echo "slow query: select * from orders where open (212 ms)" >&2
  sleep 2
done
"""
WORKER = 'echo "waiting for jobs"; while true; do echo "job $RANDOM done"; sleep 3; done'
DATABASE = 'echo "database system is ready to accept connections"; exec sleep 100000'
CONTAINERS = [
    ("web", "shop/web:1.4.2", ["--memory", "256m", "--cpus", "1", "--env", "PORT=8080", "--label", "project=shop"], WEB),
    ("worker", "shop/worker:1.4.2", ["--memory", "128m", "--label", "project=shop"], WORKER),
    ("db", "postgres:17", ["--memory", "512m", "--env", "POSTGRES_DB=shop", "--label", "project=shop"], DATABASE),
    ("cache", "redis:8", ["--memory", "64m", "--label", "project=shop"], "exec sleep 100000"),
    ("migrate", "shop/web:1.4.2", ["--label", "project=shop"], 'echo "42 migrations applied"'),
    ("report", "shop/worker:1.4.2", [], 'echo "no such table: invoices" >&2; exit 1'),
]
# The newest container that runs is in the drawing, whose text WebDriver does not call visible.
DRAWN = "return document.querySelector('main').textContent.includes('cache')"


class Album:
    """Where the pictures go."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def take(self, page, name, themes=("light", "dark")):
        for theme in themes:
            page.run("document.documentElement.dataset.theme = arguments[0]", theme)
            time.sleep(STILL_SECONDS)
            (self.folder / f"{name}-{theme}.png").write_bytes(page.screenshot())
            print(f"{name}-{theme}", flush=True)


def main(folder):
    album = Album(folder)
    with session.home() as home, window(home) as page:
        page.size(*SIZE)
        page.wait_for("[data-machine=stopped]")
        stopped(album, page)
        page.click("[data-screen=home]")
        page.click("main [data-action=start]")
        page.wait_for("[data-phase=kernel]", session.BOOT_SECONDS)
        album.take(page, "home-starting")
        page.wait_for("[data-machine=running]", session.BOOT_SECONDS)
        page.click("[data-screen=containers]")
        album.take(page, "containers-empty")
        fill(home)
        page.run("location.reload()")
        page.wait_for("[data-machine=running]")
        running(album, page)
        korean(album, page)
    with session.home() as home, window(home, COVE_QEMU="/nowhere/qemu-system-x86_64") as page:
        page.size(*SIZE)
        page.click("main [data-action=start]")
        page.wait_for("[data-machine=failed]")
        album.take(page, "home-failed")
        session.cove(home, "stop", "--daemon", "--quiet")
        page.wait_for("[data-action=reconnect]")
        album.take(page, "engine-lost")


def stopped(album, page):
    album.take(page, "home-stopped")
    page.click("[data-screen=containers]")
    album.take(page, "containers-stopped")


def fill(home):
    for name, ballast, created in IMAGES:
        session.cove(home, "load", "-i", image.write(home / "image.tar", name, created, ballast))
    for name, of, options, script in CONTAINERS:
        session.cove(home, "run", "-d", "--name", name, *options, of, "sh", "-c", script)


def running(album, page):
    page.click("[data-screen=home]")
    session.until(lambda: page.run(DRAWN), what="the drawing's container")
    album.take(page, "home")
    page.click("[data-part=vsock]")
    album.take(page, "home-vsock")

    page.click("[data-screen=containers]")
    page.shows("report")
    album.take(page, "containers")
    open_row(page, "web")
    for tab, sign in [("logs", "GET"), ("details", "shop"), ("walls", "Linux")]:
        page.click(f"[data-tab={tab}]")
        page.shows(sign, "aside")
        album.take(page, f"containers-{tab}")

    page.click("[data-screen=images]")
    page.shows("postgres:17")
    album.take(page, "images")
    open_row(page, "shop/web")
    album.take(page, "images-details")

    page.click("[data-screen=settings]")
    page.wait_for("li.ok")
    album.take(page, "settings")

    page.click("[data-screen=containers]")
    page.run("window.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }))")
    page.wait_for("[data-palette]")
    album.take(page, "palette")


def korean(album, page):
    page.run("localStorage.setItem('cove.language', 'ko'); location.reload()")
    page.wait_for("html[lang=ko] [data-machine=running]")
    session.until(lambda: page.run(DRAWN), what="the drawing's container")
    album.take(page, "home-korean", ["light"])
    page.click("[data-screen=containers]")
    open_row(page, "web")
    page.click("[data-tab=logs]")
    page.shows("GET", "aside")
    album.take(page, "containers-korean", ["dark"])


def open_row(page, words):
    """Opens the row that says so."""
    script = """
        const row = [...document.querySelectorAll("[data-row]")].find((row) => row.textContent.includes(arguments[0]));
        row?.click();
        return row !== undefined;
    """
    session.until(lambda: page.run(script, words), what=f"a row with “{words}”")


main(*sys.argv[1:])
