"""JUnit's XML, for CI servers: a suite for each dump, in it a test for each kind of finding that was looked for.

What is more than information is a failure of its test, each finding one. As many servers show the first failure
alone, the output of the test has a line for each finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from iptviz.render.findings import LEVELS, NOTE, details_of, dump_in, dumps_in, looked_at, message_of, path_of
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.documents.shapes import Shape


def junit_text(document: Shape) -> str:
    """Return the findings of a document as the result of tests; it is never folded."""
    root = ET.Element("testsuites", name="iptviz check")
    for dump in dumps_in(document):
        mine = [one for one in document["findings"] if dump_in(document, one) is dump]
        root.append(_suite(document, dump, mine))
    _count(root)
    ET.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{declaration}{ET.tostring(root, encoding='unicode')}\n"


def _suite(document: Shape, dump: Shape, findings: list[Shape]) -> ET.Element:
    suite = ET.Element("testsuite", name=printable(path_of(dump)))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("looked at", looked_at(document)), ("written by", dump["tool"] or "not said")):
        ET.SubElement(properties, "property", name=name, value=printable(value))
    for what in document["looked_for"]:
        suite.append(_case(what, dump, [one for one in findings if one["id"] == what]))
    _count(suite)
    return suite


def _case(what: str, dump: Shape, findings: list[Shape]) -> ET.Element:
    case = ET.Element("testcase", classname="iptviz.check", name=what, file=printable(path_of(dump)))
    bad = [one for one in findings if LEVELS[one["severity"]] != NOTE]
    for finding in bad:
        message = message_of(finding)
        failure = ET.SubElement(case, "failure", type=finding["severity"], message=message)
        failure.text = "\n".join([message, *details_of(finding)])
    if len(bad) > 1 or len(bad) < len(findings):
        told = ET.SubElement(case, "system-out")
        told.text = "\n".join(f"{one['severity']}: {message_of(one)}" for one in findings)
    return case


def _count(element: ET.Element) -> None:
    """Say of how many tests something consists, and how many of them failed."""
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
