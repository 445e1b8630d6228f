"""`--redact`: the dump is put into pseudonyms first, and so is what is asked about it and handed in beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from iptviz.cli.run import Reading, load_dump
from iptviz.errors import DumpError, OutputError
from iptviz.supplied.files import Supplied, read_file
from iptviz.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from iptviz.cluster.api import ApiCluster
    from iptviz.dump.model import Dump
    from iptviz.questions.sources import SourcesResult
    from iptviz.redact.dump import Redactor
    from iptviz.supplied.service_names import Candidate

    File = str | Supplied | None

_KEYS = 8
"""So many random keys are tried until no pseudonym is an address of the dump, which would look like a leak."""

_FEW = 10_000
"""Among more addresses than that, some pseudonyms are addresses of others with nearly every key."""

SOURCE = "redacted"
"""What a redacted dump is called in an answer: a file's name may tell what it holds."""


class Asked(NamedTuple):
    """The dump that is asked, and who puts questions into its pseudonyms, if it has some.

    `older` is another dump of the node; `names` lists services, `files` are what else is handed in, by kind.
    """

    dump: Dump
    redactor: Redactor | None = None
    older: Dump | None = None
    names: File = None
    files: Mapping[str, File] = {}

    def target(self, text: str) -> str:
        """Return a TARGET as the dump knows it."""
        return self.redactor.target(text) if self.redactor else text

    def address(self, text: str | None) -> str | None:
        """Return an address, a network or an endpoint as the dump knows it."""
        return self._said(text, lambda redactor: redactor.addresses)

    def interface(self, name: str | None) -> str | None:
        """Return an interface as the dump knows it."""
        return self._said(name, lambda redactor: redactor.names.interface)

    def namespace(self, name: str | None) -> str | None:
        """Return a namespace as the dump knows it."""
        return self._said(name, lambda redactor: redactor.names.namespace)

    def chain(self, name: str | None) -> str | None:
        """Return a chain as the dump knows it."""
        return self._said(name, lambda redactor: redactor.names.chain)

    def mac(self, text: str | None) -> str | None:
        """Return a hardware address as the dump knows it."""
        return self._said(text, lambda redactor: redactor.names.mac)

    def assumption(self, text: str) -> str:
        """Return a condition as the dump's answer states it; raises PacketError where none is worded so."""
        if self.redactor is None:
            return text
        from iptviz.redact.beside import Beside

        return Beside(self.redactor).assumption(text)

    def cluster(self, cluster: ApiCluster) -> ApiCluster:
        """Return a cluster in the words of the dump."""
        if self.redactor is None:
            return cluster
        from iptviz.redact.cluster import ClusterRedactor

        return ClusterRedactor(self.redactor).cluster(cluster)

    def node(self, name: str | None) -> str | None:
        """Return the name of a node as the cluster knows it."""
        from iptviz.redact.cluster import ClusterRedactor

        return self._said(name, lambda redactor: ClusterRedactor(redactor).node)

    def _said(self, text: str | None, change: Callable[[Redactor], Callable[[str], str]]) -> str | None:
        return text if self.redactor is None or text is None else change(self.redactor)(text)


def asked_dump(
    name: str | None,
    reading: Reading,
    family: str | None = None,
    *,
    redact: bool,
    mapping: str | None,
    since: str | None = None,
    names: str | None = None,
    files: Mapping[str, str | None] | None = None,
    candidates: Iterable[Candidate] = (),
    output: str | None = None,
) -> Asked:
    """Return the dump that is meant, in pseudonyms where they are asked for.

    `since` is an older dump, `names` a list of services, `files` are other files by the names of `Beside`'s
    methods; `candidates` are services that may be in the dump; `output` is where the answer will be written.

    Raises:
        DumpError: there is no dump, or a file or the mapping cannot be read.
        OutputError: the mapping cannot be written.
    """
    dump = load_dump(name, reading, family)
    older = load_dump(since, reading, family) if since is not None else None
    if not redact and mapping is None:
        return Asked(dump, None, older, names, files or {})
    from iptviz.dump.model import Dump
    from iptviz.redact.beside import Beside
    from iptviz.supplied.service_names import read_service_names

    listed = [*candidates, *(read_file(names, read_service_names) or ())]
    handed = {kind: read_file(path, Supplied) for kind, path in (files or {}).items()}
    beside = [one.text for one in handed.values() if one] + (
        [bytes(older).decode(errors="replace")] if older else []
    )
    redactor, text = redacted(
        dump, mapping, candidates=listed, beside=beside, output=output, quiet=reading.quiet
    )
    old_text = redactor.other(older) if older else ""
    translate = Beside(redactor)
    translated = {
        kind: one and one._replace(text=getattr(translate, kind)(one.text)) for kind, one in handed.items()
    }
    services = Supplied(translate.services(listed), SOURCE) if names else None
    _keep(mapping, redactor)
    return Asked(
        Dump(text.encode(), SOURCE),
        redactor,
        Dump(old_text.encode(), SOURCE) if older else None,
        services,
        translated,
    )


def redacted(
    dump: Dump,
    mapping: str | None,
    *,
    ports: bool = False,
    candidates: Iterable[Candidate] = (),
    beside: Iterable[str] = (),
    output: str | None = None,
    quiet: bool = False,
) -> tuple[Redactor, str]:
    """Return who redacts a dump, and the dump redacted; the mapping, if one is named, is kept.

    `candidates` are services that may be in the dump; ranges of addresses that are in the texts `beside` stay
    ranges, too; `output` is where the answer will be written.

    Raises:
        DumpError: the mapping cannot be read.
        OutputError: the mapping cannot be written, or would be written where the answer will be.
    """
    from iptviz.redact.dump import Redactor
    from iptviz.redact.mapping import fresh_secrets, read_mapping

    _check_place(mapping, output)
    kept = read_mapping(mapping) if mapping else None
    secrets = kept or fresh_secrets()
    known = tuple(candidates)
    for _ in range(_KEYS):
        redactor = Redactor(dump, secrets, ports=ports, candidates=known, beside=beside)
        text = redactor.text()
        if kept or len(secrets.addresses.known) > _FEW or not secrets.addresses.mistakable():
            break
        secrets = fresh_secrets()
    if (moved := redactor.secrets.addresses.moved()) and not quiet:
        addresses = "1 address has" if moved == 1 else f"{moved:,} addresses have"
        say(
            f"{mapping}: {addresses} another pseudonym than in an earlier dump, since a range holds them here"
        )
    _keep(mapping, redactor)
    return redactor, text


def redacted_sources(result: SourcesResult, mapping: str | None, output: str | None) -> SourcesResult:
    """Return the list of the dumps of a bundle in pseudonyms; the mapping, if one is named, is kept.

    Raises:
        DumpError: the mapping cannot be read.
        OutputError: the mapping cannot be written, or would be written where the answer will be.
    """
    from iptviz.redact.bundle import redacted_bundle
    from iptviz.redact.mapping import fresh_secrets, read_mapping, write_mapping

    _check_place(mapping, output)
    secrets = (read_mapping(mapping) if mapping else None) or fresh_secrets()
    dumps = tuple(redacted_bundle(result.dumps, secrets, SOURCE))
    if mapping:
        write_mapping(mapping, secrets)
    problem = DumpError("something in it cannot be read", where=SOURCE) if result.problem else None
    return result._replace(dumps=dumps, problem=problem)


def _check_place(mapping: str | None, output: str | None) -> None:
    """Raise an error where the mapping has no file of its own."""
    if mapping in {"", "-"}:
        raise OutputError(
            "--map needs the name of a file", hint="it keeps the key, so it must be a secret one"
        )
    if mapping and output and os.path.realpath(mapping) == os.path.realpath(output):
        raise OutputError(
            "--map and -o name the same file", where=mapping, hint="the map is secret; name another"
        )


def _keep(mapping: str | None, redactor: Redactor) -> None:
    from iptviz.redact.mapping import write_mapping

    if mapping:
        write_mapping(mapping, redactor.secrets)
