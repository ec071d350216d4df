"""Handlers on a real database: what is kept, what is said, and that batches are as good as single events."""

import pytest

from services.transitions.editions import register_protocols
from services.transitions.protocols import WrongProtocolError, read_protocols
from services.transitions.snapshots import tell_open_transitions
from shared.events import AnyEvent
from shared.events.encounters import (
    EncounterMoved,
    EncounterUpdated,
    PatientMerged,
    PatientUnmerged,
    PatientUpdated,
)
from shared.events.people import PatientSummary
from shared.events.transitions import (
    ReadmissionDetected,
    TaskCompleted,
    TransitionChanged,
    TransitionSnapshot,
    TransitionsPatientMerged,
)
from tests.integration.transitions.house import House
from tests.unit.transitions import stays
from tests.unit.transitions.stays import StayTold, at, contact, delivered, event_of

LEFT = "2026-03-06 15:00-06:00"


async def test_an_admission_opens_a_transition_and_the_discharge_gives_it_tasks(house: House) -> None:
    stay = StayTold()
    await house.hear(stay.admit("2026-03-02 08:00-06:00"))
    await house.hear(stay.discharge(LEFT))
    scored = "transition.risk-scored"
    assert await house.said() == ["transition.opened", scored, "transition.changed", scored] + ["task.created"] * 4
    assert (await house.tasks())["interactive-contact"] == ("requested", at("2026-03-10 23:59:59.999999-05:00"))
    assert await house.count("SELECT count(*) FROM task_timer") == 5 + 5 + 4 + 4
    assert await house.count("SELECT count(*) FROM history") == 8


async def test_a_batch_ends_as_its_events_one_by_one(house: House) -> None:
    def course(patient: str) -> list[AnyEvent]:
        stay = StayTold(patient=patient)
        return [
            stay.admit("2026-03-02 08:00-06:00"),
            stay.discharge(LEFT),
            stay.take_back_discharge("2026-03-06 16:00-06:00"),
            stay.discharge("2026-03-07 10:00-06:00", "03"),
        ]

    await house.hear(*course("p1"))
    for event in course("p2"):
        await house.hear(event)
    assert await house.said("p1") == await house.said("p2")
    same = """SELECT count(*) FROM (SELECT code, number, status, due_at FROM task WHERE patient_id = 'p1'
        EXCEPT SELECT code, number, status, due_at FROM task WHERE patient_id = 'p2') different"""
    assert await house.count(same) == 0
    assert await house.count("SELECT count(*) FROM task_timer WHERE patient_id = 'p1'") == await house.count(
        "SELECT count(*) FROM task_timer WHERE patient_id = 'p2'"
    )


async def test_evidence_is_kept_until_the_discharge_is_heard(house: House) -> None:
    stay = StayTold()
    discharge = stay.discharge(LEFT)
    await house.hear(contact("2026-03-09 10:00-05:00"), delivered(discharge, "2026-03-06 15:01-06:00"))
    await house.hear(discharge)
    done = {fact.task.code for fact in await house.facts(TaskCompleted)}
    assert done == {"interactive-contact", "discharge-information"}
    assert await house.count("SELECT count(*) FROM task_timer WHERE fired_at IS NULL") == 5 + 4


async def test_holding_stops_the_clocks_and_resuming_starts_them(house: House) -> None:
    stay = StayTold()
    await house.hear(stay.discharge(LEFT))
    await house.hear(stay.take_back_discharge("2026-03-06 16:00-06:00"))
    assert await house.count("SELECT count(*) FROM task_timer") == 0
    await house.hear(stay.discharge("2026-03-07 10:00-06:00"))
    assert await house.count("SELECT count(*) FROM task_timer") == 18


async def test_a_readmission_is_found_in_what_was_stored_and_stays_found(house: House) -> None:
    first, second = StayTold(), StayTold()
    await house.hear(first.admit("2026-03-02 08:00-06:00"))
    await house.hear(first.discharge(LEFT))
    await house.hear(second.admit("2026-03-16 08:00-05:00"))
    # The second stay is so long that the first one is far behind when it goes on.
    await house.hear(second.transfer("2026-07-20 08:00-05:00"))
    await house.hear(second.discharge("2026-08-01 08:00-05:00"))
    found = await house.facts(ReadmissionDetected)
    assert [(fact.earlier_encounter_id, fact.days) for fact in found] == [(first.id, 10)]
    assert await house.count("SELECT readmission_days FROM transition WHERE encounter_id = $1", second.id) == 10


async def test_news_of_an_old_stay_does_not_undo_what_it_led_to(house: House) -> None:
    told = []
    for month in range(1, 7):
        stay = StayTold()
        await house.hear(stay.admit(f"2026-{month:02d}-01 08:00"), stay.discharge(f"2026-{month:02d}-10 08:00"))
        told.append(stay)
    before = await house.count("SELECT count(*) FROM outbox")
    await house.hear(told[1].correct("2026-06-20 08:00", admit_source="1"))
    assert await house.count("SELECT count(*) FROM outbox") == before
    assert await house.count("SELECT count(*) FROM transition WHERE readmission_of IS NOT NULL") == 5


async def test_a_merge_rekeys_everything_and_sees_the_readmission_between_two_records(house: House) -> None:
    mine, other = StayTold(patient="old"), StayTold(patient="new")
    await house.hear(mine.admit("2026-03-02 08:00-06:00"), mine.discharge(LEFT))
    await house.hear(contact("2026-03-09 10:00-05:00", patient="old"))
    await house.hear(other.admit("2026-03-16 08:00-05:00"))
    survivor = PatientSummary(id="new", birth_date="1948")
    merged = PatientMerged(patient=survivor, retired="old", survivor="new")
    await house.hear(event_of(merged, "old", at("2026-03-16 09:00-05:00")))
    await house.hear(event_of(merged, "new", at("2026-03-16 09:00-05:00")))
    for table in ("transition", "task", "task_timer", "evidence"):
        assert await house.count(f"SELECT count(*) FROM {table} WHERE patient_id = 'old'") == 0, table
    assert await house.count("SELECT count(*) FROM transition WHERE body #>> '{patient,id}' = 'old'") == 0
    said = [event for event in await house.events() if isinstance(event.fact, TransitionsPatientMerged)]
    assert [event.subject for event in said] == ["old", "new"]
    assert said[1].after is not None
    assert (said[1].after.subject, said[1].after.sequence) == ("old", said[0].sequence)
    [found] = await house.facts(ReadmissionDetected)
    assert (found.earlier_encounter_id, found.transition.patient.id) == (mine.id, "new")
    # What still comes under the retired id takes effect under the survivor.
    await house.hear(mine.correct("2026-03-17 09:00-05:00", hospital_service="MED"))
    assert await house.count("SELECT count(*) FROM transition WHERE patient_id = 'new'") == 2


async def test_evidence_heard_under_the_survivor_before_the_merge_counts_after_it(house: House) -> None:
    stay = StayTold(patient="old")
    await house.hear(stay.discharge(LEFT))
    await house.hear(contact("2026-03-09 10:00-05:00", patient="new"))
    merged = PatientMerged(patient=PatientSummary(id="new"), retired="old", survivor="new")
    await house.hear(event_of(merged, "old", at("2026-03-10 09:00-05:00")))
    assert [fact.task.code for fact in await house.facts(TaskCompleted)] == ["interactive-contact"]


async def test_a_stay_that_belongs_to_another_patient_moves_with_its_tasks(house: House) -> None:
    stay, readmitted = StayTold(patient="wrong"), StayTold(patient="wrong")
    await house.hear(stay.admit("2026-03-02 08:00-06:00"), stay.discharge(LEFT))
    await house.hear(readmitted.admit("2026-03-10 08:00-05:00"))
    assert await house.count("SELECT count(*) FROM task WHERE status = 'requested'") == 0
    readmitted.patient = "right"
    readmitted.state["patient"] = PatientSummary(id="right")
    told = readmitted.correct("2026-03-10 09:00-05:00").fact
    assert isinstance(told, EncounterUpdated)
    moved = EncounterMoved(encounter=told.encounter, from_patient="wrong")
    await house.hear(event_of(moved, "right", at("2026-03-10 09:00-05:00")))
    assert await house.count("SELECT count(*) FROM transition WHERE patient_id = 'right'") == 1
    # Nobody came back, so the first stay's tasks must be done after all.
    assert await house.count("SELECT count(*) FROM task WHERE status = 'requested' AND patient_id = 'wrong'") == 4
    # What the old key still says of the stay is older than the move.
    stale = event_of(EncounterUpdated(encounter=told.encounter.model_copy(update={"version": 1})), "wrong", at(LEFT))
    await house.hear(stale)
    assert await house.count("SELECT count(*) FROM transition WHERE patient_id = 'right'") == 1


async def test_a_death_known_only_to_the_patient_record_cancels_the_tasks(house: House) -> None:
    stay = StayTold()
    await house.hear(stay.discharge(LEFT))
    dead = PatientUpdated(patient=PatientSummary(id="p1", deceased=True))
    await house.hear(event_of(dead, "p1", at("2026-03-07 09:00-06:00")))
    assert {status for status, _ in (await house.tasks()).values()} == {"cancelled"}
    assert await house.count("SELECT count(*) FROM task_timer") == 0


async def test_every_open_transition_can_be_told_again(house: House) -> None:
    open_stay, revoked = StayTold(), StayTold(patient="p2")
    await house.hear(open_stay.discharge(LEFT), revoked.admit("2026-03-02 08:00"), revoked.cancel("2026-03-02 09:00"))
    async with house.database.transaction() as tx:
        assert await tell_open_transitions(tx) == 1
    [snapshot] = await house.facts(TransitionSnapshot)
    assert snapshot.transition.encounter_id == open_stay.id
    assert len(snapshot.tasks) == 4
    assert (await house.events())[-1].snapshot
    # Ours or others', a snapshot is nothing that happened.
    before = await house.count("SELECT count(*) FROM outbox")
    again = stays.event_of(open_stay.discharge(LEFT).fact, "p1", at(LEFT), snapshot=True)
    await house.hear(again)
    assert await house.count("SELECT count(*) FROM outbox") == before


async def test_a_version_of_a_protocol_can_not_change_its_contents(house: House) -> None:
    current = read_protocols(stays.PROTOCOLS)
    changed = [p.model_copy(update={"title": "Other"}) if p.name == "hospice" else p for p in current]
    with pytest.raises(WrongProtocolError) as wrong:
        await register_protocols(house.database, changed)
    assert str(wrong.value) == "hospice 2026.3 was used before with other contents; give it a new version"


async def test_a_newer_protocol_does_not_rewrite_what_runs(house: House) -> None:
    stay, later = StayTold(), StayTold(patient="p2")
    await house.hear(stay.discharge(LEFT))
    current = read_protocols(stays.PROTOCOLS)
    newer = [
        p.model_copy(update={"version": "2", "tasks": p.tasks[:1]}) if p.name == "tcm-home" else p for p in current
    ]
    house.library = await register_protocols(house.database, newer)
    await house.hear(stay.correct("2026-03-06 18:00-06:00", discharged_at=at("2026-03-05 15:00-06:00")))
    await house.hear(later.discharge(LEFT))
    assert await house.count("SELECT count(*) FROM task WHERE patient_id = 'p1' AND status = 'requested'") == 4
    assert await house.count("SELECT count(*) FROM task WHERE patient_id = 'p2'") == 1
    changed = (await house.facts(TransitionChanged))[0]
    assert changed.transition.protocols[0].version == "2026.3"


async def test_what_was_done_for_a_stay_goes_with_it_when_a_merge_is_undone(house: House) -> None:
    """The survivor keeps its own stay; the other's moves to the restored patient, with the call that was made."""
    mine, theirs = StayTold(patient="survivor"), StayTold(patient="survivor")
    await house.hear(mine.admit("2026-03-02 08:00-06:00"))
    await house.hear(theirs.admit("2026-03-02 08:00-06:00"), theirs.discharge(LEFT))
    await house.hear(contact("2026-03-09 10:00-05:00", patient="survivor", encounter_id=theirs.id))
    theirs.patient = "restored"
    theirs.state["patient"] = PatientSummary(id="restored")
    told = theirs.correct("2026-03-10 09:00-05:00").fact
    assert isinstance(told, EncounterUpdated)
    undone = PatientUnmerged(
        patient=PatientSummary(id="survivor", birth_date="1948"),
        retired="old",
        survivor="survivor",
        restored="restored",
        encounters=(theirs.id,),
    )
    moved = EncounterMoved(encounter=told.encounter, from_patient="survivor")
    await house.hear(event_of(undone, "survivor", at("2026-03-10 09:00-05:00")))
    await house.hear(event_of(moved, "restored", at("2026-03-10 09:00-05:00")))
    assert await house.count("SELECT count(*) FROM transition WHERE patient_id = 'restored'") == 1
    assert await house.count("SELECT count(*) FROM transition WHERE patient_id = 'survivor'") == 1
    assert await house.count("SELECT count(*) FROM evidence WHERE patient_id = 'restored'") == 1
    done = "SELECT count(*) FROM task WHERE patient_id = 'restored' AND code = 'interactive-contact' AND status = 'completed'"
    assert await house.count(done) == 1
    assert await house.count("SELECT count(*) FROM task_timer WHERE patient_id = 'survivor'") == 0
    known = "SELECT count(*) FROM transition WHERE body #>> '{patient,birth_date}' = '1948' AND patient_id = 'survivor'"
    assert await house.count(known) == 1
