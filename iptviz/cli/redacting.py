"""A node, or a list of what a bundle holds, in pseudonyms, with the mapping that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError
from iptviz.progress import nobody
from iptviz.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.cli.options import Options
    from iptviz.node.snapshot import Snapshot
    from iptviz.progress import Progress
    from iptviz.questions.sources import SourcesResult
    from iptviz.redact.pseudonyms import Pseudonyms
    from iptviz.redact.secrets import Secrets
    from iptviz.supplied.service_names import Candidate

_KEYS = 8
"""So many random keys are tried until no pseudonym is an address of the dump, which would look like a leak."""

_FEW = 10_000
"""Among more addresses than that, some pseudonyms are addresses of others with nearly every key."""


def redacted(node: Snapshot, options: Options, *, ports: bool = False, progress: Progress = nobody) -> str:
    """Return a node's dump redacted, and what nft printed of tables that it does not show.

    The mapping, if one is named, is kept.

    Raises:
        DumpError: the mapping, or a listing, cannot be read.
        OutputError: the mapping cannot be written.
    """
    from iptviz.node.listing import chosen
    from iptviz.redact.lock import locked

    if not node.dumps and node.nothing:
        raise node.nothing
    listed = [listing.piece.file.text for listing, _ in chosen(node.listings)]
    if node.dumps and not any(node.listing(family) for family in _FAMILIES):
        listed = []
    with locked(options.mapping):
        pseudonyms, text = redacted_node(node, options, ports=ports, progress=progress)
        written = [pseudonyms.listing(one) for one in listed]
        keep(options.mapping, pseudonyms)
    if text is None:
        return "".join(written)
    return "".join((text, *(_LISTED + one.lstrip("\n") for one in written)))


_FAMILIES = ("ipv4", "ipv6")
_LISTED = "# nft list ruleset\n"
"""What stands above a listing of nft below a dump: who reads both goes by it."""


def redacted_node(
    node: Snapshot,
    options: Options,
    *,
    ports: bool = False,
    candidates: Iterable[Candidate] = (),
    beside: Iterable[str] = (),
    form_told: bool = False,
    progress: Progress,
) -> tuple[Pseudonyms, str | None]:
    """Return the pseudonyms of a node, and its dump redacted if it has one, with a mapping that is locked.

    `candidates` are services that may be in the dump; ranges of addresses that are in the texts `beside` stay
    ranges, too. `form_told` is whether who reads the text is told of what form the original is.
    """
    from iptviz.redact.mapping import fresh_secrets

    mapping = options.mapping
    kept = _kept(options)
    secrets = kept or fresh_secrets()
    services = tuple(candidates)
    for _ in range(_KEYS):
        progress("replacing names", None)
        pseudonyms, text = _written(
            node,
            secrets,
            ports=ports,
            candidates=services,
            beside=beside,
            form_told=form_told,
            progress=progress,
        )
        if kept or len(secrets.addresses.known) > _FEW or not secrets.addresses.mistakable():
            break
        secrets = fresh_secrets()
    if (moved := pseudonyms.secrets.addresses.moved()) and not options.quiet:
        addresses = "1 address has" if moved == 1 else f"{moved:,} addresses have"
        say(
            f"{mapping}: {addresses} another pseudonym than in an earlier dump, because a range contains them"
        )
    keep(mapping, pseudonyms)
    return pseudonyms, text


def _written(
    node: Snapshot, secrets: Secrets, *, form_told: bool, progress: Progress, **told: Any
) -> tuple[Pseudonyms, str | None]:
    """Return the pseudonyms of a node and its first dump in them; where it has none, its listings are."""
    from iptviz.redact.dump import Redactor
    from iptviz.redact.pseudonyms import Pseudonyms
    from iptviz.redact.snapshot import listings_of

    listings = listings_of(node)
    if node.dumps:
        redactor = Redactor(node.dump, secrets, listings=listings, **told)
        return redactor, redactor.text(form_told=form_told, progress=progress)
    pseudonyms = Pseudonyms(None, secrets, listings=listings, **told)
    for listing in listings:
        pseudonyms.listing(listing)
    return pseudonyms, None


def redacted_sources(result: SourcesResult, options: Options) -> SourcesResult:
    """Return the list of the dumps of a bundle in pseudonyms; the mapping, if one is named, is kept.

    Raises:
        DumpError: the mapping cannot be read.
        OutputError: the mapping cannot be written.
    """
    from iptviz.questions.sources import SourcesResult, listings_in
    from iptviz.redact.bundle import redacted_bundle, redacted_evidence
    from iptviz.redact.lock import locked
    from iptviz.redact.mapping import fresh_secrets, write_mapping
    from iptviz.redact.snapshot import SOURCE

    mapping = options.mapping
    with locked(mapping):
        secrets = _kept(options) or fresh_secrets()
        dumps = tuple(redacted_bundle(result.dumps, secrets, SOURCE))
        evidence = tuple(redacted_evidence(result.evidence, secrets, SOURCE))
        nodes = {
            number: name and f"node-{secrets.word('node', name)}" for number, name in result.nodes.items()
        }
        if mapping:
            write_mapping(mapping, secrets)
    problem = DumpError("something in it cannot be read", where=SOURCE)
    problems = (problem,) * bool(result.problems)
    return SourcesResult(dumps, evidence, problems, nodes, listings_in(evidence))


def _kept(options: Options) -> Secrets | None:
    """Return what the mapping keeps: None where there is none yet.

    One that others could read is used all the same: who has it knows the key already, and what is written closes
    it. Its owner is told.
    """
    from iptviz.redact.mapping import mode_for_others, read_mapping

    mapping = options.mapping
    kept = read_mapping(mapping) if mapping else None
    if mapping and kept and not options.quiet and (mode := mode_for_others(mapping)):
        say(
            f"WARNING {mapping}: mode {mode} let others read the key, now 0600; "
            "who read it can undo the redaction"
        )
    return kept


def keep(mapping: str | None, pseudonyms: Pseudonyms) -> None:
    """Write the pseudonyms to the mapping, if one is named."""
    from iptviz.redact.mapping import write_mapping

    if mapping:
        write_mapping(mapping, pseudonyms.secrets)
