"""What `import jaxlayers` loads, and which parts of the package import which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SCRIPT = """
import sys
import jax, numpy, optax
def third_party():
    # multiprocessing enters __main__ under a second name.
    ours = sys.stdlib_module_names | {"__mp_main__"}
    return {name.partition(".")[0] for name in sys.modules} - ours
before = third_party()
import jaxlayers
print(*sorted(third_party() - before))
"""

# What every part may import: small modules that know nothing of layers.
SHARED = ("_fields", "_files", "_lookup", "_text", "config")
# The functions behind the names that layers take, and the contract of a layer.
NAMED = ("activations", "constraints", "initializers", "losses", "regularizers")
# The allowed arrows: experiments -> train -> runs -> interop -> compositions -> layers -> ops.
# Models stand on the compositions, metrics on the losses, data on nothing.
MAY_IMPORT = {
    **dict.fromkeys(SHARED, SHARED),
    **dict.fromkeys(NAMED, SHARED),
    "layer": SHARED,
    "ops": ("_files", "config"),
    "layers": (*SHARED, *NAMED, "layer", "ops"),
    "compositions": (*SHARED, "layer", "layers", "ops"),
    "models": (*SHARED, "layer", "layers", "compositions"),
    "metrics": (*SHARED, "losses"),
    "data": SHARED,
    "interop": (*SHARED, *NAMED, "layer", "layers", "compositions"),
    "runs": (*SHARED, "data", "metrics", "layer", "layers", "compositions", "interop"),
    "train": (*SHARED, "data", "losses", "metrics", "layer", "runs"),
    "experiments": (*SHARED, "data", "models", "runs", "train", "Layer"),
}
COMPOSITIONS = ("sequential", "functional", "fusion", "summary")
# The package itself, which imports all, and single modules that are above the part that has them.
ABOVE = {
    "jaxlayers": None,
    # The command line of Keras files, which converts one into the folder of a run.
    "jaxlayers.interop.keras.__main__": {"runs"},
    # train.InBfloat16 is layers.InBfloat16; tasks know the contract of a layer only.
    "jaxlayers.train": {"layers"},
    # The version, for the description of a run.
    "jaxlayers.train.run_files": {"__version__"},
}
THIRD_PARTY = {"jax", "jaxlib", "numpy"}


def modules() -> list[Path]:
    return sorted(
        path for top in ("jaxlayers", "experiments") for path in (ROOT / top).rglob("*.py")
    )


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """The full names of what a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(name: str) -> str:
    """The part of the project that a module or a name in it belongs to."""
    top, _, rest = name.partition(".")
    part = rest.partition(".")[0] if top == "jaxlayers" else top
    return "compositions" if part in COMPOSITIONS else part


def test_importing_it_loads_nothing_but_what_jax_numpy_and_optax_load() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["jaxlayers"]
    assert found.stderr == ""


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path) -> None:
    name = name_of(path)
    part, above = part_of(name), ABOVE.get(name, set())
    used = {part_of(n) for n in imports(path) if n.startswith(("jaxlayers", "experiments"))}
    if above is not None:
        assert used <= {part, *MAY_IMPORT[part], *above}, name


def test_layers_and_operations_import_jax_and_numpy_only() -> None:
    for path in modules():
        if part_of(name_of(path)) in ("ops", "layers", "layer", "compositions"):
            used = {name.partition(".")[0] for name in imports(path)}
            assert used - sys.stdlib_module_names <= {"jaxlayers", *THIRD_PARTY}, path


def test_the_table_of_arrows_has_no_circle() -> None:
    apart = {part: {*arrows} - {*SHARED} for part, arrows in MAY_IMPORT.items()}
    while apart:
        lowest = {part for part, arrows in apart.items() if not arrows & apart.keys()}
        assert lowest, f"a circle among {sorted(apart)}"
        apart = {part: arrows for part, arrows in apart.items() if part not in lowest}
