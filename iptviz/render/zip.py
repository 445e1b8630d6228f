"""An archive of everything: the page, Markdown, each answer for scripts and as a picture, and the dump itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.render.html import figure_svg, html
from iptviz.render.markdown import markdown
from iptviz.view.blocks import Answers, File, Findings, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.view.blocks import View

_DATED = (1980, 1, 1, 0, 0, 0)  # the same report makes the same archive


def archive(view: View) -> bytes:
    """Return a view of several answers as an archive."""
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in _files(view):
            written.writestr(zipfile.ZipInfo(name, _DATED), content, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def _files(view: View) -> Iterator[tuple[str, str | bytes]]:
    yield "report.html", html(view)
    yield "report.md", markdown(view)
    yield from (("check.json", _json(found)) for found in view.of(Findings))
    yield from (("services.json", _json(listing.view)) for listing in view.of(Listing))
    answers = (answer for block in view.of(Answers) for answer in block.views)
    for number, answer in enumerate(answers, 1):
        yield f"trace-{number}.json", _json(answer)
        if picture := figure_svg(answer):
            yield f"trace-{number}.svg", picture
    yield from ((file.name, file.content()) for file in view.of(File))


def _json(answer: View | Findings) -> str:
    import json

    return json.dumps(answer.document() if answer.document else {}, indent=2)
