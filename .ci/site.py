"""Checks the built pages of the documentation: their links, and that they need no network.

Every link to a page or to a place on a page must exist. Scripts, styles, fonts and pictures must be
files of the site.

Usage: python .ci/site.py FOLDER
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
EXTERNAL_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)"']*""")


class Page(HTMLParser):
    """The ids of a page, its links, and the addresses that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif (tag, name) in LOADED and value:
                self.loaded.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)


def problems(folder: Path) -> Iterator[str]:
    """Yields a description of each problem."""
    paths = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]
    pages = {path.resolve(): Page(path) for path in paths}
    for path, page in pages.items():
        where = path.relative_to(folder.resolve())
        for address in page.loaded:
            if urlsplit(address).scheme not in ("", "data") or address.startswith("//"):
                yield f"{where}: loads {address}"
        for address in page.links + page.loaded:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{where}: {address} does not exist"
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids | {"top"}:
                yield f"{where}: {address} has no such id"
    for path in sorted(folder.rglob("*.css")):
        for address in EXTERNAL_STYLE.findall(path.read_text()):
            yield f"{path.relative_to(folder)}: loads {address}"
    if not pages:
        yield f"{folder}: no pages"


if __name__ == "__main__":
    found = sorted(set(problems(Path(sys.argv[1]))))
    print("\n".join(found) or "All links exist, and nothing is loaded from the network.")
    sys.exit(bool(found))
