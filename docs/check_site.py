"""Checks that every link of the built site leads to a file, and to a place in it that exists.

    python docs/check_site.py docs/_build/html

Addresses of other hosts are only counted; `python -m sphinx -b linkcheck` asks them.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.anchors = [], {"", "top"}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value is not None:
                self.links.append(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(folder: Path) -> tuple[list[str], int]:
    """The local links that lead nowhere, and the number of those to other hosts."""
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    broken, others = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                others += parts.scheme in ("http", "https")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            found = target.is_file() and (
                target not in pages or unquote(parts.fragment) in pages[target].anchors
            )
            if not found and not parts.path.startswith("/"):
                broken.append(f"{path.relative_to(folder.resolve())}: {link}")
    return broken, others


if __name__ == "__main__":
    broken, others = broken_links(Path(sys.argv[1]))
    print(*broken, sep="\n", end="\n" * bool(broken))
    print(f"{len(broken)} links lead nowhere; {others} lead to other hosts and were not asked.")
    sys.exit(bool(broken))
