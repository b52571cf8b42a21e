"""The Python code blocks of the README and the pages run, in order, in an empty folder.

An HTML comment `<!-- not run: REASON -->` above a block excludes it, for example because it needs
the network. Pages about another library are skipped where it is not installed. The API reference
contains every public name.
"""

import contextlib
import importlib
import inspect
import re
from pathlib import Path

import pytest

import jaxlayers

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(
    r"(?P<excluded><!-- not run: [^\n]+ -->\n\n?)?^```python\n(?P<code>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)
DIRECTIVE = re.compile(
    r"^\.\. (currentmodule|automodule|autoclass|autofunction):: (\S+)\n((?:   :.*\n)*)",
    flags=re.MULTILINE,
)
# The libraries of the extra `bench`.
REQUIRED = {
    "docs/coming_from_equinox.md": "equinox",
    "docs/coming_from_flax.md": "flax",
    "docs/coming_from_pytorch.md": "torch",
}


def blocks(text):
    """Yields the blocks to run, each after empty lines that preserve its line numbers."""
    for match in BLOCK.finditer(text):
        if not match["excluded"]:
            yield "\n" * text.count("\n", 0, match.start("code")) + match["code"]


def pages_with_code():
    """The paths of all pages but backprop.md, which has tests/test_backprop.py."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        if path.name != "backprop.md" and any(blocks(path.read_text())):
            yield path.relative_to(ROOT).as_posix()


@pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("page", [*pages_with_code()])
def test_python_code_blocks_run(page, tmp_path):
    if page in REQUIRED:
        pytest.importorskip(REQUIRED[page])
    text = (ROOT / page).read_text()
    names = {"__name__": "__docs__"}
    with contextlib.chdir(tmp_path):
        for block in blocks(text):
            exec(compile(block, str(ROOT / page), "exec"), names)
    assert any(name for name in names if not name.startswith("__"))


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_links_between_pages_are_valid(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "docs" / page).read_text())
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_links_of_the_readme_are_valid():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def members(module):
    """The public names of a module and their values: `__all__`, else what it defines."""
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    }


def public_objects(module):
    """Yields the full name and the value of each public class and function, in modules too."""
    for name, value in members(module).items():
        if inspect.ismodule(value):
            yield from public_objects(value)
        else:
            yield f"{module.__name__}.{name}", value


def documented_objects():
    """Yields the value of each entry of the reference."""
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        module = None
        for directive, name, options in DIRECTIVE.findall(page.read_text()):
            if directive == "currentmodule":
                module = importlib.import_module(name)
            elif directive == "automodule":
                excluded = re.findall(r"\w+", options.partition(":exclude-members:")[2])
                values = members(importlib.import_module(name))
                yield from (values[name] for name in values.keys() - set(excluded))
            elif "." in name:
                parent, _, name = name.rpartition(".")
                yield getattr(importlib.import_module(parent), name)
            else:
                yield getattr(module, name)


def test_the_reference_contains_every_public_name():
    documented = list(documented_objects())
    public = [*public_objects(jaxlayers), *public_objects(jaxlayers.ops)]
    assert [name for name, value in public if value not in documented] == []


def test_all_names_of_activations_are_in_the_reference():
    page = (ROOT / "docs" / "reference" / "activations.md").read_text()
    defined = members(jaxlayers.activations)
    names = [n for n in jaxlayers.activations.BY_NAME if n not in defined and f"`{n}`" not in page]
    assert names == []
