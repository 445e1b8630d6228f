"""Whether a text may hold rules that somebody edited: told fast, and of few texts that iptables-save wrote."""

from __future__ import annotations

# Single bytes are looked for fastest. Of signs that are no ASCII, the first byte is enough.
_SIGNS = (b"'", b"\\", b"\x1b", b"\xe2", b"\xc2", b"\xef")
_WORDS = (b'""', b" #", b" //", b" /*", b" <", b"-->", b"=>", b'"\n', b'"\r', b'",', b")\n")
_QUOTED_VALUES = ((b"--comment ", b'--comment "'), (b"-prefix ", b'-prefix "'))


EDITED = 1 << 19
"""So many bytes has what people edit, at most."""
_MOST_PLACES = 1000


def odd_places(text: bytes) -> list[int] | None:
    """Return where a large text may have odd rules, in order; None where each line is to be looked at."""
    if len(text) <= EDITED or any(
        text.count(option) != text.count(quoted) for option, quoted in _QUOTED_VALUES
    ):
        return None
    places = [len(text) - 1]
    for sign in (*_SIGNS, *_WORDS, b" ("):
        at = text.find(sign) if sign[-1:] in text else -1  # a single byte is looked for fastest
        while at >= 0:
            places.append(at)
            if len(places) > _MOST_PLACES:
                return None
            at = text.find(sign, at + 1)
    return sorted(places)


def has_odd_rule(rules: bytes) -> bool:
    """Whether rules may be odd; in parentheses, the first line of a dump names its kind of tables."""
    return b" (" in rules or is_suspect(rules)


def is_suspect(text: bytes) -> bool:
    """Whether something stands in a text that every rule has which `iptviz.intake.mend` repairs."""
    return (
        any(sign in text for sign in _SIGNS)
        or any(word[-1:] in text and word in text for word in _WORDS)
        or text.endswith(b'"')
        or text.count(b'"') % 2 == 1
        or any(text.count(option) != text.count(quoted) for option, quoted in _QUOTED_VALUES)
    )
