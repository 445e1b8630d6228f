"""What becomes of every kind of clients, in JSON and CSV: the fields of the contract, and nothing else."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from iptviz.render.csv import csv_text
from tests.view import made_paths as made

SHARE = {"probability", "exact"}
ENTRY = {"clients", "when", "untracked", "endpoints", "leftover", "reaching"}
ENDPOINT = SHARE | {"address", "port", "when", "outcome", "by", "snat", "snat_by", "reply", "reply_by"}
LEFTOVER = SHARE | {"when", "outcome", "by", "to"}
DECIDER = {"table", "chain", "rule", "line", "text", "others"}


def service(ways: Any) -> Any:
    document = made.traced(ways).to_dict()
    return json.loads(json.dumps(document, allow_nan=False))["services"][0]


def test_an_entry_has_the_fields_of_the_contract() -> None:
    for ways in (made.IN_PART, made.NOT_REWRITTEN, made.ANSWER, made.CACHED, made.LOCAL_ENDPOINT):
        for entry in service(ways)["paths"]:
            assert set(entry) == ENTRY
            assert set(entry["reaching"]) == {"at_least", "at_most"}
            assert all(set(row) == ENDPOINT for row in entry["endpoints"])
            assert all(set(row) == LEFTOVER for row in entry["leftover"])
            deciders = [row["by"] for row in entry["endpoints"] + entry["leftover"] if row["by"]]
            assert all(set(by) == DECIDER for by in deciders)


def test_what_is_taken_for_granted_is_told_once() -> None:
    (condition,) = service(made.REACHED)["assumed"]
    assert (condition["kind"], condition["value"], condition["holds"]) == ("state", "NEW", True)


def test_rows_say_what_they_are() -> None:
    (entry,) = service(made.IN_PART)["paths"]
    refused, reached = entry["endpoints"]
    assert entry["clients"] == ["outside", "pod", "node"]
    assert (refused["outcome"], refused["exact"], refused["snat"]) == ("REJECT", "1/2", None)
    assert (refused["by"]["chain"], refused["by"]["rule"], refused["by"]["line"]) == ("KUBE-POD-FW-7", 3, 67)
    assert (reached["outcome"], reached["by"], reached["snat"]) == ("ACCEPT", None, "MASQUERADE")


def test_a_policy_is_no_rule() -> None:
    pod = service(made.POD_DROPPED)["paths"][1]
    assert pod["endpoints"][0]["by"] == {
        "table": "filter", "chain": "FORWARD", "rule": None, "line": 5, "text": ":FORWARD DROP [0:0]", "others": 0,
    }  # fmt: skip


def test_without_ways_there_are_no_fields() -> None:
    (found,) = made.traced(made.REACHED)._replace(paths=()).to_dict()["services"]
    assert not {"paths", "assumed"} & set(found)


# --- CSV ------------------------------------------------------------------------------------------------------


def records(ways: Any) -> list[dict[str, str]]:
    text = csv_text(made.traced(ways).to_dict())
    return [record for record in csv.DictReader(io.StringIO(text)) if record["clients"]]


def test_a_record_names_the_clients_and_who_decides() -> None:
    refused, reached = records(made.IN_PART)
    assert (refused["clients"], refused["endpoint"], refused["client_share"]) == (
        "outside pod node", "10.244.1.17:80", "0.5000000000",
    )  # fmt: skip
    assert (refused["outcome"], refused["by"], refused["by_line"]) == (
        "REJECT",
        "filter KUBE-POD-FW-7 rule 3",
        "67",
    )
    assert (reached["outcome"], reached["by"], reached["snat"]) == ("ACCEPT", "", "MASQUERADE")


def test_conditions_of_clients_and_of_rows_stand_apart() -> None:
    (first, *_) = records(made.LOCAL_ENDPOINT)
    assert (first["when"], first["row_when"]) == ("always", "192.0.2.10 is an address of this node")
    assert first["by"] == "filter INPUT policy"
    assert records(made.BY_SOURCE)[0]["when"] == "source in 10.0.0.0/8"


def test_answers_and_unchanged_destinations_have_fields() -> None:
    answer = records(made.ANSWER)[-1]
    assert (answer["outcome"], answer["reply"], answer["reply_by"], answer["reply_line"]) == (
        "ACCEPT", "DROP", "filter FORWARD rule 2", "31",
    )  # fmt: skip
    assert records(made.NOT_REWRITTEN)[0]["to"] == made.VIP
