"""A transition as this service keeps it: what was heard of the stay, and the obligations that follow. Pure."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from services.transitions.evidence import Evidence, Window
from services.transitions.protocols import Anchor
from services.transitions.readmission import Return, Stayed
from services.transitions.risk.inputs import NOTHING_KNOWN, Background
from services.transitions.risk.scoring import NOT_WEIGHED, Weighed
from services.transitions.task import Obligation, Why
from shared.events import id_beside
from shared.events.transitions import Transition

TRANSITIONS = UUID("6f1c2a52-6a0e-4a53-9a3b-0f3a8d5f7c11")
"""Namespace of the ids of transitions whose encounter began before BESIDE_SINCE."""
BESIDE_SINCE = int(datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp() * 1000)
"""Milliseconds since 1970. Ids that were said before are kept: a replay must give them again."""


def transition_id(encounter_id: UUID) -> UUID:
    """A transition's id follows from its encounter's, so that a replay gives the same."""
    if encounter_id.int >> 80 < BESIDE_SINCE or encounter_id.version != 7:  # noqa: PLR2004  (it holds its time)
        return uuid5(TRANSITIONS, str(encounter_id))
    return id_beside(encounter_id, "transition")


class Standing(StrEnum):
    """What the encounter's status means for the transition. `void`: no such stay (cancelled, error, outpatient)."""

    IN_HOSPITAL = "in-hospital"
    DISCHARGED = "discharged"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """`opened_by` and `discharged_by` are the events that announced them; `discharge_heard_at` when the standing
    discharge was first recorded; `told_historical`, that its source called it old news; `edition`, of the protocols.
    `weighed` are its scores; `recount_at` is when the stay's length will change one.
    """

    transition: Transition
    standing: Standing
    encounter_version: int
    edition: str
    opened_by: UUID
    discharged_by: UUID | None = None
    discharge_heard_at: datetime | None = None
    told_historical: bool = False
    is_reviewed: bool = False
    readmission_indicator: str | None = None
    readmission: Return | None = None
    why: Why = Why.ADMITTED
    tasks: tuple[Obligation, ...] = ()
    weighed: Weighed = NOT_WEIGHED
    recount_at: datetime | None = None

    def is_same_but_version(self, before: "Followed | None") -> bool:
        """Whether nothing but the encounter's version differs: the stay moved on, unseen from here."""
        return before is not None and replace(before, encounter_version=self.encounter_version) == self

    @property
    def stayed(self) -> Stayed:
        return Stayed(self.transition, self.standing is Standing.DISCHARGED, self.readmission_indicator)

    def window(self, anchor: Anchor) -> Window | None:
        """Where evidence counts for tasks of this anchor; None while the anchor has not happened."""
        starts = self._anchors
        at = starts.get(anchor)
        by = self.discharged_by if anchor is Anchor.DISCHARGE else self.opened_by
        return Window(self.transition, at, by, starts) if at is not None else None

    @property
    def _anchors(self) -> dict[Anchor, datetime]:
        """What has happened, and when. An expected discharge that nobody announced is the discharge itself."""
        stay = self.transition
        known = {
            Anchor.ADMISSION: stay.admitted_at,
            Anchor.EXPECTED_DISCHARGE: stay.expected_discharge_at or self._discharged_at,
            Anchor.DISCHARGE: self._discharged_at,
        }
        return {anchor: at for anchor, at in known.items() if at is not None}

    @property
    def _discharged_at(self) -> datetime | None:
        return self.transition.discharged_at if self.is_discharged else None

    @property
    def is_discharged(self) -> bool:
        return self.standing is Standing.DISCHARGED


@dataclass(frozen=True, slots=True)
class PatientCase:
    """What is known of one patient: transitions by encounter, and the evidence. `context` holds earlier stays that
    bear on these but are too far back to be touched themselves; `behind` is what their scores depend on beside them.
    """

    patient_id: str
    followed: dict[UUID, Followed] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    context: tuple[Stayed, ...] = ()
    behind: Background = NOTHING_KNOWN
