"""Runs scripts in pages, in a browser without a window."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--enable-logging=stderr"),
)

_BEFORE = """<script>
const problems = [], results = {};
addEventListener("error", ({ message, target }) => problems.push(message || target.src), true);
addEventListener("unhandledrejection", ({ reason }) => problems.push(String(reason)));
addEventListener("securitypolicyviolation", (event) => problems.push(event.violatedDirective));
</script>"""

_AFTER = """<script type="module">
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
%s
try { %s } catch (error) { problems.push(String(error)); }
await wait(100);
const answer = document.createElement("pre");
answer.id = "answer";
answer.textContent = JSON.stringify({ ...results, problems });
document.body.append(answer);
</script>"""


def command() -> tuple[str, ...] | None:
    """Returns the command to which an address is added, or `None` if there is no browser."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        # Some of these names are scripts that only print how to install the browser.
        if path and not subprocess.run([path, "--version"], capture_output=True).returncode:
            return (path, *_OPTIONS)
    return None


def with_script(page: str, helpers: str, script: str) -> str:
    """Returns a page that runs a script after everything else.

    The script has `wait(ms)` and what `helpers` define, and assigns to properties of `results`.
    """
    before, _, after = page.replace("<head>", "<head>" + _BEFORE, 1).rpartition("</body>")
    return before + _AFTER % (helpers, script) + "</body>" + after


def run(command: Sequence[str], address: str, profile: Path, width: int = 1000) -> dict[str, Any]:
    """Opens a page of `with_script` and returns its `results`.

    Raises:
        AssertionError: The page, its policy or the script reported an error.
    """
    options = ("--virtual-time-budget=10000", f"--window-size={width},900", "--dump-dom")
    browser = subprocess.run(
        [*command, *options, f"--user-data-dir={profile}", address],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert ":CONSOLE" not in browser.stderr, browser.stderr
    (answer,) = re.findall(r'<pre id="answer">(.*?)</pre>', browser.stdout, re.DOTALL)
    results = json.loads(unescape(answer))
    assert results.pop("problems") == []
    return results
