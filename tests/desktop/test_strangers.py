"""What strangers write is text: names, labels, command lines and logs break no layout and run no script."""

import unittest

import image
import session
from webdriver import window

MARKUP = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script></div><style>* { display: none }</style>'
TURNED = "\u202eevil\u2066\u200b\u200f"
COMBINING = "Z" + "\u0351\u0321\u0329" * 200
NAME = "a-name-without-an-end-" + "0123456789" * 10
TAG = "strangers/" + "x" * 100 + ":" + "y" * 120

# What a container writes: markup, colours and a cleared screen, a title, turned text, a line of a MiB, no line feed.
SCRIPT = r"""
printf '%s\n' "$1" "$2" "$3"
printf '\033[31;1mred\033[0m\033[2J\033[10;10H\033]0;title\007\r\b\n'
head -c 1048576 /dev/zero | tr '\0' x
printf '\n'
printf '%s' "$1"
printf '%s\n' "$1" >&2
sleep 3600
"""

# Whatever is drawn outside of the window, and cut by nothing that scrolls or clips.
OUTSIDE = """
    const clips = (element) => getComputedStyle(element).overflowX !== "visible";
    const clipped = (element) => {
        for (let above = element.parentElement; above !== null; above = above.parentElement) if (clips(above)) return true;
        return false;
    };
    return [...document.body.querySelectorAll("*")]
        .filter((element) => {
            const { left, right, width, height } = element.getBoundingClientRect();
            return width * height > 0 && (right > innerWidth + 1 || left < -1) && !clipped(element);
        })
        .map((element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 60)}`);
"""
# What can be pressed and lies where it cannot.
OUT_OF_REACH = """
    return [...document.querySelectorAll("nav button, header button, [data-tab]")]
        .map((button) => [button, button.getBoundingClientRect()])
        .filter(([, { left, right, width }]) => width > 0 && (left < 0 || right > innerWidth))
        .map(([button]) => button.outerHTML.slice(0, 100));
"""


class Strangers(unittest.TestCase):
    def test_what_they_write_is_drawn_as_text(self):
        with session.home() as home, window(home) as page:
            page.wait_for("[data-machine]")
            session.cove(home, "load", "-i", image.write(home / "stranger.tar", TAG))
            surroundings = ["--label", f"{MARKUP}={MARKUP}{TURNED}", "--env", f"MARKUP={MARKUP}", "--hostname", "h" * 63]
            command = ["sh", "-c", SCRIPT, "sh", MARKUP, TURNED, COMBINING]
            session.cove(home, "run", "-d", "--name", NAME, *surroundings, TAG, *command)
            page.run("location.reload()")
            page.wait_for("[data-machine=running]")
            self.assertTrue(page.run("return document.querySelector('script') !== null"), "the page has a script of its own")
            self.scripts = page.run("return document.scripts.length")
            page.run(
                """
                window.violations = [];
                document.addEventListener("securitypolicyviolation", ({ violatedDirective: directive }) =>
                    window.violations.push(directive));
                """
            )

            for width, height in [(800, 560), (1200, 800)]:
                page.size(width, height)
                page.click("[data-screen=images]")
                page.shows("strangers/")
                self.is_whole(page, f"images at {width}")
                page.click("[data-screen=containers]")
                page.click("[data-row] b")
                for tab in page.run("return [...document.querySelectorAll('[data-tab]')].map((tab) => tab.dataset.tab)"):
                    page.click(f"[data-tab={tab}]")
                    if tab == "logs":
                        page.shows('<img src=x onerror="window.ran = 1">', "[data-log]")
                        page.shows("red", "[data-log]")
                        self.assertNotIn("\u202e", page.text("[data-log]"))
                    self.is_whole(page, f"{tab} at {width}")

    def is_whole(self, page, where):
        self.assertEqual(page.run(OUTSIDE), [], where)
        self.assertEqual(page.run(OUT_OF_REACH), [], where)
        # An `onerror` would have run by now: the page has been drawn and read.
        self.assertIsNone(page.run("return window.ran ?? null"), where)
        self.assertEqual(page.run("return window.violations"), [], f"{where}: the policy had to stop something")
        foreign = "return document.querySelectorAll('img, iframe, object, embed, style:not(head style)').length"
        self.assertEqual(page.run(foreign), 0, where)
        self.assertEqual(page.run("return document.scripts.length"), self.scripts, where)


if __name__ == "__main__":
    unittest.main()
