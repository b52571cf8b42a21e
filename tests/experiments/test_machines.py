import os
import subprocess
import sys

import pytest

PROGRAM = """
import jax
from experiments import machines

jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
machines.{}()
jax.jit(lambda x: x + 1)(1.0)
"""


@pytest.mark.parametrize(
    ("function", "stored"),
    [("use_compilation_cache", True), ("disable_compilation_cache", False)],
)
def test_the_users_compilation_cache_is_used_or_not(tmp_path, pytestconfig, function, stored):
    subprocess.run(
        [sys.executable, "-c", PROGRAM.format(function)],
        cwd=pytestconfig.rootpath,
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs")},
        check=True,
        timeout=120,
    )
    assert (tmp_path / "programs").exists() == stored
