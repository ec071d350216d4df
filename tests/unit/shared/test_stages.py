"""A batch with merges in it, in as few stages as its patients' order allows."""

from shared.events import AnyEvent
from shared.events.encounters import PatientMerged
from shared.events.people import PatientSummary
from shared.kafka.stages import staged
from tests.unit.transitions.stays import StayTold, at, event_of

NOW = "2026-03-06 15:00-06:00"


def told(patient: str) -> AnyEvent:
    return StayTold(patient=patient).discharge(NOW)


def merged(retired: str, survivor: str, *, key: str) -> AnyEvent:
    fact = PatientMerged(retired=retired, survivor=survivor, patient=PatientSummary(id=survivor))
    return event_of(fact, key, at(NOW))


def test_patients_whom_no_merge_concerns_share_one_stage() -> None:
    batch = [told("a"), merged("r", "s", key="r"), told("b"), merged("r", "s", key="s"), told("c")]
    first, *later = staged(batch, PatientMerged)
    assert [event.subject for event in first.others] == ["a", "b", "c"]
    assert [[event.subject for event in stage.merges] for stage in later] == [["r"], ["s"]]


def test_what_is_told_of_a_merged_patient_stays_on_its_side_of_the_merge() -> None:
    before, between, after = told("s"), told("s"), told("s")
    batch = [before, merged("r", "s", key="r"), between, merged("r", "s", key="s"), after]
    assert [stage.others for stage in staged(batch, PatientMerged)] == [[before], [between], [after]]


def test_merges_of_different_patients_share_a_stage_and_chains_do_not() -> None:
    batch = [merged("r1", "s1", key="r1"), merged("r2", "s2", key="r2"), merged("s1", "s3", key="s1")]
    assert [len(stage.merges) for stage in staged(batch, PatientMerged)] == [0, 2, 1]
