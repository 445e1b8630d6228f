"""What changed between two dumps: what is told beside the comparisons of services and chains, and what is not."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from tests import kubeproxy
from tests.conftest import FIXTURES
from tests.kubeproxy import NEW, OLD, Cluster, Service
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PODS = tuple((f"10.244.1.{number}", 8080) for number in range(4, 8))
WEB = Service("web", "10.96.7.1", PODS, port_name="http", namespace="shop", node_port=30080)
CART = Service("cart", "10.96.7.2", PODS[:2], port_name="http", namespace="shop")
OTHER = Service("api", "10.96.7.3", PODS[2:], port_name="http", namespace="store")
BASICS = kubeproxy.basics()
TODAY, BEFORE = (str(FIXTURES / f"changed/{name}.rules") for name in ("new", "old"))


def text(*services: Service, era: str = NEW) -> str:
    return kubeproxy.saved(Cluster((*BASICS, *services), era))


def dump(written: str, source: str = "dump") -> iptviz.Dump:
    return iptviz.Dump(written.encode(), source)


def differing(old: str, new: str, **options: Any) -> dict[str, Any]:
    return iptviz.diff(dump(old, "old"), dump(new, "new"), **options).to_dict()


def names(ports: list[dict[str, Any]]) -> list[str]:
    return [one["service"]["name"] for one in ports]


def with_filter(written: str, *rules: str) -> str:
    """A dump with rules before all others of filter's FORWARD."""
    place = written.index("-A FORWARD", written.index("*filter"))
    return written[:place] + "".join(f"{rule}\n" for rule in rules) + written[place:]


# --- nothing differs -------------------------------------------------------------------------------------------


def counting(written: str) -> str:
    counted = re.sub(r"^-A", "[7:420] -A", written, flags=re.MULTILINE)
    return counted.replace("[0:0]\n", "[31:4100]\n")


def as_commands(written: str) -> str:
    """What `iptables -t nat -S` and the same of filter print, below their prompts."""
    shown = ""
    for table in ("nat", "filter"):
        own = written.partition(f"*{table}\n")[2].partition("COMMIT")[0].splitlines()
        declared = [line[1:].split(" ")[:2] for line in own if line.startswith(":")]
        shown += f"# iptables -t {table} -S\n"
        shown += "".join(
            f"-N {name}\n" if policy == "-" else f"-P {name} {policy}\n" for name, policy in declared
        )
        shown += "".join(f"{line}\n" for line in own if line.startswith("-A"))
    return shown


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda written: written,
    "counters": counting,
    "another time": lambda written: re.sub(r" on \w{3} \w{3} .*", " on Tue Dec 1 03:00:00 2026", written),
    "CRLF": lambda written: written.replace("\n", "\r\n"),
    "tables in another order": lambda written: "".join(
        reversed(re.findall(r"(?ms)^\*.*?^COMMIT\n", written))
    ),
    "chains in another order": lambda written: re.sub(
        r"(?m)(?:^:.*\n)+", lambda found: "".join(sorted(found[0].splitlines(keepends=True))), written
    ),
    "another table, empty": lambda written: (
        written + "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    ),
    "other digits": lambda written: written.replace("0.33333333349", "0.33332999982").replace(
        "0.25000000000", "0.25"
    ),
    "commands": as_commands,
}


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_same_rules_are_no_difference(spelling: str, era: str) -> None:
    written = text(WEB, CART, era=era)
    other = SPELLINGS[spelling](written)
    assert (other != written) == (spelling != "as it is")
    found = differing(written, other)
    assert not found["differs"], found
    assert found["services"] == {"added": [], "removed": [], "changed": [], "compared": 6}
    assert found["findings"] == found["findings_gone"] == []


def test_dumps_of_two_backends_are_equal_and_that_they_are_of_two_is_told() -> None:
    done = run("diff", "fixtures/httpd-today/dump.rules", "fixtures/httpd-nft/dump.rules")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "No difference  in what was compared: 5 service ports, 2 tables, findings of check\n" in done.stdout
    )
    assert "note: written by different backends: OLD legacy, NEW nf_tables\n" in done.stdout


def test_an_empty_chain_to_which_no_rule_leads_is_told_and_is_no_difference() -> None:
    written = text(WEB)
    less = re.sub(r"(?m)^:KUBE-(?:PROXY|KUBELET)-CANARY .*\n", "", written)
    for old, new, kind in ((written, less, "removed"), (less, written, "added")):
        found = differing(old, new)
        assert not found["differs"]
        assert {one["chain"] for one in found["chains"][kind]} == {"KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY"}
    used = less.replace("-A INPUT ", "-A INPUT -j KUBE-NEW\n-A INPUT ", 1).replace(
        ":KUBE-FORWARD", ":KUBE-NEW - [0:0]\n:KUBE-FORWARD"
    )
    assert differing(less, used)["differs"]


def test_that_no_service_port_differs_is_said_first_where_all_were_compared(tmp_path: Path) -> None:
    written = text(WEB)
    dropping = with_filter(written, "-A FORWARD -p icmp -j DROP")
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(written)
    new.write_text(dropping)
    said = run("diff", str(old), str(new)).stdout
    assert said.startswith("Differs  no service port; 1 rule of FORWARD changed\n"), said
    new.write_text(dropping[: dropping.index("*nat") + 900])
    said = run("diff", str(old), str(new)).stdout
    assert said.startswith("Differs  1 rule of FORWARD changed\n"), said


# --- the order within a service's chain ------------------------------------------------------------------------

STICKY = Service("sticky", "10.96.7.4", PODS, port_name="http", affinity=10800)
SUFFIX = kubeproxy.chain_hash("default/sticky:httptcp")
ASKED_FIRST = {
    "what marks for masquerading": r"(?m)^(-A KUBE-SVC-\S+ ! -s .*\n)((?:-A KUBE-SVC-.* -m recent .*\n)+)",
    "what knows the client": r"(?m)^(-A KUBE-SVC-.* -m recent .*\n)(-A KUBE-SVC-.* -m statistic .*\n)",
}


@pytest.mark.parametrize("what", ASKED_FIRST)
def test_what_a_services_chain_asks_before_it_chooses_counts(what: str) -> None:
    written = text(STICKY)
    other, times = re.subn(ASKED_FIRST[what], r"\2\1", written)
    assert times == 1
    for old, new in ((written, other), (other, written)):
        found = differing(old, new)
        assert found["differs"], found
        assert [one["chain"] for one in found["chains"]["changed"]] == [f"KUBE-SVC-{SUFFIX}"]


# --- services --------------------------------------------------------------------------------------------------


def test_services_that_came_and_went_are_told_with_what_they_are() -> None:
    found = differing(text(WEB, CART), text(WEB, OTHER))
    (added,), (removed,) = found["services"]["added"], found["services"]["removed"]
    assert (added["service"]["namespace"], added["service"]["name"], added["protocol"]) == (
        "store",
        "api",
        "tcp",
    )
    assert [(one["address"], one["port"]) for one in added["frontends"]] == [("10.96.7.3", 80)]
    assert [(end["address"], end["port"], end["exact"]) for end in added["endpoints"]] == [
        ("10.244.1.6", 8080, "1/2"), ("10.244.1.7", 8080, "1/2"),
    ]  # fmt: skip
    assert removed["service"]["name"] == "cart"
    assert found["services"]["changed"] == []
    explained = found["chains"].pop("explained")
    assert found["chains"] == {"added": [], "removed": [], "changed": []}
    assert explained > 10


def test_an_endpoint_that_went_is_told_with_the_shares_that_follow() -> None:
    found = differing(text(WEB), text(replace(WEB, endpoints=PODS[:3])))
    (entry,) = found["services"]["changed"]
    assert entry["endpoints_removed"] == ["10.244.1.7:8080"]
    assert entry["endpoints_added"] == []
    assert [one["endpoint"] for one in entry["shares_changed"]] == [
        f"10.244.1.{end}:8080" for end in (4, 5, 6)
    ]
    assert [float(Fraction(one["old"])) for one in entry["shares_changed"]] == pytest.approx([0.25] * 3)
    assert [float(Fraction(one["new"])) for one in entry["shares_changed"]] == pytest.approx([1 / 3] * 3)
    assert all(one["follows"] for one in entry["shares_changed"])
    assert [one["kind"] for one in entry["frontends"]] == ["cluster-ip", "node-port"]
    assert entry["frontend"] == entry["frontends"][0]


def test_what_is_of_the_whole_port_is_told_in_words() -> None:
    found = differing(text(replace(WEB, affinity=10800)), text(WEB))
    (entry,) = found["services"]["changed"]
    assert entry["other"] == ["session affinity 10800 s -> none"]
    assert (entry["service"]["name"], entry["frontend"]["address"]) == ("web", "10.96.7.1")


def test_frontends_that_came_are_told() -> None:
    found = differing(text(replace(WEB, node_port=None)), text(WEB))
    (entry,) = found["services"]["changed"]
    assert [(one["kind"], one["port"]) for one in entry["frontends_added"]] == [("node-port", 30080)]


def test_who_is_no_longer_reached_is_told_first_with_the_rule_that_decides() -> None:
    new = with_filter(text(WEB, OTHER), "-A FORWARD -d 10.244.1.4/30 -j DROP")
    found = differing(text(WEB, CART), new)
    web = next(entry for entry in found["services"]["changed"] if entry["service"]["name"] == "web")
    told = {client: one for one in web["reached"] for client in one["clients"]}
    assert (told["outside"]["old"]["word"], told["outside"]["new"]["word"]) == ("yes", "no")
    assert told["outside"]["new"]["by"]["text"] == "-A FORWARD -d 10.244.1.4/30 -j DROP"
    shown = run_on(text(WEB, CART), new)
    order = [shown.index(f"\n{line}") for line in ("~ shop/web:http", "- shop/cart:http", "+ store/api:http")]
    assert order == sorted(order)


def run_on(old: str, new: str, *options: str) -> str:
    """What the program prints of two dumps, the new one piped in."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".rules") as file:
        file.write(old)
        file.flush()
        done = run("diff", file.name, "-", *options, stdin=new.encode())
    assert done.stderr == ""
    return done.stdout


def test_the_services_of_one_namespace_alone_are_compared() -> None:
    old, new = text(WEB, OTHER), text(replace(OTHER, endpoints=PODS))
    assert names(differing(old, new)["services"]["removed"]) == ["web"]
    found = differing(old, new, namespace="store")
    assert found["services"]["removed"] == []
    assert names(found["services"]["changed"]) == ["api"]
    assert (found["chains"], found["namespace"]) == (None, "store")
    assert "services of other namespaces" in found["not_compared"][0]


def test_a_namespace_that_neither_side_has_is_said_to_be_none() -> None:
    result = iptviz.diff(dump(text(WEB)), dump(text(WEB)), namespace="shp")
    assert not result.differs
    assert sentences(result.notes) == ['no service in namespace "shp" on either side; did you mean shop?']
    assert "Not compared  neither side has such services\n" in run_on(text(WEB), text(WEB), "-n", "shp")


# --- chains, findings ------------------------------------------------------------------------------------------


def test_other_rules_are_told_and_findings_that_are_new_or_gone() -> None:
    rule = "-A FORWARD -d 10.244.1.4/32 -j DROP"
    old, new = text(WEB), with_filter(text(WEB), rule)
    found = differing(old, new)
    (chain,) = found["chains"]["changed"]
    assert (chain["table"], chain["chain"]) == ("filter", "FORWARD")
    assert [(one["kind"], one["new"]["text"]) for one in chain["rules"]] == [("added", rule)]
    assert chain["rules"][0]["new"]["line"] == new.splitlines().index(rule) + 1
    assert [one["id"] for one in found["findings"]] == ["blocked-endpoint-hidden"]
    back = differing(new, old)
    assert [one["id"] for one in back["findings_gone"]] == ["blocked-endpoint-hidden"]
    assert [one["kind"] for one in back["chains"]["changed"][0]["rules"]] == ["removed"]


def test_a_finding_whose_lines_and_counters_moved_is_the_same() -> None:
    written = with_filter(text(replace(WEB, endpoints=())), "-A FORWARD -s 192.0.2.7/32 -j DROP")
    moved = counting("# a comment\n\n" + written)
    assert [one.id for one in iptviz.check(dump(written)).findings if one.severity == "high"] == [
        "no-endpoints"
    ]
    assert not differing(written, moved)["differs"]


def test_with_services_only_no_other_rule_is_compared_and_that_is_said() -> None:
    old = text(WEB)
    new = old.replace("-A INPUT", "-A INPUT -p tcp -m tcp --dport 22 -j LOG\n-A INPUT", 1)
    assert differing(old, new)["differs"]
    found = differing(old, new, services_only=True)
    assert (found["differs"], found["chains"]) == (False, None)
    assert found["not_compared"] == ["other chains and rules, findings of check (--services-only)"]


# --- two nodes -------------------------------------------------------------------------------------------------


def on(local: int, node: str = "192.168.1.10", **options: Any) -> str:
    """The dump of a node that has so many of the endpoints of a service with policy Local."""
    own = replace(WEB, local_only=True, local=local, **options)
    return kubeproxy.saved(Cluster((*kubeproxy.basics(node), own), node_ip=node))


def test_what_a_policy_local_makes_different_is_left_out_and_counted() -> None:
    assert differing(on(1), on(3))["differs"]
    result = iptviz.diff(dump(on(1)), dump(on(3)), ignore_local=True)
    assert not result.differs
    assert re.fullmatch(r"\d+ differences left out that a node's own place explains \(--ignore-local\)",
                        sentences(result.notes)[0])  # fmt: skip


def test_another_difference_of_such_a_service_is_no_part_of_that() -> None:
    found = differing(on(1), on(3, affinity=600), ignore_local=True)
    (entry,) = found["services"]["changed"]
    assert entry["other"] == ["session affinity none -> 600 s"]
    other = differing(on(1), on(3).replace("10.244.1.4:8080", "10.244.1.9:8080"), ignore_local=True)
    assert other["services"]["changed"]


ADMIN = Service(
    "admin", "10.96.7.5", (("10.244.1.4", 8080), ("10.244.2.4", 8080)), load_balancer_ips=("203.0.113.5",),
    source_ranges=("192.0.2.0/25",), node_port=30085,
)  # fmt: skip


def of_pods(network: str, *services: Service) -> str:
    """The dump of a node that masquerades all but its own pods."""
    return kubeproxy.saved(Cluster((*BASICS, *services), pod_cidr=network))


def test_two_nodes_with_pods_of_their_own_treat_a_service_with_source_ranges_alike() -> None:
    one, other = (of_pods(network, ADMIN) for network in ("10.244.1.0/24", "10.244.2.0/24"))
    assert differing(one, other)["differs"]
    found = differing(one, other, ignore_local=True)
    assert not found["differs"], found["services"]
    wider = of_pods("10.244.2.0/24", replace(ADMIN, source_ranges=("192.0.2.0/24",)))
    assert differing(one, wider, ignore_local=True)["differs"]


# --- what cannot be compared -----------------------------------------------------------------------------------

IPVS = (
    "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-NODE-PORT - [0:0]\n"
    "-A PREROUTING -j KUBE-SERVICES\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n"
)


def test_dumps_of_two_modes_are_refused() -> None:
    with pytest.raises(iptviz.DumpError, match="services cannot be compared"):
        iptviz.diff(dump(text(WEB)), dump(IPVS))
    with pytest.raises(iptviz.DumpError, match="services cannot be compared"):
        iptviz.diff(dump(IPVS), dump(text(WEB)))


def test_of_two_nodes_in_ipvs_mode_the_rules_are_compared() -> None:
    found = differing(IPVS, IPVS.replace("-j ACCEPT\nCOMMIT", "-j RETURN\nCOMMIT"))
    assert found["services"] is None
    assert [one.partition(":")[0] for one in found["not_compared"]][:2] == ["services"] * 2
    assert found["mode"] == {"old": "ipvs", "new": "ipvs"}
    assert [one["chain"] for one in found["chains"]["changed"]] == ["KUBE-SERVICES"]


def test_dumps_of_two_families_are_refused() -> None:
    done = run("diff", "fixtures/httpd-dual-stack/dump.rules", "fixtures/httpd-dual-stack/dump6.rules")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot compare ipv4 rules with ipv6 rules" in done.stderr


def bundle(path: Path, *files: str, beside: str = "") -> str:
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(files):
            archive.add(name, f"node-1/rules-{number}")
        if beside:
            info = tarfile.TarInfo("node-1/sysctl -a")
            info.size = len(beside)
            archive.addfile(info, io.BytesIO(beside.encode()))
    return str(path)


def test_families_are_paired_and_one_that_only_one_side_has_is_not_compared(tmp_path: Path) -> None:
    four, six = (f"fixtures/httpd-dual-stack/dump{family}.rules" for family in ("", "6"))
    both = bundle(tmp_path / "both.tar", four, six)
    found = iptviz.diff(iptviz.load_node(both), iptviz.load_node(both)).to_dict()
    assert (found["differs"], found["services"]["compared"], found["not_compared"]) == (False, 10, [])
    assert [one["family"] for one in found["dumps"]["new"]] == ["ipv4", "ipv6"]
    found = iptviz.diff(iptviz.load_node(both), iptviz.load(four)).to_dict()
    assert (found["differs"], found["services"]["compared"]) == (False, 5)
    assert found["not_compared"] == [
        f"ipv6 rules of legacy: only OLD has them ({both}:node-1/rules-1)"
    ] or re.match("ipv6 rules.*: only OLD has them", found["not_compared"][0])


def test_what_is_known_of_one_side_alone_makes_no_difference(tmp_path: Path) -> None:
    known = bundle(
        tmp_path / "known.tar", TODAY, beside="net.ipv4.ip_forward = 0\nnet.ipv4.tcp_syncookies = 1\n"
    )
    assert "forwarding-off" in {one.id for one in iptviz.check(iptviz.load_node(known)).findings}
    found = iptviz.diff(iptviz.load_node(known), iptviz.load(TODAY)).to_dict()
    assert not found["differs"]
    assert found["not_compared"] == ["kernel settings: only OLD has them, so both sides are read without"]
    (tmp_path / "on").mkdir()
    other = bundle(
        tmp_path / "on/known.tar", TODAY, beside="net.ipv4.ip_forward = 1\nnet.ipv4.tcp_syncookies = 1\n"
    )
    found = iptviz.diff(iptviz.load_node(other), iptviz.load_node(known)).to_dict()
    assert [one["id"] for one in found["findings"]] == ["forwarding-off"]


POLICIES = (FIXTURES / "policies-today/dump.rules").read_text()
CUTS = {
    "between the tables": POLICIES.index("*nat"),
    "in the declarations of nat": POLICIES.index(":KUBE-SEP"),
    "before a chain to which no rule leads yet": POLICIES.index("-A KUBE-EXT-BILYYKAKWI7RYELB"),
    "in a comment of a rule that leads to a service": POLICIES.index("dns-tcp cluster IP"),
    "behind half of the services": POLICIES.index("-A KUBE-SERVICES -d 203.0.113.20"),
}


@pytest.mark.parametrize("where", CUTS)
def test_wherever_a_dump_ends_too_early_nothing_is_said_to_differ(where: str) -> None:
    cut = POLICIES[: CUTS[where]]
    for old, new in ((POLICIES, cut), (cut, POLICIES)):
        found = differing(old, new)
        told = found["services"] or {}  # where nothing of nat is left, none is shown
        assert not any(told.get(change) for change in ("added", "removed", "changed"))
        assert not [one for one in (*found["findings"], *found["findings_gone"]) if one["severity"] != "info"]
        assert not found["differs"]
        assert [one for one in found["not_compared"] if one.endswith("one side does not show may decide")]


def test_a_finding_of_a_cut_dump_that_what_is_cut_off_cannot_undo_is_told() -> None:
    dropping = with_filter(POLICIES, "-A FORWARD -j DROP")
    found = differing(POLICIES, dropping[: dropping.index("*nat")])
    assert "forward-drop" in {one["id"] for one in found["findings"]}


def test_what_a_table_that_is_not_shown_may_decide_is_no_difference() -> None:
    whole = text(ADMIN, WEB)
    nat = "# iptables-save -t nat\n" + whole[whole.index("*nat") :]
    dropping = with_filter(whole, "-A FORWARD -d 10.244.1.4/32 -j DROP")
    for old, new in ((whole, nat), (nat, whole), (dropping, nat), (nat, dropping)):
        told = differing(old, new)
        assert told["services"]["changed"] == []
        assert [one for one in told["not_compared"] if one.startswith("reachability of")]
    assert differing(dropping, whole)["services"]["changed"]


def test_what_a_cut_dump_lacks_is_not_compared() -> None:
    written = text(WEB)
    cut = (
        written[: written.index("*filter")]
        if written.index("*nat") < written.index("*filter")
        else written[:-400]
    )
    done = run_on(written, cut)
    assert "INCOMPLETE" in done
    assert "Not compared" in done


# --- the command line ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((TODAY, TODAY, TODAY), "diff compares two nodes or moments, got 3 paths"),
        (("-", "-"), "OLD and NEW cannot both be standard input"),
        (
            (TODAY, TODAY, "--packet", "a b tcp 1", "--equivalent"),
            "--packet and --equivalent are two questions",
        ),
        ((TODAY, TODAY, "--equivalent", "-n", "shop"), "--namespace does not go with --equivalent"),
        ((TODAY, "/dev/null"), "/dev/null"),
        ((TODAY, "missing.rules"), "missing.rules"),
        ((TODAY, "README.md"), "README.md"),
        ((TODAY, "10.96.0.1"), "is an address, not a file"),
        ((TODAY, BEFORE, "-o", TODAY), f"-o {TODAY} would overwrite the input {TODAY}"),
        ((TODAY, BEFORE, "-o", BEFORE), f"-o {BEFORE} would overwrite the input {BEFORE}"),
        ((TODAY, BEFORE, "-f", "dot"), 'unknown format "dot"'),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    before = [(FIXTURES / f"changed/{name}.rules").read_bytes() for name in ("new", "old")]
    done = run("diff", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr.splitlines()[0]
    assert [(FIXTURES / f"changed/{name}.rules").read_bytes() for name in ("new", "old")] == before


def test_the_node_of_a_bundle_is_compared_with_a_file_that_tells_no_node(tmp_path: Path) -> None:
    several = str(tmp_path / "nodes.tar")
    with tarfile.open(several, "w") as archive:
        archive.add(BEFORE, "node-1/rules")
        archive.add(TODAY, "node-2/rules")
    assert "pick one with --node NAME" in run("diff", several, TODAY).stderr
    for sides in ((several, TODAY), (TODAY, several)):
        assert run("diff", "--node", "node-2", *sides).returncode == 0
        assert run("diff", "--node", "node-1", *sides).returncode == 1
        assert 'no dump of node "node-3"' in run("diff", "--node", "node-3", *sides).stderr


def test_objects_of_the_api_are_no_side_and_verify_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kubectl.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": []}))
    for sides in ((TODAY, str(path)), (str(path), TODAY)):
        done = run("diff", *sides)
        assert done.returncode == 2
        assert "iptviz verify DUMP FILE" in done.stderr


def test_the_exit_status_tells_whether_they_differ(tmp_path: Path) -> None:
    packed = tmp_path / "old.rules.gz"
    packed.write_bytes(gzip.compress((FIXTURES / "changed/old.rules").read_bytes()))
    assert run("diff", BEFORE, str(packed)).returncode == 0
    assert run("diff", str(packed), TODAY).returncode == 1
    assert run("diff", BEFORE, TODAY, "--exit-zero").returncode == 0


def test_nothing_of_either_side_is_told_in_pseudonyms() -> None:
    plain = json.loads(run("diff", BEFORE, TODAY, "--json").stdout)
    done = run("diff", BEFORE, TODAY, "--json", "--redact")
    hidden = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    for secret in (
        "httpd",
        "cart:",
        "search:",
        "10.97.13.198",
        "10.97.20.4",
        "10.244.2.29",
        "192.0.2.0",
        "changed/",
    ):
        assert secret not in done.stdout
    for change in ("added", "removed", "changed"):
        assert len(hidden["services"][change]) == len(plain["services"][change]) > 0
    assert [one["id"] for one in hidden["findings"]] == [one["id"] for one in plain["findings"]]
    assert len(hidden["chains"]["changed"]) == len(plain["chains"]["changed"]) == 2


def test_the_map_hides_both_sides_in_one_pseudonym(tmp_path: Path) -> None:
    mapping = tmp_path / "map.json"
    done = run("diff", BEFORE, BEFORE, "--map", str(mapping))
    assert done.returncode == 0
    assert "No difference" in done.stdout


# --- trace, beside its counters --------------------------------------------------------------------------------


def test_a_trace_tells_what_changed_for_its_service_since_an_older_dump() -> None:
    old, new = dump(text(WEB, CART), "old"), dump(text(replace(WEB, endpoints=PODS[:3]), OTHER), "new")
    found = iptviz.trace(new, "shop/web", since=old).to_dict()
    (since,) = found["changed_since"]
    assert (since["since"], since["added"], since["removed"], since["compared"]) == ("old", [], [], 1)
    (entry,) = since["changed"]
    assert (entry["service"]["name"], entry["endpoints_removed"]) == ("web", ["10.244.1.7:8080"])
    whole = iptviz.diff(old, new).to_dict()["services"]["changed"]
    assert [one for one in whole if one["service"]["name"] == "web"] == since["changed"]


def test_a_trace_says_what_was_compared_where_nothing_changed() -> None:
    done = run("trace", "kube-dns:dns", TODAY, "--since", BEFORE)
    assert f"Since         no difference of this service since {BEFORE} in frontends, endpoints" in re.sub(
        "Since +", "Since         ", done.stdout
    )
    done = run("trace", "httpd-service", TODAY, "--since", BEFORE)
    assert f"\nChanged since {BEFORE}\n~ default/httpd-service tcp" in done.stdout
    assert "changed_since" not in iptviz.trace(iptviz.load(TODAY), "httpd-service").to_dict()


def test_a_trace_of_what_is_gone_says_that_it_was_there() -> None:
    done = run("trace", "cart", TODAY, "--since", BEFORE)
    assert done.returncode == 1
    assert f"{BEFORE} has it: 10.97.20.4:80/tcp" in done.stderr


# --- rules of a node's own -------------------------------------------------------------------------------------


def own_rules(written: str, pods: str, chain: str, extra: str = "") -> str:
    """A dump with what a CNI plug-in writes for the pods of one node."""
    place = written.index("-A ", written.index("*nat"))
    rules = (
        f"-A POSTROUTING -s {pods} ! -o cni0 -j MASQUERADE\n"
        f"-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8080 -j {chain}\n"
        f"-A {chain} -p tcp -m tcp --dport 8080 -j DNAT --to-destination {pods.partition('/')[0]}:80\n{extra}"
    )
    declared = f":CNI-HOSTPORT-DNAT - [0:0]\n:{chain} - [0:0]\n"
    return written[:place] + declared + rules + written[place:]


def test_rules_of_a_nodes_own_pods_and_networks_are_left_out_and_others_are_not() -> None:
    written = text(WEB)
    old = own_rules(written, "10.244.1.0/24", "CNI-DN-0123456789abcdef01234")
    new = own_rules(written, "10.244.2.0/24", "CNI-DN-fedcba98765432109876f")
    assert differing(old, new)["chains"]["changed"]
    result = iptviz.diff(dump(old), dump(new), ignore_local=True)
    assert not result.differs, result.to_dict()["chains"]
    assert result.pairs[0].set_aside >= 4
    other = own_rules(
        written, "10.244.2.0/24", "CNI-DN-fedcba98765432109876f", "-A OUTPUT -d 192.0.2.1/32 -j ACCEPT\n"
    )
    (chain,) = differing(old, other, ignore_local=True)["chains"]["changed"]
    assert chain["chain"] == "OUTPUT"


def test_chains_of_services_that_differ_in_form_alone_are_told_as_one() -> None:
    shown = run("diff", "fixtures/policies-old/dump.rules", "fixtures/policies-today/dump.rules").stdout
    assert re.search(
        r"^~ nat KUBE-SEP-\.\.\.   \d+ chains changed, \d+ rules; no service port", shown, re.MULTILINE
    )
    assert "\n~ nat KUBE-SEP-6E7" not in shown
    whole = run(
        "diff", "fixtures/policies-old/dump.rules", "fixtures/policies-today/dump.rules", "--all"
    ).stdout
    assert "\n~ nat KUBE-SEP-6E7" in whole


# --- single clients --------------------------------------------------------------------------------------------


def printed(tmp_path: Path, old: str, new: str, *options: str) -> list[str]:
    """The lines that are printed of services."""
    for name, written in (("old", old), ("new", new)):
        (tmp_path / name).write_text(written)
    done = run("diff", str(tmp_path / "old"), str(tmp_path / "new"), *options)
    assert done.returncode == 1, done
    part = done.stdout.partition("\nServices\n")[2].partition("\n\n")[0]
    return part.splitlines()


ONE_CLIENT = "-A FORWARD -s 198.51.100.77/32 -j DROP"
BY_ONE_RULE = "DROP by filter FORWARD rule 1, line 26 (source in 198.51.100.77/32)"


def test_single_clients_are_told_in_one_line_for_all_services(tmp_path: Path) -> None:
    before = text(WEB, CART, OTHER)
    after = with_filter(before, ONE_CLIENT)
    line = after.split("\n").index(ONE_CLIENT) + 1
    rule = BY_ONE_RULE.replace("line 26", f"line {line}")
    assert printed(tmp_path, before, after) == [
        f"~ 7 service ports, for single clients from outside: now {rule}"
    ]
    assert printed(tmp_path, after, before) == [
        f"~ 7 service ports, for single clients from outside: no longer {rule}"
    ]
    assert "shop/cart:http tcp" in printed(tmp_path, before, after, "--all")[0]


def test_json_has_single_clients_of_each_service() -> None:
    before = text(WEB, CART)
    changed = differing(before, with_filter(before, ONE_CLIENT))["services"]["changed"]
    assert {"web", "cart"} <= set(names(changed))
    assert all(each["single_clients"] for one in changed for each in one["reached"])


def test_a_kind_of_clients_is_told_at_its_service_beside_single_ones(tmp_path: Path) -> None:
    before = text(WEB, CART)
    lines = printed(tmp_path, before, with_filter(before, ONE_CLIENT, "-A FORWARD -d 10.244.1.4/32 -j DROP"))
    assert any("reached from pod yes -> in part: DROP by filter FORWARD rule 2" in one for one in lines)
    assert sum("FORWARD rule 1" in one for one in lines if "single clients" in one) == 1


TOLD_APART = {
    "another rule at its place": (
        ["-A FORWARD -d 10.244.1.0/24 -i eth1 -j DROP"],
        ["-A FORWARD -d 10.244.1.0/24 -i eth2 -j DROP"],
    ),
    "a later rule": (
        ["-A FORWARD -d 10.244.1.0/24 -i eth1 -j DROP"],
        ["-A FORWARD -d 10.244.1.0/24 -i eth1 -j DROP", "-A FORWARD -d 10.244.1.0/24 -i eth3 -j REJECT"],
    ),
    "a rule that was there for single clients": (
        [ONE_CLIENT],
        [ONE_CLIENT, "-A FORWARD -m set --match-set blocked src -j DROP"],
    ),
}


@pytest.mark.parametrize("what", TOLD_APART)
def test_both_sides_of_an_arrow_never_say_the_same(tmp_path: Path, what: str) -> None:
    before = text(WEB, CART)
    old, new = (with_filter(before, *rules) for rules in TOLD_APART[what])
    arrows = [one.strip() for one in printed(tmp_path, old, new) if "~ reached from" in one]
    assert arrows
    for one in arrows:
        said, _, now = one.partition(" -> ")
        assert now
        assert not said.endswith(now), one


def test_what_is_told_of_a_kind_of_clients_is_not_the_rule_of_single_ones(tmp_path: Path) -> None:
    before = with_filter(text(CART), ONE_CLIENT)
    after = before.replace(ONE_CLIENT, f"{ONE_CLIENT}\n-A FORWARD -m set --match-set blocked src -j DROP")
    told = [one for one in printed(tmp_path, before, after) if "-> depends" in one]
    assert told
    assert all("FORWARD rule 2" in one or "rule 1, line 30, and 1 other rule" in one for one in told)


def test_shares_of_hundreds_of_endpoints_are_told_so_that_they_differ(tmp_path: Path) -> None:
    """One of 500 endpoints went: the others' 0.20 % became 0.20 %."""
    pods = tuple((f"10.244.{number // 250}.{number % 250 + 1}", 8080) for number in range(500))
    files = []
    for name, those in (("old", pods), ("new", pods[1:])):
        files.append(tmp_path / f"{name}.rules")
        files[-1].write_text(text(replace(WEB, endpoints=those)))
    shown = run("diff", *map(str, files), "--services-only").stdout
    assert "even share of 499 other endpoints 1/500 -> 1/499" in shown


def test_of_a_cut_dump_no_chain_is_called_empty(tmp_path: Path) -> None:
    """All chains are declared there; what stood in them was cut off, so nothing tells that they had no rules."""
    cut = tmp_path / "cut.rules"
    cut.write_text("\n".join((FIXTURES / "changed/new.rules").read_text().splitlines()[:40]) + "\n")
    shown = run("diff", BEFORE, str(cut)).stdout
    assert "nat KUBE-SEP-HABHB4QXAK5E36O4   chain removed, its rules are not compared" in shown
    assert "nat KUBE-SEP-65VJQ7S22OLC2CI3   chain added, its rules are not compared" in shown
    assert "no rules" not in shown
    assert "changes nothing" not in shown


@pytest.mark.parametrize("asked", [("--packet", "10.1.2.3 10.97.13.198 tcp 79"), ("--equivalent",)])
def test_what_differs_from_a_cut_dump_is_not_known(asked: tuple[str, ...], tmp_path: Path) -> None:
    """The half that is left has no rule that leads to services: to say that they are not DNATed would be false."""
    text_of_new = (FIXTURES / "changed/new.rules").read_text()
    half = tmp_path / "half.rules"
    half.write_text(text_of_new[: len(text_of_new) // 2])
    done = run("diff", *asked, BEFORE, str(half))
    assert done.returncode == 1
    assert done.stdout.startswith("Not known  whether ")
    assert re.search(r"lines (are )?missing in a dump", done.stdout)
    assert "not known" in run("diff", "--equivalent", BEFORE, str(half), "-f", "csv").stdout
