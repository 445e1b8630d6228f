"""Kubernetes objects as `kubectl -o json` and `-o yaml` print them: single ones, lists, several documents."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from iptviz.supplied.lines import TOO_LARGE, SourceLine, is_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

JsonObject = dict[str, object]

_OTHER = "not Kubernetes JSON/YAML"
_TYPES = {str: "text", bool: "a boolean"}

_YAML = re.compile(r"^(?:apiVersion|kind|items|metadata):", re.MULTILINE)
_MARGIN = re.compile(r"^(?:---|(?P<name>[A-Za-z]\w*):)", re.MULTILINE)
_INK = re.compile(r"\S")
_CUT = "cut off: an object or a list without its kind"
_SCALARS = (
    ("bool", r"(?:true|false)\Z", "tf"),
    ("int", r"-?(?:0|[1-9][0-9]*)\Z", "-0123456789"),
    ("null", r"(?:null|~|)\Z", ("n", "~", "")),
)
"""Types of values, the texts that have them, and the characters with which these begin."""


def is_document(text: str) -> bool:
    """Whether a text is meant to be JSON or YAML of Kubernetes objects."""
    return is_json(text) or _YAML.search(text) is not None


def read_items(text: str, source: str, hint: str) -> list[JsonObject]:
    """Return the objects of a text, out of lists however deep.

    Raises:
        DumpError: it is neither JSON nor YAML, or holds something that is no object.
    """
    documents = list((_json if is_json(text) else _yaml)(text, source, hint))
    return list(_items(documents, SourceLine(source, 1), hint))


def object_of(item: JsonObject, key: str) -> JsonObject:
    """Return the object that a field holds; an empty one where it holds none."""
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(item: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects of the list that a field holds."""
    value = item.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text_of(item: JsonObject, key: str) -> str:
    """Return the text that a field holds; an empty one where it holds none."""
    value = item.get(key)
    return value if isinstance(value, str) else ""


def texts_of(item: JsonObject, key: str) -> tuple[str, ...]:
    """Return the texts of the list that a field holds."""
    value = item.get(key)
    return tuple([entry for entry in value if isinstance(entry, str)]) if isinstance(value, list) else ()


def number_of(item: JsonObject, key: str) -> int | None:
    """Return the whole number that a field holds; None where it holds none."""
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _json(text: str, source: str, hint: str) -> Iterator[object]:
    """Yield the documents of JSON, one behind the other as several commands write them into one file."""
    import json

    decoder, end = json.JSONDecoder(), 0
    try:
        while begin := _INK.search(text, end):
            document, end = decoder.raw_decode(text, begin.start())
            yield document
    except json.JSONDecodeError as error:
        raise SourceLine(source, error.lineno).error(f"{_OTHER}: {error.msg}", hint) from None
    except (ValueError, RecursionError):
        raise SourceLine(source, 1).error(f"{_OTHER}: {TOO_LARGE}", hint) from None


def _yaml(text: str, source: str, hint: str) -> Iterator[object]:
    """Yield the documents of YAML.

    kubectl ends with the kind of a list, and every object has one: without it, the text is cut off.
    """
    import yaml

    loader = _loader()
    for line, part in _parts(text):
        try:
            for document in yaml.load_all(part, Loader=loader):
                if isinstance(document, dict) and "apiVersion" in document and "kind" not in document:
                    raise SourceLine(source, text.count("\n") + 1).error(_CUT, hint)
                yield document
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "cannot be read"
            place = SourceLine(source, line + mark.line if mark else 1)
            raise place.error(f"{_OTHER}: {problem}", hint) from None
        except (ValueError, RecursionError):
            raise SourceLine(source, line).error(
                f"{_OTHER}: an impossible value, or nested too deep", hint
            ) from None


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line, counted from 1, and the text of each part in which no key at the left margin comes twice.

    YAML takes the second of them for the value, and loses what the first command wrote into the file.
    """
    begin, line, seen = 0, 1, set[str]()
    for key in _MARGIN.finditer(text):
        if key["name"] in seen:
            yield line, text[begin : key.start()]
            line += text.count("\n", begin, key.start())
            begin, seen = key.start(), set()
        seen = {*seen, key["name"]} if key["name"] else set()
    yield line, text[begin:]


@cache
def _loader() -> type[yaml.SafeLoader]:
    """Return a loader that takes for text whatever JSON would: `on`, `0755` and `2001-01-01` are names here."""
    import yaml

    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: type[yaml.SafeLoader] = type("_JsonLoader", (fast,), {"yaml_implicit_resolvers": {}})
    for tag, pattern, first in _SCALARS:
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
    return loader


def _items(documents: list[object], place: SourceLine, hint: str) -> Iterator[JsonObject]:
    pending: list[object] = list(reversed(documents))
    seen: set[int] = set()  # a list that YAML repeats by reference is read once, however often it stands
    while pending:
        document = pending.pop()
        items = _listed(document) if isinstance(document, dict) else document
        if isinstance(document, dict) and text_of(object_of(document, "metadata"), "continue"):
            raise place.error("cut off: the list goes on in another answer (metadata.continue)", hint)
        if isinstance(items, list):
            pending += reversed(items) if id(items) not in seen else ()
            seen.add(id(items))
        elif isinstance(document, dict):
            if document.get("kind") == "PartialObjectMetadata":
                raise place.error("a Table without the objects themselves", hint)
            yield document
        elif document is not None:
            raise place.error(
                f"{_OTHER}: {_TYPES.get(type(document), 'a number')} instead of an object", hint
            )


def _listed(document: JsonObject) -> object:
    """Return what a list holds, None for any other object.

    As the API itself gives it, the kind of its items stands in that of the list alone: `ServiceList`. A `Table`
    has them in its rows.
    """
    kind = str(document.get("kind", ""))
    if kind == "Table":
        rows = document.get("rows")
        return [row.get("object") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    items = document.get("items")
    own = kind.removesuffix("List")
    if isinstance(items, list) and own and own != kind:
        return [{"kind": own, **item} if isinstance(item, dict) else item for item in items]
    return items
