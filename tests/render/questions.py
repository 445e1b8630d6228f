"""Every question, asked of a dump that holds the same words wherever somebody else may choose a text."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

import iptviz
from iptviz.cluster.api import read_cluster
from iptviz.fleets.differing import Rightly
from iptviz.fleets.summary import Unreadable
from iptviz.intake.remark import remark
from iptviz.kube.names import ServiceName
from iptviz.questions.explain_finding import explain
from iptviz.questions.report import report
from iptviz.questions.verify import verify_cluster
from tests.view.made_fleets import facts, fleet_of, odd

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.fleets.differing import FleetId
    from iptviz.intake.remark import Values

RULES = """\
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT {name} [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:{name} - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-{name} - [0:0]
:KUBE-SVC-{name} - [0:0]
:ports-{name} - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j lost-{name}
-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "a/b:c cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -d 10.0.0.3/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-{name}
-A KUBE-SVC-A -i {name} -m comment --comment "{quoted}" -j {name}
-A KUBE-SVC-A -m set --match-set {name} src -j KUBE-SEP-{name}
-A KUBE-SVC-{name} -j KUBE-SEP-{name}
-A {name} -j KUBE-SEP-A
-A KUBE-SEP-A -p tcp -m comment --comment "{quoted}" -m tcp -j DNAT --to-destination 10.244.0.5:80
-A KUBE-SEP-{name} -p tcp -m comment --comment "{quoted}" -m tcp -j DNAT --to-destination 10.244.0.6:80
-A ports-{name} -p tcp -m tcp --dport 8080 -m comment --comment "{quoted}" -j DNAT --to-destination 10.244.0.7:80
COMMIT
*filter
:FORWARD ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:{name} - [0:0]
-A FORWARD -m comment --comment "{quoted}" -j LOG --log-prefix {name}
-A FORWARD -d 10.244.0.5/32 -g {name}
-A {name} -m comment --comment "{quoted}" -j REJECT --reject-with {name}
-A KUBE-SERVICES -d 10.0.0.2/32 -p tcp -m comment --comment "{quoted}" -m tcp --dport 80 -j REJECT
COMMIT
"""
TARGETS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
"""A service of whose chains one has the name, one that a rule with the comment refuses, one without a name."""


class Words(NamedTuple):
    """What is put where: `name` is one word of a rule, `comment` one line, `file` and `free` are anything.

    `inside` is the path of a file in a bundle, of which iptviz.source.unpack keeps what prints.
    """

    name: str
    comment: str
    inside: str
    file: str
    free: str

    @property
    def quoted(self) -> str:
        """The comment as iptables-save writes it."""
        return re.sub(r"([\"'\\])", r"\\\1", self.comment)


MARKS = Words("Zname", "Z comment", "Zinside", "Zfile", "Zfree")
"""Words that mean nothing anywhere; iptables-save writes a comment with a blank in quotes, as it does any other."""


def hostile(text: str) -> Words:
    """Return `text` as each of the words."""
    line = text.replace("\n", " ").replace("\0", "")  # a dump has no others, see iptviz.intake
    name = re.sub(r"\s", "_", line).replace('"', "'")  # a word: a bare quote would open a quoted stretch
    inside = "".join(sign for sign in text if sign.isprintable() and sign != "/") or "-"
    return Words(name, line, inside, text, text)


def dump_of(words: Words) -> iptviz.Dump:
    text = RULES.format(name=words.name, quoted=words.quoted)
    return iptviz.Dump(text.encode("utf-8", "surrogateescape"), words.file)


def _traces(words: Words) -> list[Any]:
    return [iptviz.trace(dump_of(words), target, since=dump_of(words)) for target in TARGETS]


def _packets(words: Words) -> list[Any]:
    dump, asked = (
        dump_of(words),
        {"protocol": "tcp", "dport": 80, "in_iface": f"i{words.free}", "mac": words.free},
    )
    assume = [f"packet is not in ipset {words.name}"]
    return [
        iptviz.packet(dump, dst="10.0.0.1", **asked, explain=True),  # type: ignore[arg-type]
        iptviz.packet(dump, dst="10.0.0.1", **asked, assume=assume),  # type: ignore[arg-type]
        iptviz.packet(dump, dst="10.244.0.5", **asked),  # type: ignore[arg-type]
    ]


def _graphs(words: Words) -> list[Any]:
    return [iptviz.graph(dump_of(words)), iptviz.graph(dump_of(words), around=words.name)]


def _services(words: Words) -> list[Any]:
    return [iptviz.services(dump_of(words), published=True)]


def _diffs(words: Words) -> list[Any]:
    """Two dumps: a service, rules and an endpoint of one are not those of the other."""
    # What is compared has quotes where it needs them, so that a prefix that may need them is left out; a policy
    # that cannot be read leaves open what differs.
    text = re.sub(r" --log-prefix \S+", "", bytes(dump_of(words)).decode("utf-8", "surrogateescape"))
    text = text.replace(f":OUTPUT {words.name} ", ":OUTPUT ACCEPT ")
    old = iptviz.Dump(text.encode("utf-8", "surrogateescape"), words.file)
    kept = "\n".join(line for line in text.split("\n") if "-d 10.0.0.2/32" not in line)
    changed = kept.replace("-A FORWARD -m comment", "-A FORWARD -p tcp -m comment")
    changed = changed.replace("10.244.0.5:80", "10.244.0.9:80")
    new = iptviz.Dump(changed.encode("utf-8", "surrogateescape"), words.file)
    return [
        iptviz.diff(old, new),
        iptviz.diff(new, old, services_only=True),
        iptviz.diff(old, new, packet=f"{TARGETS[1]} {TARGETS[0]} tcp 80"),
        iptviz.diff(old, new, equivalent=True),
    ]


def _verified(words: Words) -> list[Any]:
    ports = [{"name": words.free, "port": 80}]
    spec = {"clusterIP": "10.0.0.9", "ports": ports, "internalTrafficPolicy": words.free}
    named = {"namespace": words.free, "name": words.free}
    proxied = {**named, "labels": {"service.kubernetes.io/service-proxy-name": words.free}}
    known = {"namespace": "a", "name": "b"}
    hints = {"addresses": ["10.244.0.9"], "hints": {"forZones": [{"name": words.free}]}}
    items = [
        {"kind": "Service", "metadata": named, "spec": spec},
        {"kind": "Service", "metadata": proxied, "spec": spec},
        {"kind": "Service", "metadata": known, "spec": {**spec, "ports": [{"name": "c", "port": 80}]}},
        {
            "kind": "EndpointSlice",
            "metadata": {"namespace": "a", "labels": {"kubernetes.io/service-name": "b"}},
            "ports": [{"name": "c", "port": 80}],
            "endpoints": [hints],
        },
    ]
    cluster = read_cluster([(json.dumps({"kind": "List", "items": items}), words.free)])
    return [verify_cluster(dump_of(words), cluster, node=words.free)]


def _checked(words: Words) -> list[Any]:
    return [iptviz.check(dump_of(words))]


def _explained(_words: Words) -> list[Any]:
    return [explain(), explain("no-endpoints"), explain("conditions")]


def _sources(words: Words) -> list[Any]:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
        data = bytes(dump_of(words))
        info = tarfile.TarInfo(words.inside)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    held.seek(0)
    held.name = words.file
    return [iptviz.sources(held)]


def _reports(words: Words) -> list[Any]:
    return [report(dump_of(words), TARGETS)]


def _fleets(words: Words) -> list[Any]:
    """Three nodes, of which one says everything otherwise, and a file that cannot be read."""
    nodes = [facts(words.free, source=words.file, cnis=(words.name,)), facts("b", era="x"), facts("c")]
    named = ServiceName(words.name, words.comment, words.free, "comment")
    about: dict[FleetId, Values] = {
        "endpoint-extra": (), "service-missing": (), "share-differs": (),
        "property-differs": (("what", words.free), ("here", words.comment), ("elsewhere", words.name)),
    }  # fmt: skip
    findings = [
        odd(what, [0], 3, 1, words.free)._replace(service=named, values=values)
        for what, values in about.items()
    ]
    findings += [odd("mode-differs", [0], 3, here=words.name, elsewhere="x")]
    findings += [odd("hostport-gone", [0], 3, ports=(words.free,))]
    return [
        fleet_of(
            nodes,
            findings,
            unreadable=(Unreadable(words.file, words.free),),
            notes=(remark("fleet-name-twice", names=(words.free,)),),
            rightly=(Rightly(words.free, 2),),
        )
    ]


QUESTIONS: dict[str, Callable[[Words], list[Any]]] = {
    "trace": _traces,
    "packet": _packets,
    "graph": _graphs,
    "services": _services,
    "diff": _diffs,
    "verify": _verified,
    "fleet": _fleets,
    "check": _checked,
    "explain": _explained,
    "sources": _sources,
    "report": _reports,
}
"""Answers to each question, which together have the words wherever that question can show them."""

OF_NO_DUMP = {"explain"}
"""Questions whose answers have none of the words."""

WITHOUT_PSEUDONYMS = {*OF_NO_DUMP, "fleet"}
"""The commands that cannot hide names: of no dump, or of more dumps than one key is made for."""
