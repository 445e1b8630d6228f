"""What pages are put together from: files of our own, digests that allow them, data that ends no script."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = "page"


def template(name: str) -> Template:
    """Return a template, in which nothing that is filled in is markup."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(part(name))


def trusted(style: str, script: str, data: Any) -> dict[str, Any]:
    """Return what is written into a page as it is: style and script with their digests, and `data`."""
    from markupsafe import Markup

    return {
        "style": Markup(style),  # noqa: S704 - our own file
        "style_hash": _digest(style),
        "script": Markup(script),  # noqa: S704 - our own file
        "script_hash": _digest(script),
        "data": Markup(_data(data)),  # noqa: S704 - see _data
    }


def part(name: str) -> str:
    """Return a file of our own."""
    return (files("iptviz.render") / _FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the digest by which a Content-Security-Policy allows a text."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(value: Any) -> str:
    """Return JSON that ends no script, whatever is in it."""
    import json

    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
