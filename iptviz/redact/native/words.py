"""Single words of a listing of nft in pseudonyms, by what they are: words of the language and numbers stay."""

from __future__ import annotations

import re
from functools import partial
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from iptviz.redact.native.names import NativeNames
from iptviz.redact.native.vocabulary import VOCABULARY
from iptviz.redact.remembered import Remembered
from iptviz.redact.rules import HELPERS
from iptviz.xtables.matches import match_options
from iptviz.xtables.targets import target_spec
from iptviz.xtables.values.protocols import service_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.redact.names import Names
    from iptviz.redact.secrets import Secrets

_REMEMBERED = 1 << 16
_NUMBER = re.compile(
    r"-?(?:0[xX][0-9a-fA-F]{1,32}|[0-9]{1,40})(?:[-/](?:0[xX][0-9a-fA-F]{1,32}|[0-9]{1,40}))?"
    r"|(?=[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,12}s)?(?:[0-9]{1,15}ms)?"
    r"|[0-9a-fA-F]{1,4}:[0-9a-fA-F]{0,4}|[-+.:*/]|[=!<>&|^]{1,2}",
    re.ASCII,
)
_MOMENT = re.compile(r"[0-9]{1,4}(?:[-: ][0-9]{1,4}){0,6}|[A-Z][a-z]{2,5}day", re.ASCII)
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}", re.ASCII)
_STEADY_MACS = re.compile(r"(?:00|ff)(?::(?:00|ff)){5}", re.IGNORECASE | re.ASCII)
_GENRE = re.compile(r"[A-Za-z0-9.]{1,20}", re.ASCII)
_PORT_SIGN = re.compile(r"([,:-])")
_PUNCTUATION = re.compile(r"[-\[\]:,/.\d]*")
_BEHIND = re.compile(r"(?<=:)[\d-]+$")
_RAW = re.compile(r"nh/(\d{1,5})/(\d{1,5})")
_WHOLE_ADDRESS = {("96", "32"), ("128", "32")}
_HEX_OR_DIGITS = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+", re.ASCII)
HEX_RANGE = re.compile(r"0[xX]([0-9a-fA-F]{7,8})-0[xX]([0-9a-fA-F]{7,8})")
_WHOLE = len("0x1000000")
_SOURCE_ADDRESS = "nh/96/32"
_LEAST = 1 << 16
"""Lower numbers are no addresses that anybody has."""

_LONGEST = 512
"""No word that means something is longer."""

_SHORT = 12
"""No more bits of the header of IP tell enough of an address to name anybody."""


class NativeWords:
    """Changes words; `by_kind` has a dictionary for each kind, that of `""` for what is of no kind of its own."""

    def __init__(self, names: Names, secrets: Secrets) -> None:
        self.names = NativeNames(names, secrets)
        self.secrets = secrets
        self._kinds: dict[str, Callable[[str], str]] = {
            "table": self.names.table,
            "chain": self.names.chain,
            "set": self.names.set,
            "comment": self.names.comment,
            "own": self.names.text,
            "text": self.names.text,
            "device": self.names.device,
            "helper": lambda text: text if HELPERS.fullmatch(text) else self.names.text(text),
            "genre": lambda text: text if _GENRE.fullmatch(text) else self.names.text(text),
            "extension": self._extension,
            "moment": lambda text: text if _MOMENT.fullmatch(text) else self.names.text(text),
            "person": self.names.person,
            "mac": self._mac,
            "port": self._ports,
        }
        self.by_kind: dict[str, dict[str, str]] = Remembered(
            lambda kind: Remembered(partial(self._change, kind), _REMEMBERED)
        )
        """By its kind, what each word becomes; one in quotes is in quotes still."""

    def _change(self, kind: str, word: str) -> str:
        """Return what a word becomes that stands where something of a kind is expected."""
        if word[:1] == '"':
            inner, end = (word[1:-1], '"') if len(word) > 1 and word[-1] == '"' else (word[1:], "")
            return f'"{self.named(kind or "own", inner)}{end}' if inner else word
        return self.unquoted(kind, word)

    def unquoted(self, kind: str, word: str) -> str:
        """Return what a word becomes that has no quotes, or lost them as in JSON."""
        if word[:1] == "@":
            return f"@{self.names.set(word[1:])}"
        if kind in _MAY_BE_WORDS and (word in VOCABULARY or _NUMBER.fullmatch(word)):
            return word
        return self.named(kind, word) if kind in NAMED else self.word(kind, word)

    def named(self, kind: str, text: str) -> str:
        """Return what a text becomes that is the name of something of a kind."""
        change = self._kinds.get(kind) or self._kinds["own"]
        return change(text) if text else text

    def word(self, kind: str, word: str) -> str:
        """Return what a word without quotes becomes."""
        if len(word) > _LONGEST:
            return self.names.text(word)
        if kind == "port":
            return self._ports(word)
        if (plain := self.secrets.addresses.of_host(word)) is not None:
            return plain
        if _NUMBER.fullmatch(word):
            return self._of_header(kind, word)
        if _is_of_nft(word):
            return word
        if _MAC.fullmatch(word):
            return self._mac(word)
        return self.address(word) or (word if service_port(word) is not None else self.names.text(word))

    def address(self, word: str) -> str | None:
        """Return addresses, networks and ranges, with ports; None for what is none of these."""
        addresses = self.secrets.addresses
        host, colon, port = word.partition(":")
        plain = addresses.of_host(host)
        if plain is not None and not colon:
            return plain
        if plain is not None and port.isascii() and port.isdecimal():
            return f"{plain}:{self.names.port(port)}"
        if word[:1] == ":" and word[1:] and all(part.isdecimal() for part in word[1:].split("-")):
            return f":{self._ports(word[1:])}"
        rest = addresses.left_of(word)
        if rest == word or not _PUNCTUATION.fullmatch(rest):
            return None
        hidden = addresses.in_text(word)
        return _BEHIND.sub(lambda found: self._ports(found[0]), hidden) if _has_port(word) else hidden

    def mask(self, word: str) -> str:
        """Return which bits of an address are asked: what is no address stays no mask."""
        return (
            word if word in VOCABULARY or _NUMBER.fullmatch(word) or _is_mask(word) else self.word("", word)
        )

    def masked(self, word: str, mask: str) -> str:
        """Return an address, of which a mask leaves out bits: they are 0 still."""
        addresses = self.secrets.addresses
        return addresses.masked(word, mask) if addresses.left_of(word) == "" else self.word("", word)

    def _ports(self, text: str) -> str:
        """Return ports; a range of them begins with the lower one still."""
        first, dash, last = text.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            low, high = sorted((int(self.names.port(first)), int(self.names.port(last))))
            return f"{low}-{high}"
        return "".join(map(self._port, _PORT_SIGN.split(text)))

    def _port(self, text: str) -> str:
        if text.isascii() and text.isdecimal():
            return self.names.port(text)
        if _NUMBER.fullmatch(text) and text[:2] in {"0x", "0X"}:
            return self.names.port(str(int(text, 16)))
        known = text in {"", ",", ":", "-", "*"} or service_port(text) is not None
        return text if known else self.names.text(text)

    def _mac(self, text: str) -> str:
        if _STEADY_MACS.fullmatch(text):
            return text
        return self.names.mac(text) if _MAC.fullmatch(text) else self.names.text(text)

    def _extension(self, name: str) -> str:
        known = match_options(name) is not None or target_spec(name) is not None
        return name if known else self.names.text(name)

    def _of_header(self, kind: str, word: str) -> str:
        """Return a number; where it is one of bits of the header of IP, an address may be among them."""
        found = _RAW.fullmatch(_SOURCE_ADDRESS if kind == "address" else kind)
        if found is None or int(found[2]) <= _SHORT:
            return word
        ends = HEX_RANGE.fullmatch(word)
        if ends and found.groups() in _WHOLE_ADDRESS:
            return "-".join(map(_hex, self.secrets.addresses.of_range(dotted(ends[1]), dotted(ends[2]))))
        return _HEX_OR_DIGITS.sub(lambda number: self._of_bits(found, number[0]), word)

    def _of_bits(self, found: re.Match[str], word: str) -> str:
        number = int(word, 16) if word[:2] in {"0x", "0X"} else int(word)
        if number < _LEAST:
            return word
        bits = min(int(found[2]), 128)
        if found.groups() in _WHOLE_ADDRESS and number >> 32 == 0 and _is_whole(word):
            return _hex(self.secrets.addresses.of(dotted(f"{number:x}")))
        return hex(self.secrets.number(f"bits {bits}", word, 0, (1 << bits) - 1))


def _is_whole(word: str) -> bool:
    """Whether a number has as many digits as an address from 1.0.0.0 on: one that was cut tells its network."""
    return word[:2] not in {"0x", "0X"} or len(word) >= _WHOLE


def dotted(text: str) -> str:
    """Return a hexadecimal number of 32 bits as an address."""
    return str(IPv4Address(int(text, 16)))


def _hex(address: str) -> str:
    return f"0x{int(IPv4Address(address)):08x}"


def _is_of_nft(word: str) -> bool:
    """Whether a word is one of the language, with a colon, or some with slashes: `established:`, `kbytes/day`."""
    parts = word.removesuffix(":").split("/")
    return all(part in VOCABULARY or part.isdecimal() for part in parts)


def _is_mask(text: str) -> bool:
    """Whether an address is a mask: ones before zeros, or zeros before ones."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    number, ones = int(address), (1 << address.max_prefixlen) - 1
    return any(one & one + 1 == 0 for one in (number, number ^ ones))


def _has_port(word: str) -> bool:
    return re.search(r"(?:\.\d+(?:/\d+)?|\]):\d[\d-]*$", word, re.ASCII) is not None


NAMED = frozenset(
    {
        "table",
        "chain",
        "set",
        "comment",
        "own",
        "text",
        "device",
        "helper",
        "moment",
        "person",
        "extension",
        "genre",
    }
)
"""Kinds of which each has names of its own."""

_MAY_BE_WORDS = frozenset({"device", "helper", "moment", "person", "text", "genre"})
"""Kinds in whose place a word of nft or a number may stand, too."""
