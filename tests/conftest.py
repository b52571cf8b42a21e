"""Configuration of all tests: Keras on JAX, and the same random examples in every run."""

import gc
import importlib.util
import mmap
import os
from pathlib import Path

import hypothesis
import pytest

from tests import browser as browsers

os.environ["KERAS_BACKEND"] = "jax"
# Most of the time is spent on compiling code that runs once. Without LLVM's optimizations this time
# halves; without the emitters of fusions, which use MLIR, it is divided by three once more. In one
# part instead of several, programs compile in two thirds of the time.
COMPILES_FAST = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": "true",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}


def known_to_xla(flag: str) -> bool:
    """Returns whether the installed XLA has a flag; it aborts the process for one it has not."""
    folder = Path(importlib.util.find_spec("jaxlib").origin).parent
    for path in folder.glob("libjax_common.*"):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data.find(flag.encode()) >= 0:
                return True
    return False


if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = " ".join(
        f"--{flag}={value}" for flag, value in COMPILES_FAST.items() if known_to_xla(flag)
    )
# XLA cannot serialize programs with oneDNN's custom calls, so that commands in other processes
# would compile again. The tests of oneDNN set this themselves, and make test runs others with it.
os.environ.setdefault("JAXLAYERS_CPU_CONVOLUTIONS", "xla")

hypothesis.settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=20,
    # Shrinking a failure compiles in every attempt; the first failure is informative enough.
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("fixed")


def pytest_runtest_logfinish() -> None:
    """Excludes the objects that are alive between tests from later garbage collections.

    JAX's caches keep the programs of all tests. A full collection, which its check for leaks and
    Keras's `clear_session` request, would otherwise take up to a second.
    """
    if gc.get_count()[2] > 5:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def browser() -> tuple[str, ...]:
    """The command of a browser without a window, to which an address is added."""
    command = browsers.command()
    if command is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return command
