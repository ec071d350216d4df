"""The patients of one batch: loaded at once, changed event by event in memory, saved at once."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.transitions.announcement import Cause, announce
from services.transitions.evidence import Evidence
from services.transitions.followed import Followed, PatientCase
from services.transitions.protocols import Library
from services.transitions.risk import store as scored
from services.transitions.store import following
from services.transitions.task import Obligation, Why
from services.transitions.transition import settle
from shared.events import Draft
from shared.events.transitions import Transition
from shared.postgres import Transaction


class Cases:
    """Holds each patient's case as it stands so far; `save` writes what differs from what was loaded."""

    def __init__(self, library: Library, loaded: Mapping[str, PatientCase]) -> None:
        self._library = library
        self._cases = dict(loaded)
        self._stored = {key: f for case in loaded.values() for key, f in case.followed.items()}
        self._home = {key: patient for patient, case in loaded.items() for key in case.followed}
        self._new_evidence: list[Evidence] = []
        self._moved_evidence: list[Evidence] = []
        self.drafts: list[Draft] = []

    @classmethod
    async def load(
        cls,
        tx: Transaction,
        library: Library,
        patients: Collection[str],
        encounters: Collection[UUID] = (),
        *,
        since: datetime,
    ) -> "Cases":
        """Loads the patients, who must be locked, and locks and loads whoever else one of the encounters is under."""
        cases = await following.load_cases(tx.connection, library, patients, encounters, since)
        others = cases.keys() - set(patients)
        if others:
            everyone = set((await tx.lock(cases)).values())
            cases = await following.load_cases(tx.connection, library, everyone, encounters, since)
        return cls(library, cases)

    def of(self, patient_id: str) -> PatientCase:
        return self._cases[patient_id]

    def find(self, encounter_id: UUID) -> Followed | None:
        """The encounter's transition, whoever's case it stands in."""
        home = self._home.get(encounter_id)
        return self._cases[home].followed[encounter_id] if home is not None else None

    def bring(self, encounter_id: UUID, patient_id: str, cause: Cause) -> None:
        """The encounter is this patient's: takes it out of the case it stood in, which is settled without it."""
        home = self._home.get(encounter_id)
        if home is None or home == patient_id:
            return
        left = dict(self._cases[home].followed)
        moved = left.pop(encounter_id)
        self._cases[home] = replace(self._cases[home], followed=left)
        self.put(self._cases[home], cause)
        case = self._cases[patient_id]
        deeds = self._take_along(home, encounter_id, moved.transition.id, patient_id)
        self._cases[patient_id] = replace(
            case, followed={**case.followed, encounter_id: moved}, evidence=(*case.evidence, *deeds)
        )
        self._home[encounter_id] = patient_id

    def _take_along(self, home: str, encounter_id: UUID, transition_id: UUID, patient_id: str) -> list[Evidence]:
        """The deeds that name the moved stay, and what is said of itself: what was done for it stays done."""
        kept = self._cases[home].evidence
        itself = f"encounter/{encounter_id}"
        named = [
            one
            for one in kept
            if encounter_id == one.encounter_id or transition_id == one.transition_id or one.about == itself
        ]
        self._cases[home] = replace(self._cases[home], evidence=tuple(one for one in kept if one not in named))
        deeds = [replace(one, patient_id=patient_id) for one in named]
        self._moved_evidence += deeds
        return deeds

    def put(self, case: PatientCase, cause: Cause, why: Why = Why.CORRECTED) -> None:
        """Settles the changed case and notes what is to be said of it."""
        before = self._cases[case.patient_id].followed
        after = {}
        for key, followed in settle(case, self._library).followed.items():
            was = before.get(key)
            after[key], said = (followed, ()) if was is followed else announce(was, followed, cause, why)
            self.drafts.extend(said)
            self._home[key] = case.patient_id
        self._cases[case.patient_id] = replace(case, followed=after)

    def note_version(self, followed: Followed) -> None:
        """The stay moved on without anything that a transition knows of: nothing to settle, nothing to say."""
        key = followed.transition.encounter_id
        self._cases[self._home[key]].followed[key] = followed

    def add_evidence(self, evidence: Evidence) -> PatientCase:
        """The patient's case with the deed, which is kept."""
        self._new_evidence.append(evidence)
        case = self._cases[evidence.patient_id]
        if any(known.event_id == evidence.event_id for known in case.evidence):
            return case
        return replace(case, evidence=(*case.evidence, evidence))

    async def save(self, tx: Transaction) -> None:
        """Writes rows, history and events in the transaction's few round trips."""
        now = {key: f for case in self._cases.values() for key, f in case.followed.items()}
        changed = [f for key, f in now.items() if f is not self._stored.get(key) and f != self._stored.get(key)]
        moved: list[Followed] = []
        told: list[Followed] = []
        for f in changed:
            only_moved = f.is_same_but_version(self._stored.get(f.transition.encounter_id))
            (moved if only_moved else told).append(f)
        tasks = [task for f in told for task in self._changed_tasks(f)]
        await following.note_versions(tx.connection, moved)
        await following.save_transitions(tx.connection, told)
        await following.set_priorities(tx.connection, [f.transition for f in told if self._moved_in_order(f)])
        await following.save_tasks(tx.connection, tasks)
        await following.set_clocks(tx.connection, tasks)
        await following.keep_evidence(tx.connection, self._new_evidence)
        await following.move_evidence(tx.connection, self._moved_evidence)
        await following.write_history(tx.connection, self.drafts)
        await scored.keep(tx.connection, self.drafts)
        await tx.publish(self.drafts)

    def _moved_in_order(self, f: Followed) -> bool:
        """Whether tasks that are stored stand in another place since the stay was scored anew."""
        stored = self._stored.get(f.transition.encounter_id)
        if stored is None or not stored.tasks:
            return False
        return following.priority_of(stored.transition) != following.priority_of(f.transition)

    def _changed_tasks(self, f: Followed) -> list[tuple[Transition, Obligation]]:
        stored = self._stored.get(f.transition.encounter_id)
        known = {o.task.id: o for o in stored.tasks} if stored else {}
        return [(f.transition, o) for o in f.tasks if o != known.get(o.task.id)]
