"""Pictures drawn by Graphviz: SVG for pages and chats, PNG for everything else, PDF for print."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from iptviz.errors import OutputError
from iptviz.render.dot import dot_text

if TYPE_CHECKING:
    from iptviz.view.picture import Picture

INSTALL = "apt-get install graphviz (or dnf, brew), or use -f mermaid or -f dot"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_WIDEST = 1_400  # points
_DOTS_PER_INCH = "144"  # twice the usual: text stays sharp on today's screens

_SCALED = "svg { max-width: 100%; height: auto }\n"


def picture_style() -> str:
    """Return the style sheet of pictures, alone or on a page."""
    return (files("iptviz.render") / "page/picture.css").read_text(encoding="utf-8")


def svg(picture: Picture) -> str:
    """Return a picture as SVG that stands alone: rules under the mouse, light and dark, a title to be read out.

    Raises:
        OutputError: the program dot is not there, or fails.
    """
    root = _svg_of(picture)
    style = ET.Element(f"{{{_SVG}}}style")
    style.text = _SCALED + picture_style()
    root.insert(0, style)
    return ET.tostring(root, encoding="unicode") + "\n"


def bare_svg(picture: Picture) -> str:
    """Return a picture as SVG for a page, without a style of its own; raises OutputError as `svg` does.

    Of the class `large` are those that could not be read if they were as wide as a page.
    """
    root = _svg_of(picture)
    if float(root.get("width", "0").removesuffix("pt")) > _WIDEST:
        root.set("class", "large")
    return ET.tostring(root, encoding="unicode") + "\n"


def _svg_of(picture: Picture) -> ET.Element:
    root = ET.fromstring(_drawn(dot_text(picture), "svg"))  # noqa: S314 - written by dot
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    for group in root.iter(f"{{{_SVG}}}g"):
        if group.get("class", "").partition(" ")[0] in {"node", "edge"}:
            _show_rules(group)
    root.set("role", "img")
    root.set("aria-label", " · ".join(filter(None, (picture.title, picture.about))))
    return root


def png(picture: Picture) -> bytes:
    """Return a picture as PNG; raises OutputError as `svg` does."""
    return _drawn(dot_text(picture, dpi=_DOTS_PER_INCH), "png")


def pdf(picture: Picture) -> bytes:
    """Return a picture as PDF with its rules in small print; raises OutputError as `svg` does."""
    return _drawn(dot_text(picture, printed=True), "pdf")


def _show_rules(group: ET.Element) -> None:
    """Put what Graphviz keeps in links under the mouse into the title, which every browser shows."""
    title = group.find(f"{{{_SVG}}}title")
    hover = ""
    for holder in group.findall(f"{{{_SVG}}}g"):
        link = holder.find(f"{{{_SVG}}}a")
        if link is not None:
            hover = link.get(f"{{{_XLINK}}}title", "")
            place = list(group).index(holder)
            group.remove(holder)
            for child in reversed(list(link)):
                group.insert(place, child)
    if title is not None:
        title.text = hover


def _drawn(text: str, kind: str) -> bytes:
    import graphviz

    try:
        drawn: bytes = graphviz.pipe("dot", kind, text.encode(), quiet=True)
    except graphviz.ExecutableNotFound:
        raise OutputError("Graphviz (dot) is not installed", hint=INSTALL) from None
    except graphviz.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise OutputError(
            f"dot could not draw the picture: {said[0] if said else error.returncode}", hint=INSTALL
        ) from None
    return drawn
