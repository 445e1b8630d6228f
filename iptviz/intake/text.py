"""Between the bytes of a dump and text, so that bytes which are not UTF-8 survive both ways."""

from __future__ import annotations


def to_text(data: bytes) -> str:
    """Decode `data`; bytes that are not UTF-8 become surrogates."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Encode `text`, the inverse of `to_text`."""
    return text.encode("utf-8", "surrogateescape")


def split_lines(data: bytes) -> list[bytes]:
    """Return the lines with their line feeds; a carriage return alone ends no line."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
