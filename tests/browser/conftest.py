"""A real browser: Debian's Chromium, without a display and without the network."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.render.mermaid import MOST_CHARACTERS, MOST_LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_DRAW = """async (text) => {
    const { svg } = await window.mermaid.render('drawn', text);
    document.body.innerHTML = svg;
    document.querySelectorAll('br').forEach((one) => one.replaceWith(' '));
    const texts = [...document.querySelectorAll('.nodeLabel, .edgeLabel, text')];
    return {
        texts: texts.map((one) => one.textContent.replaceAll('\\u200b', '').replaceAll('\\u00a0', ' ')),
        foreign: document.body.querySelectorAll('script, a, img, iframe, b, i, h1, math').length,
        links: document.querySelectorAll('.edgePaths path').length,
    };
}"""
_SETTINGS = (
    f"{{startOnLoad: false, securityLevel: 'strict', maxTextSize: {MOST_CHARACTERS}, maxEdges: {MOST_LINKS}}}"
)


def _missing(what: str) -> None:
    if os.environ.get("IPTVIZ_REQUIRE_BROWSER"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A running browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        _missing("chromium (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright (pip install 'iptviz[browser]')")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def mermaid_script() -> str:
    """The path of Mermaid itself, as npm has it."""
    return _installed("IPTVIZ_MERMAID", "mermaid", "mermaid.min.js")


@pytest.fixture(scope="module")
def draw(browser: Any, mermaid_script: str) -> Callable[[str], dict[str, Any]]:
    """Draw a flowchart as GitHub does; an error of Mermaid fails the test."""
    page = browser.new_page()
    page.set_content("<html><body></body></html>")
    page.add_script_tag(path=mermaid_script)
    page.evaluate(f"() => window.mermaid.initialize({_SETTINGS})")

    def drawn(text: str) -> dict[str, Any]:
        found: dict[str, Any] = page.evaluate(_DRAW, text)
        return found

    return drawn


@pytest.fixture(scope="session")
def axe_script() -> str:
    """The path of axe, which judges how accessible a page is."""
    return _installed("IPTVIZ_AXE", "axe-core", "axe.min.js")


def _installed(variable: str, package: str, script: str) -> str:
    path = os.environ.get(variable, "")
    if not Path(path).is_file():
        _missing(f"{package} (npm install {package}; {variable} is the path of its {script})")
    return path
