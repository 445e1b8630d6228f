"""JSON as a text, for what is of no known form."""

from __future__ import annotations

from typing import Any


def as_json(data: Any) -> str:
    """Return data that came of JSON as JSON again."""
    import json

    return json.dumps(data, ensure_ascii=False)
