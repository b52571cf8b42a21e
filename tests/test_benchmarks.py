"""The benchmarks can be imported, and the DCGAN is the same in all libraries that are installed."""

import importlib
import math
from pathlib import Path

import jax
import pytest

MODULES = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("__")])
def test_benchmarks_can_be_imported(name) -> None:
    for library in ("torch", "flax", "equinox"):
        if name.endswith(library):
            pytest.importorskip(library)
    importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("library", ["on_lax", "in_keras", "in_flax", "in_equinox"])
def test_the_dcgan_of_every_library_has_the_same_number_of_parameters(library) -> None:
    pytest.importorskip(library.removeprefix("in_") if library.startswith("in_") else "jax")
    module = importlib.import_module(f"benchmarks.dcgan_{library}")
    for model, expected in ((module.generator(), 2_368_705), (module.discriminator(), 4_311_553)):
        params, _ = jax.eval_shape(model.init, jax.random.key(0))
        assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == expected
