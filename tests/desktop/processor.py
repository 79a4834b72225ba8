"""How much of the processor the app takes: it and what it has started, the web view's processes."""

import os
import pathlib
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def ticks(pid):
    """Processor time so far, in clock ticks."""
    return sum(used for used, _ in family(pid).values())


def wait_until_settled(pid, seconds=60):
    """Waits for a second in which the app takes no more than a tick: it has drawn what it draws at first."""
    deadline = time.monotonic() + seconds
    before = ticks(pid)
    while True:
        time.sleep(1)
        now = ticks(pid)
        if now - before <= 1:
            return
        assert time.monotonic() < deadline, f"after {seconds} s the app still takes {now - before} ticks a second"
        before = now


def family(pid):
    """Ticks and parent of the app and its descendants. The daemon, which it may have started, is not one of them."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split(" (", 1)[1].rsplit(")", 1)
        except OSError:
            # It has ended since the folder was listed.
            continue
        fields = rest.split()
        if name != "coved":
            found[int(stat.parent.name)] = (int(fields[11]) + int(fields[12]), int(fields[1]))
    ours = {pid}
    while more := {child for child, (_, parent) in found.items() if parent in ours} - ours:
        ours |= more
    return {child: found[child] for child in ours if child in found}
