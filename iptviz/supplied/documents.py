"""Kubernetes objects as `kubectl -o json` and `-o yaml` print them: single ones, lists, several documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.supplied.lines import TOO_LARGE, SourceLine, is_json

if TYPE_CHECKING:
    from collections.abc import Iterator

JsonObject = dict[str, object]

_OTHER = "not Kubernetes JSON/YAML"
_TYPES = {str: "text", bool: "a boolean"}

_YAML = re.compile(r"^(?:apiVersion|kind|items|metadata):", re.MULTILINE)


def is_document(text: str) -> bool:
    """Whether a text is meant to be JSON or YAML of Kubernetes objects."""
    return is_json(text) or _YAML.search(text) is not None


def read_items(text: str, source: str, hint: str) -> list[JsonObject]:
    """Return the objects of a text, out of lists however deep.

    Raises:
        DumpError: it is neither JSON nor YAML, or holds something that is no object.
    """
    documents = [_json(text, source, hint)] if is_json(text) else _yaml(text, source, hint)
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


def _json(text: str, source: str, hint: str) -> object:
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceLine(source, error.lineno).error(f"{_OTHER}: {error.msg}", hint) from None
    except (ValueError, RecursionError):
        raise SourceLine(source, 1).error(f"{_OTHER}: {TOO_LARGE}", hint) from None


def _yaml(text: str, source: str, hint: str) -> list[object]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return list(yaml.load_all(text, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        raise SourceLine(source, mark.line + 1 if mark else 1).error(f"{_OTHER}: {problem}", hint) from None
    except (ValueError, RecursionError):
        raise SourceLine(source, 1).error(
            f"{_OTHER}: an impossible value, or nested too deep", hint
        ) from None


def _items(documents: list[object], place: SourceLine, hint: str) -> Iterator[JsonObject]:
    pending: list[object] = list(reversed(documents))
    seen: set[int] = set()  # a list that YAML repeats by reference is read once, however often it stands
    while pending:
        document = pending.pop()
        items = _listed(document) if isinstance(document, dict) else document
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
