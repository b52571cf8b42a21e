"""Imports of the package and between its parts."""

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
    # multiprocessing imports __main__ under a second name.
    excluded = sys.stdlib_module_names | {"__mp_main__"}
    return {name.partition(".")[0] for name in sys.modules} - excluded
before = third_party()
import jaxlayers
lazy = [name for name in ("data", "interop", "train") if f"jaxlayers.{name}" in sys.modules]
# Those that are imported when they are used, too.
assert all(hasattr(jaxlayers, name) for name in jaxlayers.__all__)
print(*lazy, *sorted(third_party() - before))
"""

# Small modules that every part may import.
HELPERS = (
    "_any_size",
    "_fields",
    "_files",
    "_lookup",
    "_structure",
    "_symbolic",
    "_text",
    "config",
)
# The functions that arguments of layers name.
NAMED = ("activations", "constraints", "initializers", "losses", "regularizers")
# The allowed imports: experiments -> train -> runs -> interop -> compositions -> layers -> ops.
# Models are above the compositions, metrics above the losses; data imports no other part.
MAY_IMPORT = {
    **dict.fromkeys(HELPERS, HELPERS),
    **dict.fromkeys(NAMED, (*HELPERS, "ops")),
    "layer": HELPERS,
    "ops": ("_files", "config"),
    "layers": (*HELPERS, *NAMED, "layer", "ops"),
    "compositions": (*HELPERS, "layer", "layers", "ops"),
    "models": (*HELPERS, *NAMED, "layer", "layers", "compositions"),
    "metrics": (*HELPERS, "losses"),
    "data": HELPERS,
    "interop": (*HELPERS, *NAMED, "layer", "layers", "compositions", "metrics", "ops"),
    "runs": (*HELPERS, "data", "metrics", "layer", "layers", "compositions", "interop"),
    "train": (*HELPERS, "data", "losses", "metrics", "layer", "ops", "runs"),
    "experiments": (
        *HELPERS,
        *("data", "interop", "layer", "metrics", "models", "runs", "train", "Layer", "trainable"),
    ),
}
COMPOSITIONS = (
    "composition",
    "freezing",
    "functional",
    "fusion",
    "graph",
    "input_layer",
    "sequential",
    "summary",
)
# Exceptions: the package itself, which imports everything, and single modules.
EXCEPTIONS = {
    "jaxlayers": None,
    # The command line that converts Keras files into run folders.
    "jaxlayers.interop.keras.__main__": {"runs"},
    # train.InBfloat16 is layers.InBfloat16; tasks depend only on the contract of a layer.
    "jaxlayers.train": {"layers"},
    # The check for models that begin with a Rescaling.
    "jaxlayers.train.input_scale": {"layers", "compositions"},
    # The scores of generated images use the features of one particular classifier.
    "jaxlayers.train.classifier_features": {"models", "__version__"},
    # The version, which is written into run folders.
    "jaxlayers.train.run_files": {"__version__"},
}
THIRD_PARTY = {"jax", "jaxlib", "numpy"}


def modules() -> list[Path]:
    return sorted(
        path for top in ("jaxlayers", "experiments") for path in (ROOT / top).rglob("*.py")
    )


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Returns the full names that a file imports, at the top level or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(name: str) -> str:
    """Returns the part of the project of a module or of a name in it."""
    top, _, rest = name.partition(".")
    part = rest.partition(".")[0] if top == "jaxlayers" else top
    return "compositions" if part in COMPOSITIONS else part


def test_importing_the_package_loads_only_jax_numpy_and_optax() -> None:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == ["jaxlayers"]
    assert process.stderr == ""


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports_point_down(path) -> None:
    name = module_name(path)
    part, exceptions = part_of(name), EXCEPTIONS.get(name, set())
    imported = {part_of(n) for n in imports(path) if n.startswith(("jaxlayers", "experiments"))}
    if exceptions is not None:
        assert imported <= {part, *MAY_IMPORT[part], *exceptions}, name


def test_layers_and_operations_import_only_jax_and_numpy() -> None:
    for path in modules():
        if part_of(module_name(path)) in ("ops", "layers", "layer", "compositions"):
            imported = {name.partition(".")[0] for name in imports(path)}
            assert imported - sys.stdlib_module_names <= {"jaxlayers", *THIRD_PARTY}, path


def test_allowed_imports_have_no_cycle() -> None:
    remaining = {part: {*allowed} - {*HELPERS} for part, allowed in MAY_IMPORT.items()}
    while remaining:
        lowest = {part for part, allowed in remaining.items() if not allowed & remaining.keys()}
        assert lowest, f"a cycle among {sorted(remaining)}"
        remaining = {part: allowed for part, allowed in remaining.items() if part not in lowest}
