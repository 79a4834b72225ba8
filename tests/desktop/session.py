"""What every test stands on: a home of its own, the programs of dist/, and an end that leaves nothing running.

COVE_DIST names the tree of programs. A display and a session bus must be there: `tests/ci/desktop.sh` brings both.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

DIST = pathlib.Path(os.environ["COVE_DIST"]).resolve()

# Under TCG on a busy host a boot takes its time; what hangs for longer is broken.
BOOT_SECONDS = 240
ACTION_SECONDS = 60
# WebDriver answers at once, or has hung; a script may wait for a call of the shell.
ANSWER_SECONDS = 90


def until(condition, seconds=ACTION_SECONDS, what="it"):
    """Waits until the condition gives something, and gives that; what it raises meanwhile counts as "not yet"."""
    deadline = time.monotonic() + seconds
    while True:
        last = None
        try:
            found = condition()
            if found:
                return found
        except (AssertionError, LookupError, OSError, RuntimeError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s") from last
        time.sleep(0.1)


@contextlib.contextmanager
def home():
    """A home for one test; its daemon is stopped at the end, whatever happens."""
    # Short, because paths of sockets are limited.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cove-"))
    try:
        yield folder
    finally:
        subprocess.run(
            [DIST / "bin/cove", "stop", "--daemon", "--quiet"],
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            timeout=BOOT_SECONDS,
            check=False,
        )
        shutil.rmtree(folder, ignore_errors=True)


def environment(home, **more):
    """The environment of a program that uses this home, and keeps what its web view keeps there as well."""
    own = {"COVE_HOME": home, "XDG_DATA_HOME": home / "xdg", "XDG_CACHE_HOME": home / "xdg", "XDG_CONFIG_HOME": home / "xdg"}
    quiet = {"LC_ALL": "C.UTF-8", "LANGUAGE": "en", "NO_AT_BRIDGE": "1", "RUST_BACKTRACE": "0"}
    return {**os.environ, **{name: str(path) for name, path in own.items()}, **quiet, **more}


def cove(home, *arguments):
    """What `cove` prints."""
    done = subprocess.run(
        [DIST / "bin/cove", *arguments],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=BOOT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"cove {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode()


def end(pid):
    """Ends a process that is not our child, and waits for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 15, f"the end of {pid}")


@contextlib.contextmanager
def process(command, **arguments):
    """A program that is ended, if it has not ended by itself."""
    started = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, **arguments)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
