"""Pictures drawn by Graphviz: SVG for pages and chats, PNG for everything else, PDF for print."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from iptviz.errors import OutputError
from iptviz.render.dot import dot_text

if TYPE_CHECKING:
    from iptviz.view.picture import Picture

INSTALL = "apt-get install graphviz (or dnf, brew); -f mermaid and -f dot need no program"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_WIDEST = 1_400  # points
_DOTS_PER_INCH = "144"  # twice the usual: text stays sharp on today's screens

# Light is what Graphviz draws; a reader of dark pages gets the same kinds in dark.
_DARK = """
svg { max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) {
  .graph > polygon { fill: #0f172a }
  text { fill: #e2e8f0 }
  .edge path { stroke: #94a3b8 } .edge polygon { fill: #94a3b8; stroke: #94a3b8 }
  .frontend polygon { fill: #1e3a8a; stroke: #93c5fd }
  .chain path { fill: #1e293b; stroke: #94a3b8 }
  .endpoint > polygon:first-of-type, .wanted > polygon:first-of-type { fill: #14532d; stroke: #86efac }
  .node polygon[fill="#15803d"] { fill: #86efac } .node polygon[fill="#b91c1c"] { fill: #fca5a5 }
  .mark polygon, .mark polyline { fill: #581c87; stroke: #f0abfc }
  .affinity polygon, .affinity polyline { fill: #312e81; stroke: #a5b4fc }
  .verdict polygon { fill: #7f1d1d; stroke: #fca5a5 }
  .edge.mark path { stroke: #f0abfc } .edge.mark polygon { fill: #f0abfc; stroke: #f0abfc }
  .edge.leftover path { stroke: #fca5a5 } .edge.leftover polygon { fill: #fca5a5; stroke: #fca5a5 }
  .node path, .node polygon { stroke-width: 1 }
}
"""


def svg(picture: Picture) -> str:
    """Return a picture as SVG that stands alone: rules under the mouse, light and dark, a title to be read out.

    Raises:
        OutputError: the program dot is not there, or fails.
    """
    root = _svg_of(picture)
    style = ET.Element(f"{{{_SVG}}}style")
    style.text = _DARK
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
    root.set("aria-label", picture.title)
    return root


def png(picture: Picture) -> bytes:
    """Return a picture as PNG; raises OutputError as `svg` does."""
    return _drawn(dot_text(picture, dpi=_DOTS_PER_INCH), "png")


def pdf(picture: Picture) -> bytes:
    """Return a picture as PDF; raises OutputError as `svg` does."""
    return _drawn(dot_text(picture), "pdf")


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
        raise OutputError("the program dot is not here, which draws pictures", hint=INSTALL) from None
    except graphviz.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise OutputError(
            f"dot could not draw the picture: {said[0] if said else error.returncode}", hint=INSTALL
        ) from None
    return drawn
