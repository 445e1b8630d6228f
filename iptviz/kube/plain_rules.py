"""Rules about one port, perhaps of one address, as kube-proxy writes nearly all: they need not be taken apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.kube.comments import read_comment
from iptviz.kube.families import NODE_PORTS
from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.records import NamedTuple
from iptviz.xtables.values.protocols import LAST_PORT

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule

_PLAIN = re.compile(
    r"-A (?P<chain>[A-Z-]++) (?:! -s (?P<source>\S++) )?(?:-d (?P<address>[0-9.]++)/32 )?"
    r'-p (?P<protocol>tcp|udp|sctp) (?:-m comment --comment (?:"(?P<quoted>[^"\\]*+)"|(?P<word>[^"\s]++)) )?'
    r"-m (?:tcp|udp|sctp) --dport (?P<port>[1-9][0-9]{0,4}) -j (?:(?=REJECT )|(?!\S++ ))(?P<target>[A-Z0-9-]++)"
    r"(?: --reject-with \S++)?"
)


class PlainRule(NamedTuple):
    """What such a rule says; `source` is the one that it excludes.

    `service` is the service port that its comment names, `frontend` the kind of frontend that this tells of,
    empty where it tells of none.
    """

    chain: str
    source: str | None
    address: str | None
    port: int
    protocol: str
    target: str
    service: ServiceName
    frontend: str


def plain_rule(rule: Rule) -> PlainRule | None:
    """Return what a rule of a dispatching chain says, None where it has to be taken apart for that."""
    found = _PLAIN.fullmatch(rule.text)
    if found is None:
        return None
    chain, source, address, protocol, quoted, word, digits, target = found.groups()
    port = int(digits)
    if port > LAST_PORT or (address and chain == NODE_PORTS):
        return None
    comment = read_comment(word or quoted)
    service, frontend = (comment.service, comment.form.frontend) if comment else (NAMELESS, "")
    return PlainRule(chain, source, address, port, protocol, target, service, frontend)
