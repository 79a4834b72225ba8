"""The real window before the real daemon and the real machine."""

import json
import os
import pathlib
import signal
import unittest

import other_daemon
import session
from webdriver import window


class TheWindow(unittest.TestCase):
    def test_from_start_to_stop(self):
        with session.home() as home, window(home) as page:
            page.wait_for("[data-machine=stopped]")
            # The phases are remembered as they pass: a fast one may be over before it is looked for.
            page.run(
                """
                window.seen = [];
                const look = () => {
                    const machine = document.querySelector("[data-machine]");
                    const now = machine.dataset.machine + ":" + machine.dataset.phase;
                    if (window.seen.at(-1) !== now) window.seen.push(now);
                };
                new MutationObserver(look).observe(document.body, { attributes: true, childList: true, subtree: true });
                """
            )
            page.click("main [data-action=start]")
            page.wait_for("[data-machine=running]", session.BOOT_SECONDS)
            seen = page.run("return window.seen")
            phases = [state.split(":")[1] for state in seen if state.startswith("starting:")]
            self.assertIn("kernel", phases, seen)
            order = ["unspecified", "prepare", "vmm", "kernel", "agent"]
            self.assertEqual(phases, sorted(phases, key=order.index), "phases come in their order")

            self.load_hello(home, page)
            page.click("[data-screen=images]")
            page.shows("cove/hello")
            page.click("[data-action=image-run]")
            page.click("[data-screen=containers]")
            page.click("[data-row] b")
            page.click("[data-tab=logs]")
            page.shows("Hello", "[data-log]")

            page.click("[data-screen=home]")
            page.click("main [data-action=stop]")
            page.wait_for("[data-machine=stopped]", session.BOOT_SECONDS)
            self.assertIn("stopped", session.cove(home, "status"))

    def load_hello(self, home, page):
        """Takes the built-in image away, and loads it from an archive as a user would."""
        archive = pathlib.Path(home) / "hello.tar"
        session.cove(home, "save", "-o", archive, "cove/hello")
        hello = next(image for image in page.invoke("images_list") if "cove/hello:latest" in image["tags"])
        page.invoke("image_remove", id=hello["id"], force=True)
        self.assertEqual(page.invoke("images_list"), [])
        self.assertEqual(page.invoke("images_load", path=str(archive)), ["cove/hello:latest"])

    def test_a_start_that_fails_says_why_and_what_to_do(self):
        with session.home() as home, window(home, COVE_QEMU="/nowhere/qemu") as page:
            page.click("main [data-action=start]")
            page.wait_for("[data-machine=failed]")
            page.shows("/nowhere/qemu", "[data-failure]")
            note = page.text("[data-failure]")
            self.assertIn("COVE_QEMU", note, "what to do about it")
            page.wait_for("main [data-action=start]")

    def test_the_page_may_call_its_own_commands_only_and_loads_nothing_from_elsewhere(self):
        with session.home() as home, window(home) as page:
            page.wait_for("[data-machine]")
            for foreign in ["plugin:fs|read_file", "plugin:window|close", "plugin:webview|create_webview_window"]:
                with self.assertRaises(RuntimeError):
                    page.invoke(foreign)
            blocked = """
                const done = arguments[0];
                document.addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
                setTimeout(() => done("nothing"), 5000);
            """
            self.assertIn("script-src", page.call("POST", "/execute/async", {"script": blocked, "args": []}))
            self.assertIsNone(page.run("return window.ran ?? null"))

    def test_nonsense_in_the_settings_is_said_and_can_be_mended(self):
        with session.home() as home, window(home) as page:
            page.wait_for("[data-machine=stopped]")
            file = home / "machine/settings.json"
            file.write_text("nonsense")
            page.click("main [data-action=start]")
            page.shows("settings.json", "[data-failure]")
            settings = page.invoke("settings_get")
            self.assertIn("settings.json", settings["problem"])
            self.assertEqual(settings["path"], str(file))

            gib = 1 << 30
            page.invoke("settings_set", cpus=1, memoryBytes=gib, diskBytes=settings["diskBytes"])
            self.assertEqual(json.loads(file.read_text())["memory_bytes"], gib)
            with self.assertRaisesRegex(RuntimeError, "cpus is 1000"):
                page.invoke("settings_set", cpus=1000, memoryBytes=gib, diskBytes=settings["diskBytes"])
            # The next start gets past the settings.
            page.click("main [data-action=start]")
            page.wait_for("[data-phase=kernel]", session.BOOT_SECONDS)

    def test_start_at_login_is_an_entry_of_the_system_that_comes_and_goes(self):
        with session.home() as home, window(home) as page:
            entry = home / "xdg/autostart/dev.cove.desktop.desktop"
            box = "[data-action=login]"
            page.wait_for("[data-machine]")
            page.click("[data-screen=settings]")
            page.wait_for(f"{box}:not(:checked):not(:disabled)")
            page.click(box)
            page.wait_for(f"{box}:checked:not(:disabled)")
            self.assertIn(f'Exec="{session.DIST}/bin/cove-desktop" "--hidden"', entry.read_text().splitlines())
            page.run("location.reload()")
            page.click("[data-screen=settings]")
            page.click(f"{box}:checked:not(:disabled)")
            page.wait_for(f"{box}:not(:checked):not(:disabled)")
            self.assertFalse(entry.exists())

    def test_a_daemon_that_ends_is_said_and_comes_back_when_asked(self):
        with session.home() as home, window(home) as page:
            page.wait_for("[data-machine=stopped]")
            session.cove(home, "stop", "--daemon", "--quiet")
            page.click("[data-action=reconnect]")
            page.wait_for("[data-machine=stopped]")

    def test_a_daemon_that_dies_while_a_call_runs_is_said_and_the_next_takes_the_machine_over(self):
        with session.home() as home, window(home) as page:
            page.wait_for("[data-machine=stopped]")
            page.run(
                """
                window.outcome = null;
                window.__TAURI_INTERNALS__.invoke("machine_start").then(
                    () => { window.outcome = { what: "it answered" }; },
                    (failure) => { window.outcome = failure; });
                """
            )
            page.wait_for("[data-machine=starting][data-phase=kernel]", session.BOOT_SECONDS)
            os.kill(page.invoke("machine_get")["host"]["daemonPid"], signal.SIGKILL)
            failure = session.until(lambda: page.run("return window.outcome"), what="the end of the call")
            self.assertEqual(failure["what"], "the machine did not start")
            self.assertIn("the engine ended before it answered", failure["why"])
            self.assertIn("Connect again", failure["fix"])
            page.shows("Connect again", "[data-failure]")
            page.click("[data-action=reconnect]")
            page.wait_for("[data-machine=running]", session.BOOT_SECONDS)

    def test_an_older_daemon_is_named_and_its_end_is_the_way_on(self):
        with session.home() as home:
            with other_daemon.serving(home, other_daemon.Older()), window(home) as page:
                page.shows("older than this window", "[data-failure]")
                self.assertIn("cove stop --daemon", page.text("[data-failure]"))
                self.assertEqual(page.invoke("engine_retry")["state"], "lost")
                page.shows("older than this window", "[data-failure]")
            with window(home) as page:
                page.wait_for("[data-machine=stopped]")

    def test_a_newer_daemon_is_used_and_warned_of(self):
        with session.home() as home, other_daemon.serving(home, other_daemon.Newer()), window(home) as page:
            page.wait_for("[data-machine=stopped]")
            page.shows(f"The engine is {other_daemon.Newer.version}")
            page.shows("cove stop --daemon")


if __name__ == "__main__":
    unittest.main()
