"""cove.exe and coved.exe against one another, under Wine, with a stand-in for Windows' Host Compute Service.

COVE_WINDOWS_PROGRAMS is the folder with both; tests/wine/check.sh prepares the rest. Each test has a daemon of its own, which
cove.exe starts as it would for a user. What Wine has not, sockets to a guest, is where a machine's start ends here.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

PROGRAMS = pathlib.Path(os.environ["COVE_WINDOWS_PROGRAMS"]).resolve()
PIPE = pathlib.Path(os.environ["COVE_WINDOWS_PIPE"]).resolve()
# Seconds that a command may take on a computer that is busy with other things.
PATIENCE = 120


def windows(path):
    """A path as Wine shows it to its programs."""
    return "Z:" + str(path).replace("/", "\\")


class Programs(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cove-wine-"))
        self.addCleanup(shutil.rmtree, self.folder)
        image = self.folder / "image"
        image.mkdir()
        manifest = {
            "format": 1,
            "arch": "amd64",
            "kernel_release": "6.12.1-wine",
            "agent_version": "0.1.0",
            "digest": "sha256:00",
        }
        (image / "manifest.json").write_text(json.dumps(manifest))
        for part in ("vmlinux", "initramfs.cpio"):
            (image / part).write_bytes(b"\0" * 64)
        self.home = self.folder / "home"
        self.calls = self.folder / "calls"
        self.environment = dict(os.environ)
        self.environment.update(
            COVE_HOME=windows(self.home),
            COVE_VM_IMAGE=windows(image),
            COVE_STAND_IN_LOG=windows(self.calls),
        )
        self.addCleanup(self.end)

    def end(self):
        """Ends the daemon; a helper ends with its machine, or with its daemon's failed start."""
        ended = self.run_program("cove", "stop", "--force", "--daemon")
        self.assertEqual(ended.returncode, 0, self.told(ended))

    def run_program(self, name, *arguments):
        return self.wine(PROGRAMS / f"{name}.exe", *arguments)

    def wine(self, program, *arguments, said=b""):
        """Runs it to the end of its output, which a daemon that it started must not hold open."""
        # Wine gives its own standard error to all that its programs start, so that one is a file.
        with tempfile.TemporaryFile() as errors:
            ended = subprocess.run(
                ["wine", str(program), *arguments],
                input=said,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=PATIENCE,
                check=False,
            )
            errors.seek(0)
            ended.stderr = errors.read()
            return ended

    def told(self, ended):
        """All that is known when something is not as it should be."""
        text = f"exit code {ended.returncode}\n{ended.stdout.decode()}\n{ended.stderr.decode()}"
        for log in ("log/coved.log", "machine/helper.log"):
            path = self.home / log
            if path.exists():
                text += f"\n{log}:\n{path.read_text(errors='replace')[-4000:]}"
        return text

    def cove(self, *arguments):
        ended = self.run_program("cove", *arguments)
        self.assertEqual(ended.returncode, 0, self.told(ended))
        return ended.stdout.decode()

    def facts(self, *arguments):
        return json.loads(self.cove("--format", "json", *arguments))

    def refused(self, *arguments):
        """What a command says that must fail."""
        ended = self.run_program("cove", *arguments)
        self.assertEqual(ended.returncode, 1, self.told(ended))
        return ended.stderr.decode()

    def stand_in(self, word):
        self.environment["COVE_STAND_IN"] = word

    def called(self):
        return self.calls.read_text().split() if self.calls.exists() else []

    def machine_calls(self):
        return [call for call in self.called() if call not in ("enumerate", "grant")]

    def wait_for(self, call):
        """Until the stand-in has been called so; its file is all that it tells."""
        deadline = time.monotonic() + PATIENCE
        while call not in self.called():
            self.assertLess(time.monotonic(), deadline, f"no {call} among {self.called()}")
            time.sleep(0.05)

    def docker(self, path):
        """Status line and body of Docker's answer over its pipe."""
        host = self.cove("status", "--docker-host").strip()
        self.assertTrue(host.startswith("npipe:////./pipe/"), host)
        name = host.removeprefix("npipe://").replace("/", "\\")
        request = f"GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
        answer = self.wine(PIPE, name, said=request.encode())
        self.assertEqual(answer.returncode, 0, self.told(answer))
        head, _, body = answer.stdout.decode().partition("\r\n\r\n")
        return head.splitlines()[0], body


class Stopped(Programs):
    """With the machine stopped."""

    def test_without_a_daemon_nothing_is_started(self):
        alone = self.run_program("cove", "version")
        self.assertEqual(alone.returncode, 1, self.told(alone))
        self.assertIn("OS/Arch:          windows/amd64", alone.stdout.decode())
        self.assertIn("the daemon is not running", alone.stderr.decode())
        self.assertEqual(self.facts("status")["state"], "stopped")
        self.assertIsNone(self.facts("status")["daemon_pid"])
        self.assertFalse(self.home.exists())

    def test_grpc_and_docker_answer_over_their_pipes(self):
        checks = {check["name"]: check["verdict"] for check in self.facts("doctor")}
        self.assertEqual(checks["hyper-v"], "ok", checks)

        server = self.facts("version")["server"]
        self.assertEqual((server["daemon_os"], server["daemon_arch"]), ("windows", "amd64"))
        self.assertEqual((server["os"], server["kernel"]), ("linux", "6.12.1-wine"))
        self.assertEqual(server["machine"], "stopped")

        self.assertEqual(self.docker("/_ping"), ("HTTP/1.1 200 OK", "OK"))
        status, body = self.docker("/version")
        self.assertEqual(status, "HTTP/1.1 200 OK")
        version = json.loads(body)
        self.assertEqual((version["Os"], version["Arch"]), ("linux", "amd64"))
        self.assertEqual(version["KernelVersion"], "6.12.1-wine")
        self.assertNotIn("create", self.called())

    def test_a_second_daemon_gives_way_and_the_first_can_be_ended(self):
        self.facts("doctor")
        first = self.facts("status")["daemon_pid"]
        second = self.run_program("coved")
        self.assertEqual(second.returncode, 1, self.told(second))
        self.assertIn(f"coved is already running (pid {first})", second.stderr.decode())
        self.assertIn("Machine and daemon stopped", self.cove("stop", "--daemon"))
        self.assertIn("the daemon is not running", self.refused("version"))


class Machines(Programs):
    """With machines of the stand-in."""

    def test_a_machine_is_created_and_started_and_ended_when_its_guest_cannot_be_reached(self):
        said = self.refused("start")
        self.assertIn("dial port 1024 of the guest", said)
        self.assertEqual(self.facts("status")["state"], "failed")
        self.assertIn("dial port 1024", self.facts("status")["failure"])
        self.assertIn("cove-guest: agent ready", self.cove("machine-log"))

        self.assertEqual(self.machine_calls(), ["create", "start", "terminate", "exit", "close"])
        # The disk, the initramfs, the kernel.
        self.assertEqual(self.called().count("grant"), 3, self.called())

        disk = subprocess.run(
            ["qemu-img", "info", "-f", "vhdx", "--output=json", str(self.home / "machine/data.vhdx")],
            capture_output=True, check=True, timeout=PATIENCE)
        self.assertEqual(json.loads(disk.stdout)["virtual-size"], 64 << 30)

    def test_a_machine_outlives_its_daemon_and_the_next_one_has_it(self):
        self.stand_in("idle")
        command = ["wine", str(PROGRAMS / "cove.exe"), "start"]
        starting = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(starting.kill)
        self.wait_for("start")
        daemon = self.facts("status")["daemon_pid"]
        killed = self.wine("taskkill", "/F", "/PID", str(daemon))
        self.assertEqual(killed.returncode, 0, self.told(killed))
        self.assertNotEqual(starting.wait(PATIENCE), 0)
        self.assertEqual(self.machine_calls(), ["create", "start"])

        self.facts("doctor")
        self.assertNotEqual(self.facts("status")["daemon_pid"], daemon)
        self.cove("stop", "--force")
        self.assertEqual(self.machine_calls(), ["create", "start", "terminate", "exit", "close"])

    def test_the_exit_event_says_how_it_ended(self):
        for word, said in (("panic", "panic"), ("poweroff", "powered off"), ("reset", "reset")):
            with self.subTest(word):
                # The daemon and its helper have the environment in which they were started.
                self.stand_in(word)
                self.assertIn(said, self.refused("start"))
                self.end()

    def test_a_service_that_goes_away_takes_the_machine_with_it(self):
        self.stand_in("lost")
        self.assertIn("the Host Compute Service went away", self.refused("start"))

    def test_the_error_document_reaches_the_user(self):
        self.stand_in("document")
        said = self.refused("start")
        self.assertIn("create the machine: 0x8037010d", said)
        self.assertIn("The disk is not a VHDX.", said)
        self.assertNotIn("start", self.called())

    def test_a_refused_privilege_is_told_with_its_fix(self):
        self.stand_in("refuse")
        said = self.refused("start")
        self.assertIn("Windows does not let this user work with virtual machines", said)
        self.assertIn("Hyper-V Administrators", said)
        doctor = self.run_program("cove", "--format", "json", "doctor")
        self.assertEqual(doctor.returncode, 1, self.told(doctor))
        checks = {check["name"]: check["verdict"] for check in json.loads(doctor.stdout)}
        self.assertEqual(checks["hyper-v.privilege"], "problem", checks)

    def test_where_the_library_is_missing_all_else_works(self):
        self.environment["WINEDLLOVERRIDES"] += ";computecore="
        said = self.refused("start")
        self.assertIn("this Windows has no Host Compute Service", said)
        self.assertIn("VirtualMachinePlatform", said)
        self.assertEqual(self.docker("/_ping"), ("HTTP/1.1 200 OK", "OK"))
        self.assertEqual(self.called(), [])


def tearDownModule():
    # Whatever a test that failed left behind. There is one wineserver for each prefix, and this one is the tests' own.
    subprocess.run(["wineserver", "-k"], timeout=PATIENCE, check=False)


if __name__ == "__main__":
    unittest.main()
