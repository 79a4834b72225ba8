"""How much of the processor the app takes in a minute: window open, then closed, machine stopped and running."""

import subprocess
import time

import image
import processor
import session
from screen import Screen

SECONDS = 60


def main():
    screen = Screen()
    app = [session.DIST / "bin/cove-desktop"]
    with session.home() as home, session.process(app, env=session.environment(home)) as running:
        session.until(screen.shown, what="the window")
        measure(running.pid, "window open, machine stopped")
        screen.close()
        session.until(lambda: not screen.shown(), what="the end of the window")
        measure(running.pid, "window closed, machine stopped")
        session.cove(home, "load", "-i", image.write(home / "busybox.tar"))
        session.cove(home, "run", "-d", "--name", "idle", image.NAME)
        measure(running.pid, "window closed, machine running, one container")
        assert subprocess.run(app, env=session.environment(home), timeout=30, check=False).returncode == 0
        session.until(screen.shown, what="the window")
        measure(running.pid, "window open, machine running, one container")


def measure(pid, what):
    processor.wait_until_settled(pid)
    before = processor.ticks(pid)
    time.sleep(SECONDS)
    used = (processor.ticks(pid) - before) / processor.TICKS_PER_SECOND
    print(f"{what}: {used * 1000:.0f} ms in {SECONDS} s, {used / SECONDS:.3%}", flush=True)


main()
