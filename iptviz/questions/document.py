"""From a result to its document, looked up by the question's name: documents describe results, none needs one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


def document_of(question: str, result: object) -> dict[str, Any]:
    """Return `result` as the document `iptviz.QUESTION.v1`."""
    module = import_module(f"iptviz.documents.{question}_v1")
    return cast("dict[str, Any]", module.document(result))


def elements_of(question: str, result: object) -> Iterator[dict[str, Any]]:
    """Yield what the document of `result` is a list of, each with the document's schema."""
    module = import_module(f"iptviz.documents.{question}_v1")
    for element in module.elements(result):
        yield {"schema": f"iptviz.{question}.v1", **element}
