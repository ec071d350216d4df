"""What can be recorded of a patient's follow-up from a page: contact, reconciliation, teach-back, handoff. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.http import Problem

LONGEST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Record:
    """`needs` are the fields that must be said, with what to tell people who left one out; `may` those that can be."""

    done: str
    needs: Mapping[str, str]
    may: Mapping[str, str] = field(default_factory=dict)


RECORDS: Mapping[str, Record] = {
    "contacts": Record(
        "Contact recorded.", {"kind": "made or attempted"}, {"channel": "phone", "with_whom": "patient"}
    ),
    "medication-reconciliation": Record("Medication reconciliation recorded.", {"by_role": "who reconciled"}),
    "teach-back": Record(
        "Teach-back recorded.",
        {"topic": "what was taught", "result": "whether it was understood"},
        {"with_whom": "patient", "by_role": ""},
    ),
    "handoff": Record(
        "Handoff recorded.",
        {"received_by": "who received it", "synthesis": "what the receiver said back"},
        {"organisation": "", "illness_severity": ""},
    ),
}
"""By the route that keeps it; of what may be said, the value where nothing was."""


def record_body(kind: str, given: Mapping[str, str]) -> dict[str, str]:
    """What the API is told. Raises Problem 404 for another kind, 422 for what is missing."""
    if kind not in RECORDS:
        raise Problem(404, "There is no such record", slug="unknown-record")
    record = RECORDS[kind]
    missing = [words for name, words in record.needs.items() if not given.get(name)]
    if missing:
        raise Problem(422, f"say {missing[0]}", slug="incomplete-record")
    said = {name: given.get(name) or usual for name, usual in record.may.items()}
    return {name: given[name] for name in record.needs} | {name: value for name, value in said.items() if value}
