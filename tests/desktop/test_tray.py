"""The tray icon, as a panel sees it."""

import asyncio
import subprocess
import time
import unittest

import image
import session
from tray import Panel, wait


class TheTray(unittest.IsolatedAsyncioTestCase):
    async def test_it_follows_the_machine_and_starts_and_stops_it(self):
        panel = await Panel().start()
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home, session.process(app, env=session.environment(home)) as running:
            item = await panel.item()
            await self.says(item, "Machine stopped")
            stopped = await item.icon()
            self.assertTrue(await item.can("Start"))
            self.assertFalse(await item.can("Stop"))

            await item.choose("Start")
            await self.says(item, "Machine starts")
            await self.says(item, "Machine runs, no containers", session.BOOT_SECONDS)
            self.assertNotEqual(await item.icon(), stopped)
            self.assertFalse(await item.can("Start"))

            session.cove(home, "load", "-i", image.write(home / "busybox.tar"))
            session.cove(home, "run", "-d", "--name", "one", image.NAME)
            await self.says(item, "Machine runs, 1 container")

            await item.choose("Restart")
            await self.says(item, "Machine starts", session.BOOT_SECONDS)
            await self.says(item, "Machine runs, no containers", session.BOOT_SECONDS)

            await item.choose("Stop")
            await self.says(item, "Machine stopped", session.BOOT_SECONDS)

            await item.choose("Quit")
            await wait(lambda: running.poll() is not None, what="the end of the app")
            self.assertEqual(running.returncode, 0)
            self.assertIn("stopped", session.cove(home, "status"), "the engine goes on")

    async def test_a_second_start_leaves_and_a_failed_machine_is_seen(self):
        panel = await Panel().start()
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home:
            environment = session.environment(home, COVE_QEMU="/nowhere/qemu")
            with session.process(app, env=environment):
                item = await panel.item()
                await self.says(item, "Machine stopped")
                second = subprocess.run(app, env=environment, timeout=30, check=False)
                self.assertEqual(second.returncode, 0)
                self.assertEqual(len(panel.watcher.items), 1)
                await item.choose("Start")
                await self.says(item, "Machine failed: ")
                self.assertIn("/nowhere/qemu", await item.state())
                self.assertTrue(await item.can("Start"))

    async def test_hidden_it_takes_no_time_of_the_processor(self):
        await Panel().start()
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home, session.process(app, env=session.environment(home)) as running:
            await wait(lambda: (home / "run/engine.sock").exists(), what="the daemon")
            await wait(settled(running.pid), what="an app that has nothing left to do")
            before = ticks(running.pid)
            await asyncio.sleep(60)
            # A tick is 10 ms: what a minute takes is not to be seen in any monitor.
            self.assertLessEqual(ticks(running.pid) - before, 6)

    async def says(self, item, text, seconds=session.ACTION_SECONDS):
        async def said():
            return (await item.state()).startswith(text)

        await wait(said, seconds, f"“{text}”")


def ticks(pid):
    """Processor time of a process and its children (the web view), in clock ticks."""
    total = 0
    for child in [pid, *children(pid)]:
        try:
            with open(f"/proc/{child}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total


def children(pid):
    """Web processes and what else the app has started; the daemon, which it starts too, leads a session of its own."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    ours = [int(child) for child in found if "coved" not in name(child)]
    return ours + [grandchild for child in ours for grandchild in children(child)]


def name(pid):
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read()
    except OSError:
        return ""


def settled(pid):
    """Whether two looks a second apart find no more than a tick of difference."""
    last = [None]

    def look():
        now, before = ticks(pid), last[0]
        time.sleep(1)
        last[0] = now
        return before is not None and now - before <= 1

    return look


if __name__ == "__main__":
    unittest.main()
