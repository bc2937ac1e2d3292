"""The built site, which `make docs` leaves in build/site: no page asks another host, every link leads somewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
RESOURCES = {"src", "srcset", "data", "poster", "action", "background", "xlink:href"}
FETCHING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}
CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")
# What the theme's scripts would load where a browser lacks something, or for what no page of ours has.
HOSTS_OF_THE_THEME = ("unpkg.com", "api.github.com", "fonts.googleapis.com", "fonts.gstatic.com", "googletagmanager")


class Page(HTMLParser):
    """What a page loads by itself, where its links go, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.resources: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._style = tag == "style"
        self.resources += [found[name] for name in RESOURCES & set(found)]
        self.resources += [url for match in CSS_URL.findall(found.get("style", "")) for url in match if url]
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "link" and FETCHING_LINKS & set(found.get("rel", "").split()):
            self.resources.append(found.get("href", ""))
        elif tag == "a" and "href" in found:
            self.links.append(found["href"])

    def handle_data(self, data: str) -> None:
        if self._style:
            self.resources += [url for match in CSS_URL.findall(data) for url in match if url]
            self._style = False


def foreign(url: str) -> bool:
    return bool(urlsplit(url).netloc) or urlsplit(url).scheme not in ("", "data")


@pytest.fixture(scope="module")
def pages() -> dict[Path, Page]:
    if not (SITE / "index.html").is_file():
        pytest.skip("there is no built site: make docs builds it (extra docs), and runs these tests")
    return {path: Page(path.read_text("utf-8")) for path in SITE.rglob("*.html")}


def test_no_page_asks_another_host(pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    for path, page in pages.items():
        assert not [url for url in page.resources if foreign(url)], path


def test_no_style_or_script_asks_another_host(pages: dict[Path, Page]) -> None:
    for path in SITE.rglob("*.css"):
        urls = [url for match in CSS_URL.findall(path.read_text("utf-8")) for url in match if url]
        assert not [url for url in urls if foreign(url)], path
    for path in SITE.rglob("*.js"):
        assert not [host for host in HOSTS_OF_THE_THEME if host in path.read_text("utf-8")], path


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for link in [*page.links, *page.resources]:
            parts = urlsplit(link)
            if foreign(link) or parts.scheme == "data" or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path}: {link}"


def test_what_is_copied_has_its_licence(pages: dict[Path, Page]) -> None:
    licences = [path.read_text("utf-8") for path in [*SITE.glob("licences/*.txt"), *SITE.glob("vendor/*LICENSE*")]]
    assert len(licences) >= 4
    assert all("ermi" in text for text in licences)  # Permission is hereby granted; are permitted


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://unpkg.com/x"></script>',
        '<link rel="preconnect stylesheet" href="//fonts.gstatic.com">',
        '<img src="http://example.org/a.png">',
        "<style>a { background: url('https://example.org/a.png') }</style>",
        '<p style="background: url(//example.org/a.png)">',
        '<style>@import "https://example.org/a.css";</style>',
    ],
)
def test_a_planted_request_is_found(text: str) -> None:
    assert [url for url in Page(text).resources if foreign(url)]
    assert not [url for url in Page('<a href="https://example.org">b</a><img src="a.png">').resources if foreign(url)]
