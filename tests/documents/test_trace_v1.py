"""The JSON `iptviz.trace.v1`: exactly the shapes of the contract, at every target of every fixture."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from math import gcd
from typing import Any

import pytest

import iptviz
from iptviz.kube.frontends import FRONTEND_KINDS
from tests.conftest import FIXTURES
from tests.kubeproxy import numbered, saved

Checker = Callable[[Any], None]

TARGETS = {
    "httpd-service/dump.rules": ("10.97.13.198", "default/httpd-service", "10.244.1.17:80", "10.9.9.9"),
    "httpd-today/dump.rules": (":32123", "KUBE-SVC-EHNHZY2AA2RZYURI", "kube-dns"),
    "httpd-nft/dump.rules": ("10.97.13.198", "10.244.0.2"),
    "httpd-affinity/dump.rules": ("10.97.13.198",),
    "httpd-no-endpoints/dump.rules": ("10.97.13.198", ":32123"),
    "httpd-dual-stack/dump.rules": ("10.97.13.198",),
    "httpd-dual-stack/dump6.rules": ("fd00:10:96::79", "[fd00:10:244:1::17]:80"),
    "policies-old/dump.rules": ("shop", "admin", "away", "10.244.0.7"),
    "policies-today/dump.rules": ("shop", "admin", "away", "203.0.113.30"),
}
ROWS = [(fixture, target) for fixture, targets in TARGETS.items() for target in targets]


def document(fixture: str, target: str) -> Any:
    """Return the document as a reader of the JSON has it."""
    result = iptviz.trace(iptviz.load(FIXTURES / fixture), target)
    return json.loads(json.dumps(result.to_dict(), allow_nan=False))


# --- a language of shapes ----------------------------------------------------------------------------------


def kind(*types: type) -> Checker:
    """Return a checker for a value of exactly one of `types`: True is no number here."""

    def check(value: Any) -> None:
        assert type(value) in types, value

    return check


def one_of(*values: object) -> Checker:
    def check(value: Any) -> None:
        assert value in values

    return check


def or_null(inner: Checker) -> Checker:
    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def many(inner: Checker) -> Checker:
    def check(value: Any) -> None:
        assert isinstance(value, list)
        for item in value:
            inner(item)

    return check


def fields(may: dict[str, Checker] | None = None, /, **must: Checker) -> Checker:
    """Return a checker for an object with all fields of `must`, perhaps those of `may`, and no others."""
    known = must | (may or {})

    def check(value: Any) -> None:
        assert isinstance(value, dict)
        assert set(must) <= set(value) <= set(known), sorted(value)
        for name, inner in value.items():
            known[name](inner)

    return check


text, number, flag = kind(str), kind(int), kind(bool)
SHARE: dict[str, Checker] = {"probability": kind(float), "exact": text}
SERVICE = fields(namespace=text, name=text, port_name=text, named_by=one_of("comment", "hash", "none"))
FRONTEND = fields(
    kind=one_of(*FRONTEND_KINDS),
    address=or_null(text),
    port=number,
    protocol=one_of("tcp", "udp", "sctp"),
    line=number,
    addresses=or_null(fields({"only": many(text), "not": many(text)})),
)
CONDITION = fields(text=text, kind=text, value=text, values=many(text), since=or_null(number), holds=flag)
MASQUERADE = fields(
    {"all": many(CONDITION)},
    text=text,
    kind=text,
    value=or_null(text),
    values=many(text),
    since=or_null(number),
    holds=flag,
    line=number,
)
ENDPOINT = fields(
    address=text,
    port=number,
    chain=text,
    lines=many(number),
    counters=or_null(fields(packets=number, bytes=number)),
    rule_counters=or_null(fields(packets=number, bytes=number)),
    rule_chance=fields(**SHARE),
    hairpin_line=or_null(number),
    **SHARE,
)
OUTCOME: dict[str, Checker] = {
    "when": many(CONDITION),
    "endpoints": many(ENDPOINT),
    "leftover": fields(**SHARE),
    "verdict": or_null(
        fields({"text": text, "with": or_null(text)}, kind=one_of("REJECT", "DROP"), line=number)
    ),
    "masquerade": many(MASQUERADE),
}
DECIDER = fields(table=text, chain=text, rule=or_null(number), line=or_null(number), text=text, others=number)
OUTCOME_WORD = one_of("ACCEPT", "DROP", "REJECT", "QUEUE", "STOLEN", "LOCAL", "UNKNOWN")
PATH_ENDPOINT = fields(
    address=text,
    port=or_null(number),
    when=many(CONDITION),
    outcome=OUTCOME_WORD,
    by=or_null(DECIDER),
    snat=or_null(text),
    snat_by=or_null(DECIDER),
    reply=or_null(OUTCOME_WORD),
    reply_by=or_null(DECIDER),
    **SHARE,
)
PATH = fields(
    clients=many(text),
    when=many(CONDITION),
    untracked=flag,
    endpoints=many(PATH_ENDPOINT),
    leftover=many(fields(when=many(CONDITION), outcome=OUTCOME_WORD, by=or_null(DECIDER), to=text, **SHARE)),
    reaching=fields(at_least=fields(**SHARE), at_most=fields(**SHARE)),
)
FINDING = fields(
    id=text,
    severity=one_of("critical", "high", "medium", "low", "info"),
    certainty=one_of("certain", "if-complete"),
    message=text,
    service=or_null(SERVICE),
    evidence=many(fields(line=number, text=text)),
    evidence_left_out=number,
    count=number,
    why=text,
    advice=text,
)
TRACE = fields(
    schema=one_of("iptviz.trace.v1"),
    dump=fields(
        source=text,
        family=one_of("ipv4", "ipv6"),
        tool=or_null(text),
        backend=one_of("legacy", "nf_tables", None),
        mode=one_of("iptables", "ipvs", "userspace", None),
        tables=many(text),
        rules=number,
        complete=flag,
    ),
    target=text,
    services=many(
        fields(
            {"target_share": fields(**SHARE), "observed": many(kind(dict))},
            service=SERVICE,
            frontend=FRONTEND,
            chain=or_null(text),
            session_affinity=or_null(fields(seconds=number)),
            cases=many(fields(**OUTCOME)),
            also=many(FRONTEND),
            paths=many(PATH),
            assumed=many(CONDITION),
            **OUTCOME,
        )
    ),
    notes=many(text),
    findings=many(FINDING),
)


def outcomes(found: Any) -> list[Any]:
    """Return the usual outcome and the cases of every service."""
    return [outcome for one in found["services"] for outcome in (one, *one["cases"])]


@pytest.mark.parametrize(("fixture", "target"), ROWS)
def test_the_document_has_the_shapes_of_the_contract(fixture: str, target: str) -> None:
    TRACE(document(fixture, target))


def shares_in(value: Any) -> list[Any]:
    """Return every object of a document that gives a probability."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and "exact" in value else []
    return own + [share for part in inner for share in shares_in(part)]


@pytest.mark.parametrize(("fixture", "target"), [row for row in ROWS if row[1] != "10.9.9.9"])
def test_a_probability_is_given_twice_and_in_lowest_terms(fixture: str, target: str) -> None:
    shares = shares_in(document(fixture, target))
    assert shares
    for share in shares:
        numerator, denominator = map(int, share["exact"].split("/"))
        assert gcd(numerator, denominator) == 1
        assert 0 <= numerator <= denominator
        assert share["probability"] == numerator / denominator


@pytest.mark.parametrize(("fixture", "target"), ROWS)
def test_shares_and_leftover_sum_to_one(fixture: str, target: str) -> None:
    for outcome in outcomes(document(fixture, target)):
        shares = [Fraction(part["exact"]) for part in (*outcome["endpoints"], outcome["leftover"])]
        assert sum(shares) == 1


@pytest.mark.parametrize(("fixture", "target"), ROWS)
def test_lines_are_the_lines_of_the_dump(fixture: str, target: str) -> None:
    lines = (FIXTURES / fixture).read_text().splitlines()
    for end in (end for outcome in outcomes(document(fixture, target)) for end in outcome["endpoints"]):
        jump, dnat = (lines[number - 1] for number in end["lines"])
        address = f"[{end['address']}]" if ":" in end["address"] else end["address"]
        assert jump.endswith(f"-j {end['chain']}")
        assert f"-A {end['chain']} " in dnat
        assert dnat.endswith(f"-j DNAT --to-destination {address}:{end['port']}")


@pytest.mark.parametrize("fixture", TARGETS)
def test_counters_are_those_of_the_dnat_rule_where_the_dump_has_them(fixture: str) -> None:
    lines = (FIXTURES / fixture).read_text().splitlines()
    for end in (end for target in TARGETS[fixture] for end in endpoints(fixture, target)):
        counted = re.match(r"\[(\d+):(\d+)\] ", lines[end["lines"][1] - 1])
        expected = counted and {"packets": int(counted[1]), "bytes": int(counted[2])}
        assert end["counters"] == expected


def test_the_fixture_with_counters_counts_a_thousand_connections() -> None:
    packets = [end["counters"]["packets"] for end in endpoints("httpd-nft/dump.rules", "10.97.13.198")]
    assert sum(packets) == 1000


def endpoints(fixture: str, target: str) -> list[Any]:
    """The endpoints of all services of a document."""
    return [end for one in document(fixture, target)["services"] for end in one["endpoints"]]


def test_an_endpoint_asked_for_has_its_share() -> None:
    for one in document("httpd-today/dump.rules", "10.244.1.17:80")["services"]:
        assert one["target_share"] == {"probability": 0.25, "exact": "1/4"}


def test_a_target_that_is_not_there_has_no_services_but_notes() -> None:
    found = document("httpd-service/dump.rules", "10.9.9.9")
    assert (found["services"], found["notes"][0]) == ([], 'no service matches "10.9.9.9" in this dump')


@pytest.mark.unmeasured
def test_six_hundred_endpoints_have_exact_shares_too() -> None:
    dump = iptviz.load(saved(numbered(1, 600)).encode())
    printed = json.dumps(iptviz.trace(dump, "10.96.1.0").to_dict())
    # Reading such long numbers back is for the reader to allow; writing them must just work.
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        (one,) = json.loads(printed)["services"]
        assert sum(Fraction(part["exact"]) for part in (*one["endpoints"], one["leftover"])) == 1
    finally:
        sys.set_int_max_str_digits(limit)
