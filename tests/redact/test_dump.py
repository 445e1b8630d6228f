"""A redacted dump: the same structure and shares, and nothing of the original left in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.era import era_remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.era import era_of
from iptviz.kube.families import FAMILIES, Family, family_of
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.redact.dump import Redactor
from iptviz.redact.mapping import fresh_secrets
from iptviz.redact.secrets import Secrets
from tests.conftest import ROOT, SHARED, part_of
from tests.kube.clients import followed
from tests.kubeproxy import ERAS, Cluster, saved
from tests.kubeproxy.features import FEATURES, POSSIBLE, cluster_with

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.engine.condition import Condition
    from iptviz.kube.service import ServiceTrace

FILES = sorted([*ROOT.glob("fixtures/*/dump*"), *SHARED.glob("kubernetes/*.rules")])
KEY = bytes(range(32))
KEPT = re.compile(r"^(?:0\.|127\.|169\.254\.|22[4-9]\.|23\d\.|2[45]\d\.)|^(?:::1?$|fe80:|ff)")


def redacted(dump: iptviz.Dump, **options: Any) -> tuple[iptviz.Dump, Redactor]:
    redactor = Redactor(dump, Secrets(KEY), **options)
    return iptviz.load(redactor.text().encode()), redactor


# --- redact, then ask, is ask, then redact ---------------------------------------------------------------------


def told(one: ServiceTrace, redactor: Redactor | None) -> Any:
    """Return what an answer says, in pseudonyms if there is somebody to make them."""
    names = redactor.names if redactor else None

    def address(text: str | None) -> str | None:
        return text if names is None or text is None else names.endpoint(text)

    def chain(text: str | None) -> str | None:
        return text if names is None or text is None else names.chain(text)

    def value(condition: Condition) -> str:
        if names is None or redactor is None:
            return condition.value
        if condition.kind == "in-interface":
            return names.interface(condition.value)
        return redactor.addresses(condition.value)

    service = one.service
    parts = (service.namespace, service.name, service.port_name)
    if names is not None and service.name:
        parts = (names.namespace(parts[0]), names.object(parts[1]), names.port_name(parts[2]))
    return (
        parts, service.named_by, one.frontend.kind, address(one.frontend.address), one.frontend.port, chain(one.chain),
        one.affinity_seconds,
        [
            (
                [(need.condition.kind, value(need.condition), need.holds) for need in outcome.when],
                [
                    (address(end.address), end.port, end.share, chain(end.rule.chain), end.rule.line)
                    for end in outcome.endpoints
                ],
                outcome.leftover,
                (outcome.verdict.kind, outcome.verdict.rule.line) if outcome.verdict else None,
                [mark.rule.line for mark in outcome.masquerade],
            )
            for outcome in one.outcomes
        ],
    )  # fmt: skip


def compare(dump: iptviz.Dump, targets: list[str]) -> None:
    other, redactor = redacted(dump)
    for target in targets:
        before = followed(dump, target)
        after = followed(other, redactor.target(target))
        assert [told(one, redactor) for one in before] == [told(one, None) for one in after], target
    assert era_of(other).releases == era_of(dump).releases
    assert other.rule_count == dump.rule_count


def targets_of(dump: iptviz.Dump) -> list[str]:
    services = service_ports(DispatchingRules(dump), Naming(dump, ()))
    frontends = [answer.frontend for one in services for answer in one.answers]
    return list(dict.fromkeys(
        [f"{one.address or ''}:{one.port}" if ":" not in (one.address or "") else f"[{one.address}]:{one.port}"
         for one in frontends]
        + [one.service.text for one in services if one.service.text and one.service.namespace]
    ))  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.name}" for path in FILES])
def test_the_answers_are_the_same_in_pseudonyms(path: Any) -> None:
    dumps, _ = iptviz.load_all(str(path))
    for dump in dumps:
        if dump.complete:
            compare(dump, targets_of(dump))


SMALL = [
    pair
    for pair in POSSIBLE
    if not FEATURES[pair[0]].crowd and pair[1] in {"1.2", "1.5", "1.14", "1.20", "1.23", "1.24", "1.31"}
]


@pytest.mark.parametrize(("feature", "release"), part_of(SMALL, 2))
def test_the_answers_are_the_same_for_every_feature(feature: str, release: str) -> None:
    cluster, one = cluster_with(feature, release)
    dump = iptviz.load(saved(cluster).encode())
    node_port = [f":{one.node_port}"] if one.node_port else []
    compare(dump, [f"{one.namespace}/{one.name}", *node_port, *one.external_ips, *one.load_balancer_ips])


# --- nothing is left -----------------------------------------------------------------------------------------------


def secrets_of(text: str) -> Iterator[str]:
    """Yield what must not be seen: addresses, names, hashes."""
    for address in re.findall(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])", text):
        if not KEPT.match(address):
            yield address
    yield from re.findall(r"(?<=KUBE-)(?:SVC|SVL|EXT|FW|XLB|SEP)-([A-Z2-7]{16})", text)
    for name in re.findall(r'--comment "?([a-z0-9-]+/[a-z0-9-]+)', text):
        yield from (name, name.partition("/")[2])


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}-{path.name}" for path in FILES])
def test_nothing_of_the_original_is_left(path: Any) -> None:
    dumps, _ = iptviz.load_all(str(path))
    for dump in dumps:
        text = redacted(dump)[0]
        words = set(re.split(r"[^\w.-]+", bytes(text).decode()))
        public = {"kubernetes", "kube-dns", "10.0.0.0"}  # words of everybody's, and everybody's network
        secrets = set(secrets_of(bytes(dump).decode("utf-8", "replace"))) - public
        left = secrets & words
        assert not left


ODD = r"""*filter
:INPUT ACCEPT [3:180]
:acme-corp - [0:0]
:f2b-secret-jail - [0:0]
-A INPUT -i acme0 -m set --match-set acme-blocklist src -j DROP
-A INPUT -i acme+ -m mac --mac-source 00:50:56:AA:BB:CC -j ACCEPT
[7:420] -A INPUT -p tcp -m comment --comment "call Bob at 555-1234" -m tcp --dport 22 -j acme-corp
-A acme-corp -j LOG --log-prefix "acme secret: "
-A acme-corp -m recent --rcheck --seconds 60 --name BOB --mask 255.255.255.255 --rsource -j DROP
-A acme-corp -m string --string "topsecret" --algo bm -j DROP
-A acme-corp -m iprange --src-range 203.0.113.10-203.0.113.200 -j f2b-secret-jail
-A acme-corp -m nonsense --frob topsecret -j DROP
-A acme-corp -d 203.0.113.77/24 -j DROP
COMMIT
"""


def test_what_only_the_owner_knows_is_gone_and_what_iptables_needs_is_kept() -> None:
    text = redacted(iptviz.load(ODD.encode()))[0]
    shown = bytes(text).decode()
    for secret in ("acme", "secret", "Bob", "BOB", "555", "00:50:56", "AA:BB", "203.0.113", "jail"):
        assert secret not in shown, secret
    assert "[7:420] -A INPUT -p tcp" in shown
    assert ":INPUT ACCEPT [3:180]" in shown
    assert "--dport 22" in shown
    assert "--algo bm" in shown
    assert "--seconds 60" in shown
    assert re.search(r"--mac-source 02:", shown)
    assert re.search(r'--comment "?redacted', shown)
    wild, single = re.search(r"-i (\w+)\+", shown), re.search(r"-i (\w+) ", shown)
    assert wild
    assert single
    assert single[1].startswith(wild[1])
    assert re.search(r"-d [\d.]+\.0/24", shown)
    first, last = re.search(r"--src-range (\S+)-(\S+)", shown).groups()  # type: ignore[union-attr]
    assert [int(one.rpartition(".")[2]) for one in (first, last)] == [10, 200]


def test_ports_too_when_asked() -> None:
    dump = iptviz.load("fixtures/policies-today/dump.rules")
    other, redactor = redacted(dump, ports=True)
    shown = bytes(other).decode()
    assert not re.search(r"--dport (?:30080|30700|80|443|53)\b", shown)
    assert ":8080" not in shown
    before = iptviz.trace(dump, ":30080").services[0]
    after = iptviz.trace(other, redactor.target(":30080")).services[0]
    assert [end.share for end in before.usual.endpoints] == [end.share for end in after.usual.endpoints]
    assert 30000 <= (after.frontend.port or 0) <= 32767


def test_another_key_makes_other_pseudonyms() -> None:
    dump = iptviz.load("fixtures/httpd-today/dump.rules")
    texts = {Redactor(dump, fresh_secrets()).text() for _ in range(3)}
    assert len(texts) == 3


def test_the_eras_of_clusters_stay_known() -> None:
    for release in ERAS:
        dump = iptviz.load(
            saved(Cluster(cluster_with("all frontends", release)[0].services, release)).encode()
        )
        assert era_remark(era_of(redacted(dump)[0])) == era_remark(era_of(dump))


def test_a_range_in_brackets_stays_a_range() -> None:
    from ipaddress import ip_address

    rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to-destination [fd00::71]-[fd00::79]:80\nCOMMIT\n"
    text = bytes(redacted(iptviz.load(rules.encode()))[0]).decode()
    first, last = re.search(r"\[(\S+)\]-\[(\S+)\]:80", text).groups()  # type: ignore[union-attr]
    assert int(ip_address(last)) - int(ip_address(first)) == 8


# --- names of chains -------------------------------------------------------------------------------------------------

OWN_CHAINS = [
    "ACCEPT-acme", "acme-db-allow", "DOCKER-ACME", "WEAVE-ACME", "ufw-acme-input", "OPENSHIFT-ACME", "ISTIO_ACME",
    "CILIUM_ACME", "cali-fw-cali0acme", "cali-from-acme", "cali-forward-acme", "cali-acme-x", "KUBE-IPVS-ACME",
    "KUBE-PORTALS-ACME", "CNI-ACME-1", "CNI-DN-acme",
]  # fmt: skip
KNOWN_CHAINS = [
    "DOCKER", "DOCKER-USER", "DOCKER-ISOLATION-STAGE-2", "WEAVE-NPC-EGRESS-ACCEPT", "WEAVE-IPSEC-IN-MARK",
    "ufw-before-logging-input", "ufw6-user-limit-accept", "ufw-skip-to-policy-forward", "OPENSHIFT-FIREWALL-ALLOW",
    "ISTIO_IN_REDIRECT", "CILIUM_PRE_mangle", "cali-from-wl-dispatch", "cali-set-endpoint-mark", "cali-forward-check",
    "KUBE-IPVS-OUT-FILTER", "KUBE-PORTALS-HOST", "KUBE-ROUTER-INPUT", "CNI-HOSTPORT-SETMARK", "FLANNEL-FWD",
]  # fmt: skip


def chain_in_pseudonyms(name: str) -> str:
    text = f"*filter\n:INPUT ACCEPT [0:0]\n:{name} - [0:0]\n-A INPUT -j {name}\nCOMMIT\n"
    shown = bytes(redacted(iptviz.load(text.encode()))[0]).decode()
    (declared,) = re.findall(r"^:(\S+) -", shown, re.MULTILINE)
    assert f"-A INPUT -j {declared}\n" in shown
    return str(declared)


@pytest.mark.parametrize("name", OWN_CHAINS)
def test_a_chain_that_is_called_like_those_of_a_program_is_nobody_elses(name: str) -> None:
    assert "acme" not in chain_in_pseudonyms(name).lower()


@pytest.mark.parametrize("name", KNOWN_CHAINS)
def test_chains_that_everybody_has_keep_their_names(name: str) -> None:
    assert chain_in_pseudonyms(name) == name


def test_a_comment_that_leads_to_a_host_loses_its_name() -> None:
    rule = '-A INPUT -m comment --comment "default/web:http -> db.example.com" -j DROP'
    text = f"*filter\n:INPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"
    shown = bytes(redacted(iptviz.load(text.encode()))[0]).decode()
    assert "-A INPUT -m comment --comment redacted -j DROP\n" in shown


# --- what only this machine knows ------------------------------------------------------------------------------------

OWN = [
    "-m owner --uid-owner acme", "-m owner --gid-owner acme --suppl-groups", "-m helper --helper acme",
    "-m realm --realm acme", "-m devgroup --src-group acme", "-m connlabel --label acme", "-p acme",
    '-m u32 --u32 "0xc&0xffffffff=0xcb007107"', "-s acme.example.com", "-s acme", "-d 203.0.113", "-d 0xcb007107",
    "-d 3405803783", "-s fe80::1%acme0", "-j CT --helper acme --timeout acme", "-j CT --zone acme",
    "-p tcp -m tcp --dport acme", '-m comment --comment call acme "at acme"', "-m geoip --source-country acme",
    "-m geoip --source-country=acme", "-m geoip --source-country DE -j acme-allow", "-j acme-allow acme",
    '-m comment --comment "acme', '-m comment --comment "default/web:http -> acme.example.com"', "--frob=203.0.113.7",
    '-m "acme corp" --frob 1',
]  # fmt: skip
TOLD = re.compile("acme|203[.]0[.]113|cb007107|3405803783", re.IGNORECASE)


def in_pseudonyms(*lines: str, chain: str = "INPUT") -> str:
    text = "\n".join([f"*filter\n:{chain} ACCEPT [0:0]", *lines, "COMMIT\n"])
    return bytes(redacted(iptviz.load(text.encode()))[0]).decode()


@pytest.mark.parametrize("rule", OWN)
def test_no_word_of_the_owner_stays_in_a_rule(rule: str) -> None:
    text = in_pseudonyms(f"-A INPUT {rule}")
    assert "-A INPUT" in text
    assert not TOLD.search(text), text


PLAIN = [
    "-m limit --limit 5/min --limit-burst 7", "-m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 1mb",
    "-m string --algo bm --from 3 --to 1500", "-m recent --mask ffff:ffff:ffff:ffff::", "-p 47 -m ttl --ttl-eq 64",
    "-m conntrack --ctstate RELATED,ESTABLISHED --ctproto 6", "-p icmp -m icmp --icmp-type 8/0", "-m helper --helper ftp-2121",
    "-m time --datestart 2024-01-01T00:00:00 --weekdays Mon,Tue", "-m owner --uid-owner 0-499", "-j CLASSIFY --set-class abcd:ffff",
    "-p sctp -m sctp --chunk-types all DATA:UBE,INIT", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", "-p tcp -m tcp --dport ssh:100",
    "-j MASQUERADE --to-ports 1024-2048", "-j DNAT --to-destination :80-90", "-j RATEEST --rateest-interval 250ms",
    "-m frag --fragid 0:4294967295", "-m statistic --mode random --probability 0.33332999982", "-j LOG --log-level 7 --log-uid",
]  # fmt: skip


@pytest.mark.parametrize("rule", PLAIN)
def test_numbers_and_words_of_iptables_stay(rule: str) -> None:
    assert f"-A INPUT {rule}\n" in in_pseudonyms(f"-A INPUT {rule}")


def test_a_rule_whose_last_option_lost_its_value_is_redacted() -> None:
    rules = (
        '*nat\n-A KUBE-SEP-A -p tcp -m comment --comment "shop/web" -m tcp -j DNAT --to-destination\nCOMMIT\n'
    )
    text = bytes(redacted(iptviz.load(rules.encode()))[0]).decode()
    assert text.rstrip().splitlines()[-2].endswith(" -m tcp -j DNAT --to-destination")
    assert "shop" not in text


@pytest.mark.parametrize("ports", [False, True])
def test_a_name_or_an_address_that_is_no_utf_8_is_redacted(ports: bool) -> None:
    rules = b"""*nat
-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "shop/w\xff:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-X
-A KUBE-SEP-WXKA2BRJ3JXZVXJB -p tcp -m comment --comment "shop/web" -m tcp -j DNAT --to-destination 10.244.1\xff.9:8080
COMMIT
"""
    text = bytes(redacted(iptviz.load(rules), ports=ports)[0])
    assert b"\xff" not in text
    assert b"shop" not in text
    assert text.count(b"-A KUBE-S") == 2


def test_ports_of_a_range_become_ports() -> None:
    rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DNAT --to-destination 203.0.113.1-203.0.113.9:80-90\nCOMMIT\n"
    text = bytes(redacted(iptviz.load(rules.encode()))[0]).decode()
    assert re.search(r"--to-destination [\d.]+-[\d.]+:80-90\n", text)


def test_what_is_not_understood_is_not_understood_afterwards_either() -> None:
    before = iptviz.load(b'*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment "acme\nCOMMIT\n')
    after = redacted(before)[0]
    problems = [next(dump.tables["filter"].rules()).parts.problem for dump in (before, after)]
    assert problems == ["unterminated quote"] * 2


# --- around the rules --------------------------------------------------------------------------------------------------


def test_a_rule_stands_where_it_stood_though_tables_follow_each_other_at_once() -> None:
    text = (
        "# Generated by iptables-save v1.8.9 on Fri Jan  5 10:11:12 2024\n*filter\n-A INPUT -j LATE\n:LATE - [0:0]\n"
        "-A LATE -j DROP\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j RETURN\nCOMMIT\n"
    )
    lines = bytes(redacted(iptviz.load(text.encode()))[0]).decode().splitlines()
    assert [line.split(" ")[0][:4] for line in lines] == [
        "#", "*fil", "-A", ":CHA", "-A", "COMM", "*nat", ":PRE", "-A", "COMM",
    ]  # fmt: skip


def test_of_a_heading_the_tool_and_the_time_are_left() -> None:
    text = (
        "# Generated by iptables-save v1.8.9-acme1 on Fri Jan  5 10:11:12 2024 at acme\n*filter\n"
        ":INPUT ACME [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n# Completed at acme\n"
    )
    shown = bytes(redacted(iptviz.load(text.encode()))[0]).decode()
    assert shown.splitlines()[0] == "# Generated by iptables-save v1.8.9 on Fri Jan  5 10:11:12 2024"
    assert ":FORWARD DROP" in shown
    assert "acme" not in shown.lower()


# --- ranges ------------------------------------------------------------------------------------------------------------


def test_a_range_that_is_a_network_hides_what_is_in_it() -> None:
    text = in_pseudonyms(
        "-A INPUT -s 10.0.0.4/32 -m iprange --src-range 10.0.0.0-10.255.255.255 -j DROP",
        "-A INPUT -s 10.0.0.9/32 -m iprange --src-range 10.64.0.0-10.255.255.255 -j DROP",
    )
    assert "--src-range 10.0.0.0-10.255.255.255 " in text
    assert re.search(r"--src-range 10\.64\.0\.0-10\.255\.255\.255 ", text)
    assert not re.search(r"-s 10\.0\.0\.", text)


INSERTED = """*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -p tcp -j ACCEPT
-A FORWARD -p udp -j ACCEPT
-I FORWARD -p tcp -j DROP
-I FORWARD 2 -p sctp -j DROP
COMMIT
"""


def test_rules_put_in_above_others_stay_above_them() -> None:
    """-I gives a rule a place, whatever its line: in pseudonyms as in the original it drops before it accepts."""
    dump = iptviz.load(INSERTED.encode())
    hidden, _ = redacted(dump)
    for one in (dump, hidden):
        assert [rule.text for rule in one.tables["filter"].chains["FORWARD"].rules] == [
            "-A FORWARD -p tcp -j DROP", "-A FORWARD -p sctp -j DROP", "-A FORWARD -p tcp -j ACCEPT",
            "-A FORWARD -p udp -j ACCEPT",
        ]  # fmt: skip
        (outcome,) = iptviz.packet(
            one, src="10.1.1.1", dst="10.2.2.2", protocol="tcp", local_ips=["10.3.3.3"]
        ).outcomes
        assert outcome.verdict == "DROP"
    assert sorted(rule.line for rule in hidden.tables["filter"].rules()) == [3, 4, 5, 6]


# --- what hands write ------------------------------------------------------------------------------------------------

ENDS = (
    "AAAA",
    "XXX",
    "aaaa",
    "under_score",
    "MUCH-TOO-LONG-FOR-A-HASH",
    "AAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAA1",
    "<hash>",
    "1",
    "a.b",
)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("family", [row for row in FAMILIES if row.ends_in], ids=lambda row: row.name)
def test_a_chain_keeps_what_tells_its_family(family: Family, end: str) -> None:
    for name in family.names:
        begun = name if name.endswith("-") else f"{name}-" * (family.ends_in != "interface") or name
        (table,) = family.tables.split()[:1]
        dump = iptviz.load(f"*{table}\n:{begun}{end} - [0:0]\nCOMMIT\n".encode())
        (chain,) = redacted(dump)[0].tables[table].chains
        assert family_of(chain, table) == family_of(f"{begun}{end}", table)
        assert len(end) < len("XXX") or end not in chain


@pytest.mark.parametrize("end", ENDS)
def test_services_of_chains_that_hands_wrote_are_the_same(end: str) -> None:
    rules = (
        f"-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp --dport 80 -j KUBE-SVC-{end}",
        f"-A KUBE-SVC-{end} -m statistic --mode random --probability 0.5 -j KUBE-SEP-{end}",
        f"-A KUBE-SVC-{end} -j KUBE-SEP-{end}2",
        f"-A KUBE-SEP-{end} -p tcp -j DNAT --to-destination 10.1.1.1:80",
        f"-A KUBE-SEP-{end}2 -p tcp -j DNAT --to-destination 10.1.1.2:80",
    )
    dump = iptviz.load("\n".join(("*nat", *rules, "COMMIT", "")).encode())
    compare(dump, ["10.96.0.1:80"])
    assert len(targets_of(redacted(dump)[0])) == 1


def test_tables_whose_chains_stand_among_each_other_follow_one_another() -> None:
    text = """\
$ iptables -t nat -S KUBE-SERVICES
-N KUBE-SERVICES
-A KUBE-SERVICES -j ACCEPT
$ iptables -S KUBE-FORWARD
-N KUBE-FORWARD
-A KUBE-FORWARD -j DROP
$ iptables -t nat -S PREROUTING
-P PREROUTING ACCEPT
-A PREROUTING -j KUBE-SERVICES
"""
    other = redacted(iptviz.load(text.encode()))[0]
    rules = {name: [rule.text for rule in table.rules()] for name, table in other.tables.items()}
    assert rules == {
        "nat": ["-A KUBE-SERVICES -j ACCEPT", "-A PREROUTING -j KUBE-SERVICES"],
        "filter": ["-A KUBE-FORWARD -j DROP"],
    }
    assert not other.complete


@pytest.mark.parametrize(
    "target",
    [
        "httpd-service.default.svc.cluster.local:79", "http://httpd-service.default:79/x", "svc/httpd-service",
        "service/httpd-service:79", "httpd-service:79", "32123", "kube-dns:dns", "http://kube-dns:9153",
    ],
)  # fmt: skip
def test_a_target_in_any_words_names_the_same_in_pseudonyms(target: str) -> None:
    dump = iptviz.load(ROOT / "fixtures" / "httpd-service" / "dump.rules")
    compare(dump, [target])
    assert followed(dump, target)
