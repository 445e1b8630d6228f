"""What kubectl printed, but not all: cut off, refused, of another kind. Nothing of it is taken for the whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iptviz.cluster.api import read_cluster
from iptviz.errors import DumpError
from tests.cluster.asked import BOTH, SLICES, WORLD, agrees, kept, printed, verify
from tests.cluster.objects import endpoint, service, slice_of
from tests.cluster.world import crowd, world
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver import ApiServer, Kubectl


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_listing_that_is_cut_off_is_refused(
    form: str, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    text = printed(kubectl, BOTH, form)
    end = text.rindex("\nkind: List" if form == "yaml" else "}")
    lines = [place for place, letter in enumerate(text[:end]) if letter == "\n"]
    cuts = [*lines[:: len(lines) // 12], *range(end // 3, end, end // 5), end]
    for cut in cuts[1:]:
        with pytest.raises(DumpError, match=r"cut off|not Kubernetes JSON/YAML"):
            read_cluster([(text[:cut], "kubectl")])
    told = verify(tmp_path, WORLD.dump, text[: lines[len(lines) // 2]])
    assert (told.returncode, told.stdout) == (2, "")
    assert "kubectl get services,endpointslices -A -o json" in told.stderr


def test_a_table_is_refused_with_the_command_that_is_wanted(
    kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    for what in ("services", BOTH):
        told = verify(tmp_path, WORLD.dump, kubectl("get", what, "-A", "-o", "wide").stdout)
        assert (told.returncode, told.stdout) == (2, "")
        assert "kubectl get services,endpointslices -A -o json" in told.stderr


def test_refused_slices_are_not_compared_and_that_is_said(
    kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    """It prints the services, and the error elsewhere."""
    api.put(WORLD.items)
    api.refused = {SLICES: "Forbidden"}
    done = kubectl("get", BOTH, "-A", "-o", "json")
    assert done.returncode == 1
    told = verify(tmp_path, WORLD.dump, done.stdout)
    agrees(told)
    notes = set(json.loads(told.stdout)["notes"])
    assert "endpoints not compared: no EndpointSlice in the given objects" in notes
    assert not [note for note in notes if note.startswith("WARNING no endpoint")]
    told = verify(tmp_path, WORLD.dump, done.merged)
    assert (told.returncode, told.stdout) == (2, "")
    assert "kubectl failed, and may not have listed all" in told.stderr
    assert "Forbidden" in told.stderr


@pytest.mark.parametrize("reason", ["Expired", "InternalError"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_half_a_list_with_the_error_beside_it_is_refused(
    form: str, reason: str, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    api.cut = {"services": "Expired" if reason == "Expired" else "InternalError"}
    done = kubectl("get", BOTH, "-A", "-o", form, "--chunk-size=5")
    assert done.returncode == 1
    assert done.stdout.count("clusterIPs") == 5
    assert done.stdout.rstrip().endswith(('resourceVersion: ""', "}"))
    told = verify(tmp_path, WORLD.dump, done.merged)
    assert (told.returncode, told.stdout) == (2, "")
    assert f"Error from server ({reason})" in told.stderr


def test_an_answer_in_chunks_says_that_it_goes_on(kubectl: Kubectl, api: ApiServer, tmp_path: Path) -> None:
    api.put(WORLD.items)
    text = kubectl("get", "--raw", "/api/v1/services?limit=5").stdout
    told = verify(tmp_path, WORLD.dump, text)
    assert (told.returncode, told.stdout) == (2, "")
    assert "cut off" in told.stderr


def test_half_a_list_without_the_error_may_be_known_by_its_length(
    kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    """It looks whole: the only trace is that it has as many objects as one request brings."""
    many = [service(f"many-{number}", f"10.98.{number // 250}.{number % 250}") for number in range(600)]
    api.put([*many, slice_of("many-0", endpoint("10.244.1.11"))])
    api.cut = {"services": "Expired"}
    done = kubectl("get", BOTH, "-A", "-o", "json")
    assert done.returncode == 1
    assert "Error from server (Expired)" in done.stderr
    assert json.loads(done.stdout)["kind"] == "List"
    told = json.loads(verify(tmp_path, WORLD.dump, done.stdout, options=()).stdout)
    assert [note for note in told["notes"] if note.startswith("exactly 500 Service objects")]
    assert "exactly" not in verify(tmp_path, WORLD.dump, printed(kubectl, SLICES), json.dumps(many[0])).stdout


# --- what Endpoints leave open -----------------------------------------------------------------------------------

CROWDED = world(crowd())


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_more_than_a_thousand_endpoints_are_compared(
    form: str, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(CROWDED.items)
    agrees(verify(tmp_path, CROWDED.dump, printed(kubectl, f"{BOTH},endpoints", form)), 1)
    (one,) = read_cluster([(printed(kubectl, "services,endpoints", form), "api")]).services
    assert one.endpoints_cut


def test_endpoints_that_were_cut_off_are_not_called_extra(
    kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(CROWDED.items)
    told = verify(tmp_path, CROWDED.dump, printed(kubectl, "services,endpoints,nodes"))
    agrees(told, 1)
    (note,) = json.loads(told.stdout)["notes"]
    assert note.startswith("endpoints of shop/crowd not compared in full")


def test_what_endpoints_do_not_tell_is_no_difference(
    kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    """Of one family they are; hints and what terminates are not in them."""
    api.put(WORLD.items)
    told = verify(tmp_path, WORLD.dump, printed(kubectl, "services,endpoints,nodes"))
    agrees(told)
    notes = json.loads(told.stdout)["notes"]
    assert len(notes) == 2  # one for each family
    for name in ("shop/draining", "shop/zone"):
        assert name in notes[0]
    assert "shop/web" in notes[1]


def test_what_endpoints_tell_is_compared(kubectl: Kubectl, api: ApiServer, tmp_path: Path) -> None:
    api.put(WORLD.items)
    dump = WORLD.dump.replace("203.0.113.7:8080", "203.0.113.8:8080")
    told = verify(tmp_path, dump, printed(kubectl, "services,endpoints"))
    found = {(one["kind"], one["service"]) for one in json.loads(told.stdout)["differences"]}
    assert {("missing-endpoint", "shop/manual:http"), ("extra-endpoint", "shop/manual:http")} <= found


# --- lists of names ----------------------------------------------------------------------------------------------


def nameless(dump: str) -> str:
    """A dump without its comments."""
    return "".join(
        f"{before}{after}"
        for line in dump.splitlines(keepends=True)
        for before, quote, rest in [line.partition('-m comment --comment "')]
        for after in [rest.partition('" ')[2] if quote else ""]
    )


@pytest.mark.parametrize("what", ["services", "svc,endpointslices", "endpointslices,services,pods"])
@pytest.mark.parametrize("wide", [(), ("-o", "wide")])
def test_a_table_of_services_names_those_of_a_dump(
    what: str, wide: tuple[str, ...], kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    api.broken = api.is_old = True
    table = kubectl("get", what, "-A", *wide).merged
    dump, listed = kept(tmp_path, dump=nameless(WORLD.dump), listed=table)
    named = {"namespace": "shop", "name": "web", "port_name": "http", "named_by": "hash"}
    for target in ("10.97.0.1", "shop/web", "web:http"):
        told = run("trace", target, dump, "--services", listed, "--json")
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["services"][0]["service"] == named


@pytest.mark.parametrize("what", ["pods", "pods,services", "nodes,pods"])
@pytest.mark.parametrize("form", ["wide", "json", "yaml"])
def test_pods_name_the_endpoints(
    what: str, form: str, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    api.put(WORLD.items)
    api.broken = api.is_old = True
    listed = kubectl("get", what, "-A", "-o", form).merged
    dump, pods = kept(tmp_path, dump=WORLD.dump, pods=listed)
    told = run("trace", "shop/manual", dump, "--pods", pods)
    assert told.returncode == 0, told.stderr
    assert "shop/pod-cb007107" in told.stdout
