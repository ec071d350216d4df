"""The worked patients of docs/quality-measures.md, line by line; and what a measure's file may say."""

import os
import re
import subprocess
import sys

import pytest

from tests.unit.transitions.counted import MEASURES, PAGE, Book, patients

WORKED = {name: (stay, lines) for name, stay, lines in patients()}


@pytest.mark.parametrize("name", WORKED)
def test_every_line_of_the_worked_patient_holds(name: str) -> None:
    stay, lines = WORKED[name]
    assert lines, f"{name} has a patient without a line"
    book = Book.opened(stay)
    for when, words, then in lines:
        book.tell(when, words)
        for claim in then.split(";"):
            book.claim(when, claim.strip())


def test_every_measure_has_its_patient_and_its_line_in_the_table() -> None:
    worked = {measure for name in WORKED for measure in re.findall(r"`([A-Z0-9-]+)`", name)}
    assert worked == set(MEASURES.by_id)
    table = PAGE.read_text(encoding="utf-8").split("## What is counted")[1].split("## What the events")[0]
    assert set(re.findall(r"`([A-Z][A-Z0-9]+(?:-[A-Z0-9]+)*)`", table)) == set(MEASURES.by_id)


def test_every_measure_says_its_version_source_and_what_it_cannot_know() -> None:
    for one in MEASURES.by_id.values():
        assert one.version, one.id
        assert one.source, one.id
        assert one.cannot_know, one.id


def test_the_edition_is_the_same_in_every_process() -> None:
    """Else each start would have everybody counted anew."""
    told = {
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from services.transitions.quality.measures import *; print(read_measures().edition)",
            ],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {MEASURES.edition}
