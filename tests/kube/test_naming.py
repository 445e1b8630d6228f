"""Names that hashes confirm: published hashes, both spellings, dumps whose comments are stripped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.kube.names import ServiceName, suffix_of, suffixes
from iptviz.kube.naming import Naming, fits
from iptviz.supplied.service_names import Candidate
from tests import kubeproxy
from tests.kubeproxy import NEW, OLD, Cluster

if TYPE_CHECKING:
    from pathlib import Path

# Widely published dumps, and those of kubernetes/kubernetes 75893, 47533, 114470, 61005 and 44889.
PUBLISHED = [
    ("default", "kubernetes", "https", "tcp", "", "NPX46M4PTMTKRN6Y"),
    ("kube-system", "kube-dns", "dns-tcp", "tcp", "", "ERIFXISQEP7F7OF4"),
    ("kube-system", "kube-dns", "dns", "udp", "", "TCOU7JCQXEZGVUNU"),
    ("kube-system", "kube-dns", "metrics", "tcp", "", "JD5MR3NA4I4DYORP"),
    ("default", "memory-service", "", "tcp", "", "RCFZYSCVQORLOLVD"),
    ("default", "nodeport-service", "", "tcp", "", "QATUYZLPU4I4HE4S"),
    ("kube-system", "kube-dns", "dns", "udp", "10.32.0.2:53", "SZZ7MOWKTWUFXIJT"),
    ("kube-system", "kube-dns", "dns-tcp", "tcp", "10.32.0.2:53", "UJJNLSZU6HL4F5UO"),
    ("kube-system", "kube-dns", "dns", "udp", "10.244.0.4:53", "WXWGHGKZOCNYRYI7"),
    ("default", "kanali", "app-port", "tcp", "172.17.0.4:8080", "FD2E3TSMHWTXH2RF"),
    ("ns1", "svc1", "p80", "sctp", "", "GFCIFIA5VTFSTMSM"),
    ("ns1", "svc1", "p80", "sctp", "10.180.0.1:80", "RFW33Y6OHVBQ4W3M"),
]


@pytest.mark.parametrize(("namespace", "name", "port", "protocol", "endpoint", "published"), PUBLISHED)
def test_a_hash_is_the_published_one(
    namespace: str, name: str, port: str, protocol: str, endpoint: str, published: str
) -> None:
    assert published in suffixes(namespace, name, port, protocol, endpoint)


def test_an_unnamed_port_has_two_spellings() -> None:
    assert suffixes("default", "nginx", "", "tcp") == ("2CMXP7HKUVJN7L6M", "4N57TFCL4MD7ZTDA")


@pytest.mark.parametrize(
    ("chain", "suffix"),
    [
        ("KUBE-SVC-NPX46M4PTMTKRN6Y", "NPX46M4PTMTKRN6Y"),
        ("KUBE-XLB-NPX46M4PTMTKRN6Y", "NPX46M4PTMTKRN6Y"),
        ("KUBE-SVC-NPX46M4PTMTKRN6", None),
        ("KUBE-SVC-npx46m4ptmtkrn6y", None),
        ("KUBE-HP-NPX46M4PTMTKRN6Y", None),
        ("KUBE-SERVICES", None),
    ],
)
def test_a_chains_name_bears_a_hash_or_none(chain: str, suffix: str | None) -> None:
    assert suffix_of(chain) == suffix


def test_a_comment_elsewhere_names_a_chain() -> None:
    dump = iptviz.load(
        b'*filter\n-A A -m comment --comment "default/kubernetes:https has no endpoints" -j DROP\nCOMMIT\n'
    )
    naming = Naming(dump)
    assert naming.name_of("KUBE-SVC-NPX46M4PTMTKRN6Y") == ServiceName(
        "default", "kubernetes", "https", "hash"
    )
    assert naming.name_of("KUBE-SVC-TCOU7JCQXEZGVUNU").named_by == "none"
    assert naming.name_of("KUBE-SERVICES").named_by == "none"


def test_a_list_without_port_names_is_tried_with_the_usual_ones() -> None:
    naming = Naming(iptviz.load(b"*nat\nCOMMIT\n"), [Candidate("kube-system", "kube-dns", None)])
    assert naming.name_of("KUBE-SVC-ERIFXISQEP7F7OF4").text == "kube-system/kube-dns:dns-tcp"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_name_fits_its_own_chain_alone(protocol: str) -> None:
    name = ServiceName("kube-system", "kube-dns", "dns", "comment")
    assert fits("KUBE-SVC-TCOU7JCQXEZGVUNU", name, protocol) is (protocol == "udp")
    assert fits("KUBE-SVC-MADEUP", name, protocol)


# --- dumps whose comments are stripped ---------------------------------------------------------------------


def stripped(era: str, **options: object) -> iptviz.Dump:
    cluster = Cluster((*kubeproxy.basics(), *kubeproxy.numbered(2, 3, **options).services), era)  # type: ignore[arg-type]
    return iptviz.load(re.sub(r'-m comment --comment ("[^"]*"|\S+) ', "", kubeproxy.saved(cluster)).encode())


NAMES = [
    "default/kubernetes:https", "kube-system/kube-dns:dns", "kube-system/kube-dns:dns-tcp",
    "kube-system/kube-dns:metrics", "team-0/service-0:http", "team-1/service-1:http",
]  # fmt: skip
LISTS = {
    "names": "\n".join(NAMES),
    "table": "NAMESPACE NAME TYPE\ndefault kubernetes x\nkube-system kube-dns x\nteam-0 service-0 x\nteam-1 service-1 x\n",
}


@pytest.mark.parametrize("era", [OLD, NEW])
def test_a_service_is_found_by_a_name_that_no_comment_tells(era: str) -> None:
    dump = stripped(era)
    for name in NAMES:
        found = iptviz.trace(dump, name).services
        assert found, name
        assert {one.service.text for one in found} <= {name, ""}


@pytest.mark.parametrize("era", [OLD, NEW])
@pytest.mark.parametrize("form", LISTS)
def test_a_list_names_every_service(era: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "services"
    path.write_text(LISTS[form])
    result = iptviz.services(stripped(era), names=str(path))
    assert [one.name for one in result.services] == NAMES
    assert {one["service"]["named_by"] for one in result.to_dict()["services"]} == {"hash"}
    (one, *_) = iptviz.trace(stripped(era), "10.96.0.1", names=str(path)).services
    assert one.service == ServiceName("default", "kubernetes", "https", "hash")
    by_name = iptviz.trace(stripped(era), "team-0/service-0", names=str(path))
    assert len(by_name.services) == (2 if form == "names" else 0) or by_name.services


def test_without_a_list_a_service_is_called_by_its_chain() -> None:
    result = iptviz.services(stripped(NEW))
    assert {one.service.named_by for one in result.services} == {"none"}
    assert all(one.name.startswith("KUBE-SVC-") for one in result.services)


def test_a_hash_that_does_not_fit_is_a_note() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(1, 2))
    renamed = iptviz.load(text.replace("team-0/service-0", "team-0/shop").encode())
    notes = sentences(iptviz.trace(renamed, "team-0/shop").notes)
    assert any("is not that of team-0/shop:http" in note for note in notes)
    assert not any(
        "hash" in note for note in sentences(iptviz.trace(iptviz.load(text.encode()), "10.96.1.0").notes)
    )
