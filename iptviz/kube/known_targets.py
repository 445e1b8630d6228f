"""What may be typed as TARGET: names, addresses and node ports of services, as dispatching rules tell them.

It is for who types, and waits: rules are searched for words, and none is taken apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.kube.comments import service_of_comment
from iptviz.kube.dispatching import dispatching_rules
from iptviz.kube.families import NODE_PORTS
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.kube.names import ServiceName

_COMMENT = re.compile(r'--comment (?:"(?P<quoted>[^"\\]*+)"|(?P<bare>[^\s"\\]++))')
_ADDRESS = re.compile(r"(?<!!) -d (?P<address>[^\s/]++)(?:/32|/128)?(?=\s)")
_PORT = re.compile(r" --dport (?P<port>\d++)(?=\s)")
_WORD = re.compile(r"[A-Za-z0-9._:/\[\]+@-]++")
"""What is offered: what a dump says is not trusted, and a shell will read it."""


def known_targets(dump: Dump, begun: str) -> list[str]:
    """Return what may be typed as TARGET and begins with what is typed already, each once.

    Chains are many, and offered only to who has begun with a capital.
    """
    if begun[:1].isupper():
        nat = dump.tables.get("nat")
        return known_chains([nat] if nat else [], begun)
    found = dict.fromkeys(_of_services(dump, begun))
    return [text for text in found if text.startswith(begun) and _WORD.fullmatch(text)]


def known_chains(tables: Iterable[Table], begun: str) -> list[str]:
    """Return the names of all chains that begin with what is typed, each once."""
    found = (name for table in tables for name in table.chains if name.startswith(begun))
    return [name for name in dict.fromkeys(found) if _WORD.fullmatch(name)]


def known_namespaces(dump: Dump) -> list[str]:
    """Return the namespaces that comments of dispatching rules name, each once."""
    names = (_service(rule.text) for rule in dispatching_rules(dump))
    return list(dict.fromkeys(name.namespace for name in names if name))


def _of_services(dump: Dump, begun: str) -> Iterator[str]:
    """Yield names first, then addresses and node ports, of the rules in which stands what is typed."""
    rules = list(dispatching_rules(dump, begun.lstrip("[:").partition(":")[0].rstrip("]")))
    for rule in rules:
        yield from _names(rule.text)
    for rule in rules:
        if (port := _PORT.search(rule.text)) is None:
            continue
        if address := _ADDRESS.search(rule.text):
            yield join_endpoint(address["address"], int(port["port"]))
        elif rule.chain == NODE_PORTS:
            yield f":{int(port['port'])}"


def _names(rule: str) -> Iterator[str]:
    """Yield the service that a rule's comment names, alone and with its namespace and port."""
    service = _service(rule)
    if service is not None:
        yield f"{service.namespace}/{service.name}"
        yield service.text
        yield service.name


def _service(rule: str) -> ServiceName | None:
    comment = _COMMENT.search(rule)
    return service_of_comment(comment["quoted"] or comment["bare"]) if comment else None
