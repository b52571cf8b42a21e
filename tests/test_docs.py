"""The Python code blocks of the README and the guides run, in order, in an empty folder.

An HTML comment `<!-- not run: REASON -->` above a block excludes it, for example because it needs
the network.
"""

import contextlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/data.md",
    "docs/exploring.md",
    "docs/keras.md",
    "docs/onnx.md",
    "docs/scores.md",
    "docs/training.md",
    "docs/transfer_learning.md",
)
BLOCK = re.compile(
    r"(?P<excluded><!-- not run: [^\n]+ -->\n\n?)?^```python\n(?P<code>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


def blocks(text):
    """Yields the blocks to run, each after empty lines that preserve its line numbers."""
    for match in BLOCK.finditer(text):
        if not match["excluded"]:
            yield "\n" * text.count("\n", 0, match.start("code")) + match["code"]


@pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("page", PAGES)
def test_python_code_blocks_run(page, tmp_path):
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
