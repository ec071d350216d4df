"""A batch with merges in it, in as few stages as its patients' order allows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from shared.events import AnyEvent, Event, Fact

MergeT = TypeVar("MergeT", bound=Fact)


@dataclass(slots=True)
class Stage(Generic[MergeT]):
    """Merges of patients that have nothing to do with each other, and then what else is told of anybody."""

    merges: list[Event[MergeT]] = field(default_factory=list)
    others: list[AnyEvent] = field(default_factory=list)


def staged(events: Sequence[AnyEvent], merges: type[MergeT]) -> list[Stage[MergeT]]:
    """A merge (`merges` is the fact that says so) re-keys rows, so what follows it of the same patients cannot share
    its statements with what came before. Patients whom it does not concern are not held up: order holds per patient
    only.
    """
    stages: list[Stage[MergeT]] = [Stage()]
    reached: dict[str, int] = {}
    for event in events:
        patients = (event.subject, *event.fact.concerns())
        at = max(reached.get(patient, 0) for patient in patients)
        if isinstance(event.fact, merges):
            at += 1
            if at == len(stages):
                stages.append(Stage())
            stages[at].merges.append(cast("Event[MergeT]", event))
        else:
            stages[at].others.append(event)
        reached |= dict.fromkeys(patients, at)
    return stages
