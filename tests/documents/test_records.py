"""Records of documents: as many fields in each as there are names, and everything from the document alone."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from iptviz.documents.records import records_of
from iptviz.view.registry import QUESTIONS
from tests.render.questions import MARKS
from tests.render.questions import QUESTIONS as ASKED
from tests.view.test_packet import refused

ASKED_FOR = [name for name, question in QUESTIONS.items() if "records" in question.holds]


@pytest.mark.parametrize("question", ASKED_FOR)
def test_records_are_made_of_what_a_reader_of_the_json_has(question: str) -> None:
    for result in ASKED[question](MARKS):
        names, records = records_of(json.loads(json.dumps(result.to_dict())))
        found = list(records)
        assert found
        assert {len(record) for record in found} == {len(names)}
        assert len(set(names)) == len(names)


def test_a_share_of_which_only_bounds_are_known_has_both() -> None:
    outcome = refused().outcomes[0]._replace(share=Fraction(0), at_most=Fraction(1, 2))
    names, records = records_of(refused()._replace(outcomes=(outcome,)).to_dict())
    (record,) = (dict(zip(names, values, strict=True)) for values in records)
    assert (record["share"], record["exact"]) == ("0.0000000000 to 0.5000000000", "0/1 to 1/2")


def test_which_questions_have_records() -> None:
    assert ASKED_FOR == ["trace", "packet", "services", "diff", "verify", "fleet", "graph"]
