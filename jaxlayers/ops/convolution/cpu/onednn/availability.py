"""Whether this process may use oneDNN's custom calls.

XLA does not document them, and aborts the process if it does not understand one. They are therefore
used only on Linux x86-64, with versions of jaxlib that were tested, and after a child process has
compared their results with XLA's. Its verdict is kept in the cache folder, per machine and version
of jaxlib.
"""

import functools
import hashlib
import inspect
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import jaxlib.version

from jaxlayers._files import cache_folder, write_atomically
from jaxlayers.ops.convolution.cpu.onednn import calls, self_check

# From the first of these versions of jaxlib to below the second: 0.10.0, 0.10.1 and 0.10.2.
TESTED_VERSIONS = ((0, 10, 0), (0, 11, 0))
# Seconds; the check takes about 4 on an idle core.
_TIMEOUT = 120.0
_STOPPED = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def usable(library: str) -> bool:
    """Whether convolutions are computed by oneDNN.

    Args:
        library: The value of `config.cpu_convolutions`: `"auto"`, `"onednn"` or `"xla"`.

    Raises:
        RuntimeError: If it is `"onednn"`, and oneDNN cannot be used here.
    """
    if library == "xla":
        return False
    obstacle = _obstacle()
    if library == "onednn" and obstacle:
        raise RuntimeError(
            f'config.cpu_convolutions("onednn"): oneDNN cannot be used here: {obstacle}; '
            'select "auto" or "xla"'
        )
    return not obstacle


@functools.cache
def _obstacle() -> str:
    """Returns why oneDNN cannot be used; an empty string if it can."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        return f"it needs Linux on x86-64, and this is {sys.platform} on {platform.machine()}"
    version = jaxlib.version.__version_info__
    first, end = TESTED_VERSIONS
    if not first <= version < end:
        tested = " to below ".join(".".join(map(str, each)) for each in TESTED_VERSIONS)
        return f"it was tested with jaxlib {tested}, and this is {jaxlib.version.__version__}"
    if (known := _read_verdict()) is not None:
        return known
    obstacle, final = _check_in_child()
    if final:
        _write_verdict(obstacle)
    return obstacle


def _check_in_child() -> tuple[str, bool]:
    """Returns what `_obstacle` returns, and whether another check would return the same."""
    # The child imports from where this process imports.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from {self_check.__name__} import main; main()"
    )
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"}
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"its check could not be run ({error})", False
    if done.returncode == 0 and self_check.AGREES in done.stdout:
        return "", True
    end = (done.stderr.strip().splitlines() or [""])[-1]
    # A child that was stopped from outside, for example where memory is short, has shown nothing.
    final = -done.returncode not in _STOPPED
    return f"its check failed with exit status {done.returncode} ({end[:200]})", final


def _read_verdict() -> str | None:
    try:
        return str(json.loads(_verdict_path().read_text())["obstacle"])
    except (OSError, RuntimeError, ValueError, LookupError, TypeError):
        return None  # No verdict, or a damaged one; RuntimeError: there is no home folder.


def _write_verdict(obstacle: str) -> None:
    text = json.dumps({"obstacle": obstacle, "jaxlib": jaxlib.version.__version__})
    try:
        path = _verdict_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(text.encode())
    except (OSError, RuntimeError):
        pass  # The next process checks again.


def _verdict_path() -> Path:
    return cache_folder() / "onednn" / f"{_fingerprint()}.json"


def _fingerprint() -> str:
    """Returns a digest of all that the verdict may depend on."""
    parts = [jaxlib.version.__version__, os.environ.get("XLA_FLAGS", ""), _processor()]
    parts += [inspect.getsource(module) for module in (calls, self_check)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    """Returns the model and the instruction sets of the first processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(line for line in lines if line.startswith(("model name", "flags")))
