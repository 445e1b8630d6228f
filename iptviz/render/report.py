"""A report as one file: a page that needs nothing else, Markdown, or an archive with all of it."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from iptviz.errors import OutputError
from iptviz.questions.report import report_of
from iptviz.questions.services import ServicesResult, services
from iptviz.questions.trace import TraceResult
from iptviz.render.drawn import bare_svg, picture_style
from iptviz.render.markdown import head_markdown, services_markdown, trace_markdown
from iptviz.version import __version__
from iptviz.view.answers import answered
from iptviz.view.labels import ABSENT
from iptviz.view.report import report_view

if TYPE_CHECKING:
    from iptviz.questions.report import Answer, ReportResult
    from iptviz.terminal import Style
    from iptviz.view.picture import Picture

_FOLDER = "page"
_DATED = (1980, 1, 1, 0, 0, 0)  # the same report makes the same archive


def report_html(result: ReportResult, _style: Style, *, fold: bool) -> str:
    """Return the page: no request leaves it, and nothing that a dump says is markup in it."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    view = report_view(result, fold=fold)
    style, script = _part("page.css") + picture_style(), _part("page.js")
    template = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    ).from_string(_part("page.html.jinja"))
    pictures = [_picture(one.picture) for one in view.answers]
    return template.render(
        view=view,
        absent=ABSENT,
        version=__version__,
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=_digest(style),
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=_digest(script),
        pictures=[Markup(one) for one in pictures],  # noqa: S704 - parsed and written again by ElementTree
        data=Markup(_data({"rows": view.rows, "chains": view.chains})),  # noqa: S704 - see _data
    )


def answer_html(result: Answer, style: Style, *, fold: bool) -> str:
    """Return the page of one answer, with the list of all services."""
    return report_html(report_of(result.dump, services(result.dump), (result,)), style, fold=fold)


def services_html(result: ServicesResult, style: Style, *, fold: bool) -> str:
    """Return the page of a list of services."""
    return report_html(report_of(result.dump, result, ()), style, fold=fold)


def report_markdown(result: ReportResult, style: Style, *, fold: bool) -> str:
    """Return the report as Markdown: where it comes from and what was found, every trace, all services."""
    traces = [one for one in result.answers if isinstance(one, TraceResult)]
    answers = [trace_markdown(one, style, fold=fold) for one in traces]
    head = head_markdown(report_view(result, fold=fold))
    return "\n".join([head, *answers, services_markdown(result.services, style, fold=fold)])


def report_zip(result: ReportResult, style: Style, *, fold: bool) -> bytes:
    """Return an archive of the page, the Markdown, every answer as JSON, the pictures, and the dump itself."""
    import io
    import json
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:

        def write(name: str, content: str | bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name, _DATED), content, zipfile.ZIP_DEFLATED)

        write("report.html", report_html(result, style, fold=fold))
        write("report.md", report_markdown(result, style, fold=fold))
        write("services.json", json.dumps(result.services.to_dict(), indent=2))
        for number, one in enumerate(result.answers, 1):
            write(f"trace-{number}.json", json.dumps(one.to_dict(), indent=2))
            if picture := _picture(answered(one, fold=fold).picture):
                write(f"trace-{number}.svg", picture)
        write("dump.rules", bytes(result.dump))
    return held.getvalue()


def _picture(picture: Picture | None) -> str:
    """Return a picture for a page; without the program dot the page does without."""
    try:
        return bare_svg(picture) if picture else ""
    except OutputError:
        return ""


def _part(name: str) -> str:
    return (files("iptviz.render") / _FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the digest by which a Content-Security-Policy allows a text."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(value: Any) -> str:
    """Return JSON that ends no script, whatever is in it."""
    import json

    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
