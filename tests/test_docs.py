"""The Python blocks of the README and the guides run, in order, in an empty folder.

An HTML comment `<!-- not run: REASON -->` above a block excludes it: it needs the network or takes
long.
"""

import contextlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/data.md", "docs/keras.md", "docs/training.md")
BLOCK = re.compile(
    r"(?P<excluded><!-- not run: [^\n]+ -->\n\n?)?^```python\n(?P<code>.*?)^```$",
    flags=re.DOTALL | re.MULTILINE,
)


def blocks(text):
    """Yields each block that is run, after as many empty lines as stand before it in the page."""
    for match in BLOCK.finditer(text):
        if not match["excluded"]:
            yield "\n" * text.count("\n", 0, match.start("code")) + match["code"]


@pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("page", PAGES)
def test_the_python_blocks_of_the_page_run(page, tmp_path):
    text = (ROOT / page).read_text()
    names = {"__name__": "__docs__"}
    with contextlib.chdir(tmp_path):
        for block in blocks(text):
            exec(compile(block, str(ROOT / page), "exec"), names)
    assert any(name for name in names if not name.startswith("__"))


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_links_between_pages_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "docs" / page).read_text())
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_links_of_the_readme_lead_to_files():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
