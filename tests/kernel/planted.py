"""Rules of other programs, planted at random among those of kube-proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.site import AWAY, OUTSIDE, PODS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from tests.kernel.site import Site

HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


class Among(NamedTuple):
    """What planted rules may name: the node's place, who comes, the frontends' addresses, the endpoints'."""

    dice: random.Random
    site: Site
    clients: Sequence[str]
    frontends: Sequence[tuple[str, int]]
    endpoints: Sequence[tuple[str, int]]
    protocol: str = "tcp"

    def client(self) -> str:
        return self.dice.choice([*self.clients, self.site.pods, "198.51.100.0/24"])

    def frontend(self) -> tuple[str, int]:
        return self.dice.choice(self.frontends)

    def endpoint(self) -> tuple[str, int]:
        return self.dice.choice(self.endpoints)

    def link(self) -> str:
        return self.site.interfaces[self.dice.choice([OUTSIDE, PODS, AWAY])]

    def limit(self, chain: str = "PREROUTING") -> str:
        """Which packets a rule is about: most rules are about some."""
        address, port = self.frontend()
        ways = [f"-s {self.client()}", f"! -s {self.client()}", f"-d {address}", f"-p {self.protocol}", ""]
        ways += [f"-p {self.protocol} --dport {port}"] * 2
        if chain in {"PREROUTING", "INPUT", "FORWARD"}:
            ways += [f"-i {self.link()}"] * 2
        if chain in {"OUTPUT", "POSTROUTING", "FORWARD"}:
            ways += [f"-o {self.link()}", f"-d {self.endpoint()[0]}"]
        return self.dice.choice(ways)

    def refuse(self, match: str) -> str:
        """Return packets that match and what refuses them."""
        resets = ["REJECT --reject-with tcp-reset"] if "-p tcp" in match else []
        return f"{match} -j {self.dice.choice(['DROP', 'DROP', 'REJECT', *resets])}"


class Change(NamedTuple):
    """A rule for the top or the end of a chain, or a policy, or lines that are taken away."""

    table: str = "filter"
    first: str = ""
    last: str = ""
    policy: str = ""
    without: str = ""


def _policy(among: Among) -> Change:
    return Change(policy=among.dice.choice(["FORWARD", "FORWARD", "INPUT", "OUTPUT"]))


def _policy_with_answers(among: Among) -> Change:
    chain = among.dice.choice(["FORWARD", "INPUT", "OUTPUT"])
    known = f"-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    return Change(policy=chain, first=known, last=f"-A {chain} {among.limit(chain)} -j ACCEPT")


def _early_drop(among: Among) -> Change:
    table, chain = among.dice.choice([
        ("raw", "PREROUTING"), ("raw", "OUTPUT"), ("mangle", "PREROUTING"), ("mangle", "FORWARD"),
        ("mangle", "INPUT"), ("mangle", "OUTPUT"), ("mangle", "POSTROUTING"),
    ])  # fmt: skip
    return Change(table, first=f"-A {chain} {among.limit(chain)} -j DROP")


def _filter(among: Among) -> Change:
    chain = among.dice.choice(["FORWARD", "FORWARD", "INPUT", "OUTPUT"])
    rule = f"-A {chain} {among.refuse(among.limit(chain))}"
    return Change(first=rule) if among.dice.random() < 0.7 else Change(last=rule)


def _filter_new(among: Among) -> Change:
    chain = among.dice.choice(["FORWARD", "INPUT", "OUTPUT"])
    states = among.dice.choice(["NEW", "NEW", "ESTABLISHED", "DNAT", "NEW,ESTABLISHED", "INVALID"])
    return Change(first=f"-A {chain} {among.refuse(f'{among.limit(chain)} -m conntrack --ctstate {states}')}")


def _answers(among: Among) -> Change:
    """Drop what an endpoint answers."""
    address, port = among.endpoint()
    chain = among.dice.choice(["FORWARD", "FORWARD", "INPUT"])
    more = among.dice.choice(["", f"-p {among.protocol} --sport {port}", f"-i {among.link()}"])
    return Change(first=f"-A {chain} -s {address} {more} -j {among.dice.choice(['DROP', 'REJECT'])}")


def _answers_early(among: Among) -> Change:
    table, chain = among.dice.choice([("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "FORWARD")])
    return Change(table, first=f"-A {chain} -s {among.endpoint()[0]} -j DROP")


def _to_endpoint(among: Among) -> Change:
    address, port = among.endpoint()
    chain = among.dice.choice(["FORWARD", "FORWARD", "OUTPUT"])
    more = among.dice.choice(["", f"-p {among.protocol} --dport {port}", f"-s {among.client()}"])
    return Change(first=f"-A {chain} {among.refuse(f'-d {address} {more}')}")


def _nat_first(among: Among) -> Change:
    chain = among.dice.choice(["PREROUTING", "PREROUTING", "OUTPUT"])
    return Change(
        "nat", first=f"-A {chain} {among.limit(chain)} -j {among.dice.choice(['ACCEPT', 'RETURN'])}"
    )


def _nat_other(among: Among) -> Change:
    """Send a frontend's connections to somebody else before kube-proxy is asked."""
    address, port = among.frontend()
    chain = among.dice.choice(["PREROUTING", "OUTPUT"])
    to = among.dice.choice([among.endpoint()[0], "198.51.100.200"])
    match = among.dice.choice([f"-d {address} ", ""])
    return Change(
        "nat",
        first=f"-A {chain} {match}-p {among.protocol} --dport {port} -j DNAT --to-destination {to}:8080",
    )


def _source(among: Among) -> Change:
    to = among.dice.choice(["MASQUERADE", "MASQUERADE", "SNAT --to-source 192.168.1.77"])
    pods = among.site.pods
    limit = among.dice.choice([
        "", f"-s {pods} ! -d {pods}", f"-o {among.link()}", f"-d {among.endpoint()[0]}", f"-s {among.client()}",
        f"! -s {pods} -d {pods}",
    ])  # fmt: skip
    rule = f"-A POSTROUTING {limit} -j {to}"
    return among.dice.choice([Change("nat", first=rule), Change("nat", last=rule)])


def _spared(among: Among) -> Change:
    """Take packets out of POSTROUTING before they are masqueraded."""
    limit = among.limit("POSTROUTING")
    return Change("nat", first=f"-A POSTROUTING {limit} -j {among.dice.choice(['ACCEPT', 'RETURN'])}")


def _untracked(among: Among) -> Change:
    chain = among.dice.choice(["PREROUTING", "OUTPUT"])
    address, port = among.frontend()
    limit = among.dice.choice([f"-d {address} -p {among.protocol} --dport {port}", among.limit(chain)])
    return Change("raw", first=f"-A {chain} {limit} -j NOTRACK")


def _returns(among: Among) -> Change:
    target = among.dice.choice(["RETURN", "RETURN", "ACCEPT"])
    return Change("nat", first=f"-A KUBE-SERVICES {among.limit('')} -j {target}")


def _marks(among: Among) -> Change:
    table, chain = among.dice.choice([
        ("mangle", "PREROUTING"), ("mangle", "FORWARD"), ("mangle", "OUTPUT"), ("nat", "PREROUTING"),
        ("mangle", "POSTROUTING"), ("nat", "POSTROUTING"), ("nat", "OUTPUT"),
    ])  # fmt: skip
    bits = among.dice.choice(["0x4000/0x4000", "0x0/0x4000", "0x0/0xffffffff", "0x8000/0x8000", "0x1/0xff"])
    return Change(table, first=f"-A {chain} {among.limit(chain)} -j MARK --set-xmark {bits}")


def _missing(among: Among) -> Change:
    return Change(without=among.dice.choice([
        "-A PREROUTING .*-j KUBE-SERVICES", "-A OUTPUT .*-j KUBE-SERVICES", "-A POSTROUTING .*-j KUBE-POSTROUTING",
        "-A FORWARD .*-j KUBE-FORWARD", "-A KUBE-MARK-MASQ .*", "-A KUBE-POSTROUTING .*-j MASQUERADE.*",
        "-A KUBE-FORWARD .*ESTABLISHED.*", "-A KUBE-SERVICES .*-j KUBE-NODEPORTS",
    ]))  # fmt: skip


def _chance(among: Among) -> Change:
    chain = among.dice.choice(["FORWARD", "INPUT", "OUTPUT"])
    return Change(
        first=f"-A {chain} -m conntrack --ctstate NEW -m statistic --mode random --probability 0.5 -j DROP"
    )


PLANTS: tuple[Callable[[Among], Change], ...] = (
    _policy, _policy_with_answers, _early_drop, _filter, _filter, _filter_new, _answers, _answers_early,
    _to_endpoint, _nat_first, _nat_other, _source, _source, _spared, _untracked, _returns, _marks, _missing, _chance,
)  # fmt: skip


def planted(text: str, changes: Sequence[Change]) -> str:
    """Return the text of a dump with the changes made to it."""
    for change in changes:
        if change.without:
            text = re.sub(rf"^{change.without}\n", "", text, flags=re.MULTILINE)
        if change.policy:
            text = _with_table(text, change.table)
            head, body = text.split(f"*{change.table}\n", 1)
            body = re.sub(
                rf"^:{change.policy} ACCEPT", f":{change.policy} DROP", body, count=1, flags=re.MULTILINE
            )
            text = f"{head}*{change.table}\n{body}"
        for rule, is_first in ((change.first, True), (change.last, False)):
            if rule:
                text = _with_rule(_with_table(text, change.table), change.table, rule, is_first=is_first)
    return text


def nothing(table: str) -> str:
    """Return a table that has no rules."""
    return f"*{table}\n" + "".join(f":{hook} ACCEPT [0:0]\n" for hook in HOOKS[table]) + "COMMIT\n"


def _with_table(text: str, table: str) -> str:
    return text if f"*{table}\n" in text else nothing(table) + text


def _with_rule(text: str, table: str, rule: str, *, is_first: bool) -> str:
    """Put a rule before all of its table, or behind all."""
    head, body = text.split(f"*{table}\n", 1)
    end = body.index("COMMIT\n")
    first = body.find("-A ")
    at = end if not is_first or not 0 <= first < end else first
    return f"{head}*{table}\n{body[:at]}{rule}\n{body[at:]}"
