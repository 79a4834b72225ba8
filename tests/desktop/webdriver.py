"""The part of WebDriver that the tests need, over tauri-driver."""

import base64
import contextlib
import http.client
import json
import socket
import urllib.error
import urllib.request

import session

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Window:
    """The page in the app's window."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            return self.send(request)
        except http.client.RemoteDisconnected:
            # WebKit's driver closes connections that tauri-driver keeps for later; nothing was sent then.
            return self.send(request)

    def send(self, request):
        try:
            with urllib.request.urlopen(request, timeout=session.ANSWER_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")) from error

    def find(self, selector):
        """The one element that the selector finds; RuntimeError if there is none."""
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def wait_for(self, selector, seconds=session.ACTION_SECONDS):
        return session.until(lambda: self.find(selector), seconds, selector)

    def gone(self, selector, seconds=session.ACTION_SECONDS):
        count = "return document.querySelectorAll(arguments[0]).length === 0"
        session.until(lambda: self.run(count, selector), seconds, f"the end of {selector}")

    def click(self, selector, seconds=session.ACTION_SECONDS):
        """Clicks what the selector finds, as soon as it can be clicked."""

        def click():
            self.call("POST", f"/element/{self.find(selector)}/click")
            return True

        session.until(click, seconds, f"a click on {selector}")

    def text(self, selector):
        return self.call("GET", f"/element/{self.find(selector)}/text")

    def shows(self, words, selector="main", seconds=session.ACTION_SECONDS):
        """Waits until the words stand in what the selector finds."""
        session.until(lambda: words in self.text(selector), seconds, f"“{words}” in {selector}")

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def invoke(self, command, **arguments):
        """Calls a command of the shell, as the page does."""
        script = """
            const [command, args, done] = arguments;
            window.__TAURI_INTERNALS__.invoke(command, args).then(
                (answer) => done({ answer }), (failure) => done({ failure }));
        """
        done = self.call("POST", "/execute/async", {"script": script, "args": [command, arguments]})
        if "failure" in done:
            raise RuntimeError(json.dumps(done["failure"]))
        return done.get("answer")

    def screenshot(self):
        """A picture of the page. WebKit takes it with the next frame, and draws none where nothing changes."""
        self.run(
            """
            const beats = setInterval(() => {
                document.body.style.opacity = document.body.style.opacity === "1" ? "0.9999" : "1";
            }, 50);
            setTimeout(() => clearInterval(beats), 3000);
            """
        )
        return base64.b64decode(self.call("GET", "/screenshot"))

    def size(self, width, height):
        self.call("POST", "/window/rect", {"width": width, "height": height})


@contextlib.contextmanager
def window(home, **more):
    """The app with this home, driven from outside."""
    port, native = free_port(), free_port()
    driver = ["tauri-driver", "--port", port, "--native-port", native]
    with session.process(driver, env=session.environment(home, **more)):
        base = f"http://127.0.0.1:{port}"
        driver = Window(base)
        for listens in (port, native):
            session.until(lambda: socket.create_connection(("127.0.0.1", listens)).close() is None, 30, "the driver")
        wanted = {"tauri:options": {"application": str(session.DIST / "bin/cove-desktop")}}
        opened = driver.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        page = Window(f"{base}/session/{opened['sessionId']}")
        try:
            page.call("POST", "/timeouts", {"script": session.BOOT_SECONDS * 1000})
            yield page
        finally:
            # The session's end closes the window, which leaves the app in the tray.
            app = int((home / "run/desktop.pid").read_text())
            page.call("DELETE", "")
            session.end(app)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
