"""From a result to its document, looked up by the question's name: documents describe results, none needs one."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast


def document_of(question: str, result: object) -> dict[str, Any]:
    """Return `result` as the document `iptviz.QUESTION.v1`."""
    module = import_module(f"iptviz.documents.{question}_v1")
    return cast("dict[str, Any]", module.document(result))
