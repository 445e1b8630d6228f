"""`--redact`: the dump is put into pseudonyms first, and what is asked about it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.cli.run import Reading, load_dump

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.redact.dump import Redactor

_KEYS = 8
"""So many random keys are tried until no pseudonym is an address of the dump, which would look like a leak."""

_FEW = 10_000
"""Among more addresses than that, some pseudonyms are addresses of others with nearly every key."""

SOURCE = "redacted"
"""What a redacted dump is called in an answer: a file's name may tell what it holds."""


class Asked(NamedTuple):
    """The dump that is asked, and who puts questions into its pseudonyms, if it has some."""

    dump: Dump
    redactor: Redactor | None

    def target(self, text: str) -> str:
        """Return a TARGET as the dump knows it."""
        return self.redactor.target(text) if self.redactor else text

    def address(self, text: str | None) -> str | None:
        """Return an address, a network or an endpoint as the dump knows it."""
        return self.redactor.addresses(text) if self.redactor and text is not None else text

    def interface(self, name: str | None) -> str | None:
        """Return an interface as the dump knows it."""
        return self.redactor.names.interface(name) if self.redactor and name is not None else name

    def namespace(self, name: str | None) -> str | None:
        """Return a namespace as the dump knows it."""
        return self.redactor.names.namespace(name) if self.redactor and name is not None else name

    def chain(self, name: str | None) -> str | None:
        """Return a chain as the dump knows it."""
        return self.redactor.names.chain(name) if self.redactor and name is not None else name


def asked_dump(
    name: str | None, reading: Reading, family: str | None = None, *, redact: bool, mapping: str | None
) -> Asked:
    """Return the dump that is meant, in pseudonyms where they are asked for.

    Raises:
        DumpError: there is no dump, or the mapping cannot be read.
        OutputError: the mapping cannot be written.
    """
    dump = load_dump(name, reading, family)
    if not redact and mapping is None:
        return Asked(dump, None)
    from iptviz.dump.model import Dump

    redactor, text = redacted(dump, mapping)
    return Asked(Dump(text.encode(), SOURCE), redactor)


def redacted(dump: Dump, mapping: str | None, *, ports: bool = False) -> tuple[Redactor, str]:
    """Return who redacts a dump, and the dump redacted; the mapping, if one is named, is kept.

    Raises:
        DumpError: the mapping cannot be read.
        OutputError: the mapping cannot be written.
    """
    from iptviz.redact.dump import Redactor
    from iptviz.redact.mapping import fresh_secrets, read_mapping, write_mapping

    secrets = read_mapping(mapping) if mapping else fresh_secrets()
    is_fresh = not secrets.known
    for _ in range(_KEYS):
        redactor = Redactor(dump, secrets, ports=ports)
        text = redactor.text()
        if not is_fresh or len(secrets.addresses.known) > _FEW or not secrets.addresses.mistakable():
            break
        secrets = fresh_secrets()
    if mapping:
        write_mapping(mapping, secrets)
    return redactor, text
