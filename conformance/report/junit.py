"""The report as JUnit XML, which every continuous integration service reads."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from conformance.report.overview import operation_of
from conformance.report.text import failure
from conformance.report.words import computed, inline, printable
from conformance.results import Outcome, Run


def render(run: Run) -> str:
    """A test suite per adapter, a test case per case and phase."""
    suites: dict[str, list[Outcome]] = {name: [] for name in run.header.adapters}
    for outcome in run.outcomes:
        suites.setdefault(outcome.adapter, []).append(outcome)
    root = Element("testsuites", name="conformance")
    for adapter, outcomes in sorted(suites.items()):
        _suite(root, run, adapter, outcomes)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(root: Element, run: Run, adapter: str, outcomes: Sequence[Outcome]) -> None:
    suite = SubElement(root, "testsuite", name=printable(adapter), timestamp=printable(run.header.time))
    held = run.header.adapters.get(adapter, {})
    if held.get("versions"):
        properties = SubElement(suite, "properties")
        for name, version in sorted(held["versions"].items()):
            SubElement(properties, "property", name=printable(str(name)), value=printable(str(version)))
    for outcome in outcomes:
        _case(suite, operation_of(run, outcome.case), outcome)
    if "missing" in held and not outcomes:
        case = SubElement(suite, "testcase", classname=printable(adapter), name="installed")
        SubElement(case, "skipped", message=inline(str(held["missing"])))
    counts = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, tag in counts.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))


def _case(suite: Element, operation: str, outcome: Outcome) -> None:
    name = f"{outcome.case} ({outcome.phase})"
    case = SubElement(suite, "testcase", classname=printable(f"{outcome.adapter}.{operation}"), name=printable(name))
    if not outcome.as_declared:
        tag = "error" if outcome.verdict in ("crash", "timeout") else "failure"
        SubElement(case, tag, type=outcome.verdict, message=_message(outcome)).text = printable(failure(outcome))
    elif outcome.verdict == "unsupported":
        SubElement(case, "skipped", message=_message(outcome))


def _message(outcome: Outcome) -> str:
    parts = (outcome.verdict, computed(outcome.verdict, outcome.dialect), outcome.message)
    return inline(": ".join(part for part in parts if part))
