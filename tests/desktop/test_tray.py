"""The tray icon, as a panel sees it."""

import asyncio
import subprocess
import unittest

import image
import processor
import session
from screen import Screen
from tray import Panel, wait


class TheTray(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.panel = await Panel().start()
        self.addAsyncCleanup(self.panel.end)

    async def test_it_follows_the_machine_and_starts_and_stops_it(self):
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home, session.process(app, env=session.environment(home)) as running:
            item = await self.panel.item()
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

    async def test_a_failed_machine_is_seen_with_its_reason(self):
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home:
            with session.process(app, env=session.environment(home, COVE_QEMU="/nowhere/qemu")):
                item = await self.panel.item()
                await self.says(item, "Machine stopped")
                await item.choose("Start")
                await self.says(item, "Machine failed: ")
                self.assertIn("/nowhere/qemu", await item.state())
                self.assertTrue(await item.can("Start"))

    async def test_the_window_comes_by_the_menu_and_by_a_second_start_and_the_app_stays_when_it_closes(self):
        screen = Screen()
        app = [session.DIST / "bin/cove-desktop"]
        with session.home() as home:
            environment = session.environment(home)
            with session.process([*app, "--hidden"], env=environment) as first:
                item = await self.panel.item()
                await self.says(item, "Machine stopped")
                self.assertFalse(screen.shown())

                second = subprocess.run(app, env=environment, timeout=30, check=False)
                self.assertEqual(second.returncode, 0, "the second gives way")
                await wait(screen.shown, what="the first one's window")
                self.assertEqual(len(self.panel.watcher.items), 1)

                screen.close()
                await wait(lambda: not screen.shown(), what="the end of the window")
                self.assertIsNone(first.poll(), "the app stays in the tray")
                await item.choose("Open")
                await wait(screen.shown, what="the window, by the menu")
                self.assertIn("stopped", session.cove(home, "status"))

    async def test_a_daemon_that_died_is_started_by_the_menu(self):
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home, session.process(app, env=session.environment(home, COVE_QEMU="/nowhere/qemu")):
            item = await self.panel.item()
            await self.says(item, "Machine stopped")
            session.cove(home, "stop", "--daemon", "--quiet")
            await self.says(item, "Engine not reached: ")
            await item.choose("Start")
            await self.says(item, "Machine failed: ")

    async def test_hidden_it_takes_no_time_of_the_processor(self):
        app = [session.DIST / "bin/cove-desktop", "--hidden"]
        with session.home() as home, session.process(app, env=session.environment(home)) as running:
            await wait(lambda: (home / "run/engine.sock").exists(), what="the daemon")
            await asyncio.to_thread(processor.wait_until_settled, running.pid)
            before = processor.ticks(running.pid)
            await asyncio.sleep(30)
            # What polls or draws takes more than this; idle.py says how much it is, of which nearly all is WebKit's own.
            self.assertLess(processor.ticks(running.pid) - before, 0.005 * 30 * processor.TICKS_PER_SECOND)

    async def says(self, item, text, seconds=session.ACTION_SECONDS):
        async def said():
            return (await item.state()).startswith(text)

        await wait(said, seconds, f"“{text}”")


if __name__ == "__main__":
    unittest.main()
