"""Protocols as data: the shipped ones, which stays they fit, and what a wrong file is told."""

from pathlib import Path

import pytest

from services.transitions.protocols import Library, Stay, WrongProtocolError, edition_of, read_protocols
from shared.events.people import Diagnosis, EncounterClass
from tests.unit.transitions.stays import PROTOCOLS, StayTold, Ward, library

SELECTED = [
    # class, disposition, diagnoses, protocols
    ("IMP", "01", [], {"tcm-home"}),
    ("OBSENC", "01", [], {"tcm-home", "observation"}),
    ("IMP", "81", [], {"tcm-home"}),
    ("IMP", "01", ["I50.9"], {"tcm-home", "heart-failure"}),
    ("IMP", "01", ["i5033"], {"tcm-home", "heart-failure"}),
    ("IMP", "01", ["J44.1"], {"tcm-home", "early-visit", "copd"}),
    ("IMP", "01", ["I21.4"], {"tcm-home", "early-visit", "ami"}),
    ("IMP", "01", ["I63.9"], {"tcm-home", "stroke"}),
    ("IMP", "01", ["A41.9"], {"tcm-home", "early-visit"}),
    ("IMP", "06", [], {"tcm-home", "home-health"}),
    ("IMP", "86", [], {"tcm-home", "home-health"}),
    ("IMP", "01", ["F33.2"], {"tcm-home", "mental-health"}),
    ("IMP", "03", [], {"snf-handoff"}),
    ("IMP", "61", [], {"snf-handoff"}),
    ("IMP", "64", [], {"snf-handoff"}),
    ("IMP", "83", [], {"snf-handoff"}),
    ("IMP", "07", [], {"against-advice"}),
    ("IMP", "02", [], {"hospital-transfer"}),
    ("IMP", "43", [], {"hospital-transfer"}),
    ("IMP", "50", [], {"hospice"}),
    ("IMP", "51", [], {"hospice"}),
    ("IMP", "20", [], {"after-death"}),
    ("IMP", "41", ["I50.9"], {"after-death"}),
    ("EMER", "20", [], {"after-death"}),
    ("IMP", None, [], {"unknown-disposition"}),
    ("EMER", "01", [], {"emergency-home"}),
    ("EMER", None, [], {"emergency-home"}),
    ("EMER", "01", ["F10.2"], {"emergency-home", "emergency-substance-use"}),
    ("EMER", "01", ["F32.1"], {"emergency-home", "emergency-mental-health"}),
    ("EMER", "01", ["I50.9"], {"emergency-home"}),
    ("EMER", "01", ["I50.9", "N18.3"], {"emergency-home", "emergency-chronic"}),
    ("EMER", "09", [], set()),
]


@pytest.mark.parametrize(("encounter_class", "nubc", "diagnoses", "expected"), SELECTED)
def test_selects_by_disposition_class_and_diagnosis(
    encounter_class: str, nubc: str | None, diagnoses: list[str], expected: set[str]
) -> None:
    protocols = library()
    stay = Stay.of(
        discharged=True,
        nubc=nubc,
        encounter_class=EncounterClass(encounter_class),
        diagnoses=[Diagnosis(code=code) for code in diagnoses],
    )
    assert {p.name for p in protocols.select(stay, protocols.edition)} == expected


def test_nothing_that_asks_for_a_disposition_fits_before_the_discharge() -> None:
    protocols = library(demo=True)
    stay = Stay.of(discharged=False, nubc=None, encounter_class=EncounterClass.INPATIENT, diagnoses=[])
    assert [p.name for p in protocols.select(stay, protocols.edition)] == ["demo"]


def test_the_demonstration_is_there_only_where_asked_for() -> None:
    assert "demo" not in {p.name for p in read_protocols(PROTOCOLS)}
    assert "demo" in {p.name for p in read_protocols(PROTOCOLS, demo=True)}


def test_every_task_names_a_source_and_has_a_ladder() -> None:
    for protocol in read_protocols(PROTOCOLS, demo=True, programmes=["project-red"]):
        assert protocol.source
        for task in protocol.tasks:
            assert task.source
            assert task.ladder, f"{protocol.name}/{task.code}"
            assert task.evidence or task.attested


def test_every_ladder_is_climbed_before_the_window_closes() -> None:
    """A level that lies behind the last day on which a deed counts would never be told."""
    for protocol in read_protocols(PROTOCOLS, demo=True, programmes=["project-red"]):
        for task in protocol.tasks:
            due_days = task.due.calendar_days or 2 * (task.due.business_days or 0) or (task.due.minutes or 0) / 1440
            top = max(step.after for step in task.ladder).days
            assert task.last_day is None or due_days + top < task.last_day, f"{protocol.name}/{task.code}"


TASK = "{code: call, title: Call, owner_role: nurse, source: s, due: {minutes: 5}}"
WRONG = [
    ("name: a", "a.yaml: version: Field required"),
    ("]", "a.yaml is not YAML"),
    ("[]", "a.yaml: protocol: Input should be"),
    (f"{{name: a, version: '1', title: t, source: s, applies: {{}}, tasks: [{TASK}, {TASK}]}}", "only once"),
    (f"{{name: a, version: '1', title: t, source: s, applies: {{}}, suppresses: true, tasks: [{TASK}]}}", "no tasks"),
    (
        (
            "{name: a, version: '1', title: t, source: s, applies: {}, tasks: [{code: call, title: c, owner_role: n, source: s,"
            " due: {minutes: 1}, evidence: [{event: care.nothing.v1}]}]}"
        ),
        "no such event: care.nothing.v1",
    ),
    (
        (
            "{name: a, version: '1', title: t, source: s, applies: {}, tasks: [{code: call, title: c, owner_role: n, source: s,"
            " due: {minutes: 1}, ladder: [{after: PT2H, role: a}, {after: PT1H, role: b}]}]}"
        ),
        "in order of time",
    ),
    (
        (
            "{name: a, version: '1', title: t, source: s, applies: {}, tasks: [{code: call, title: c, owner_role: n, source: s,"
            " due: {minutes: 1}, ladder: [{after: P367D, role: a}]}]}"
        ),
        "tasks.0.ladder.0.after: Input should be less than or equal to 366 days",
    ),
    ("{name: a, version: '1', title: t, source: s, applies: {colour: red}}", "applies.colour: Extra inputs"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_wrong_file_is_told_by_name_and_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(WrongProtocolError) as wrong:
        read_protocols(tmp_path)
    assert told in str(wrong.value)


def test_a_name_stands_once_and_a_folder_holds_something(tmp_path: Path) -> None:
    with pytest.raises(WrongProtocolError, match="no protocol"):
        read_protocols(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("{name: x, version: '1', title: t, source: s, applies: {}}")
    with pytest.raises(WrongProtocolError, match="stands in another file too"):
        read_protocols(tmp_path)


def test_a_transition_keeps_the_edition_it_was_opened_under() -> None:
    old = read_protocols(PROTOCOLS)
    newer = [p.model_copy(update={"version": "2099.1", "tasks": ()}) if p.name == "tcm-home" else p for p in old]
    both = Library(newer, {edition_of(old): old})
    stay = Stay.of(discharged=True, nubc="01", encounter_class=EncounterClass.INPATIENT, diagnoses=[])
    assert [p.version for p in both.select(stay, edition_of(old))] == ["2026.3"]
    assert [p.version for p in both.select(stay, both.edition)] == ["2099.1"]
    assert both.rule(old[-2].reference, old[-2].tasks[0].code) == old[-2].tasks[0]


@pytest.mark.parametrize(
    ("born", "admitted", "fits"),
    [
        ("2020-03-06", "2026-03-06 09:00-06:00", True),  # the sixth birthday
        ("2020-03-07", "2026-03-06 09:00-06:00", False),
        ("2020-03-07", "2026-03-06 23:30-06:00", False),  # the seventh already in UTC, but not in Chicago
        ("2020-02-29", "2026-02-28 09:00-06:00", False),
        ("2020-02-29", "2026-03-01 09:00-06:00", True),
        ("2020", "2026-01-01 09:00-06:00", True),  # the earliest that it may be
        (None, "2026-03-06 09:00-06:00", True),
    ],
)
def test_an_age_is_of_the_day_of_the_admission_where_the_facility_is(
    born: str | None, admitted: str, *, fits: bool
) -> None:
    stay = StayTold(encounter_class=EncounterClass.EMERGENCY, diagnoses=("F32.1",))
    stay.state["patient"] = stay.summary(birth_date=born)
    ward = Ward().hear(stay.admit(admitted), stay.discharge("2026-03-08 09:00-06:00"))
    named = {protocol.name for protocol in ward.of(stay).transition.protocols}
    assert ("emergency-mental-health" in named) == fits
