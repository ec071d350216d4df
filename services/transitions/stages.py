"""A batch with merges in it, in as few stages as its patients' order allows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.events import AnyEvent
from shared.events.encounters import PatientMerged


@dataclass(slots=True)
class Stage:
    """Merges of patients that have nothing to do with each other, and then what else is told of anybody."""

    merges: list[AnyEvent] = field(default_factory=list)
    others: list[AnyEvent] = field(default_factory=list)


def staged(events: Sequence[AnyEvent]) -> list[Stage]:
    """A merge re-keys rows, so what follows it of the same patients cannot share its statements with what came before.
    Patients whom it does not concern are not held up: order holds per patient only.
    """
    stages = [Stage()]
    reached: dict[str, int] = {}
    for event in events:
        patients = (event.subject, *event.fact.concerns())
        at = max(reached.get(patient, 0) for patient in patients)
        if isinstance(event.fact, PatientMerged):
            at += 1
            if at == len(stages):
                stages.append(Stage())
            stages[at].merges.append(event)
        else:
            stages[at].others.append(event)
        reached |= dict.fromkeys(patients, at)
    return stages
