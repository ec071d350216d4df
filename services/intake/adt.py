"""ADT messages: what one says of a patient and of a stay."""

from typing import Any

from services.intake import person
from services.intake.allergies import allergies
from services.intake.codes import class_of, disposition_of
from services.intake.context import FURTHEST_AHEAD, FURTHEST_PLANNED, Context, sortable
from services.intake.diagnoses import diagnoses
from services.intake.message import Action, AdtMessage, Former, Movement, Rank, Reason, StayFact
from services.intake.person import Person, put
from services.intake.refusals import held, missing, skipped
from services.intake.times import Moment
from services.intake.triggers import (
    ACCOUNT_CHANGES,
    AMENDS_MOVEMENT,
    MERGES,
    MOVES,
    RANKS,
    VISIT_CHANGES,
    WITHOUT_STAY,
)
from shared.events.people import Identifier

# "Not applicable" and "unknown" say nothing about the class: they must not overwrite a known one.
_NO_CLASS = frozenset({"N", "U"})
_PLAIN = {"admission_type": 4, "hospital_service": 10, "readmission_indicator": 13, "admit_source": 14}
_ABOUT_ACCOUNT = ACCOUNT_CHANGES | {"A44"}
_ABOUT_VISIT = VISIT_CHANGES | {"A45"}
_ABOUT_FORMER = ACCOUNT_CHANGES | VISIT_CHANGES | MOVES
_PERSON_ROLES = {"ATND": 7, "REF": 8, "CON": 9, "ADM": 17}


class AdtReader(Context):
    def message(self, who: Person) -> AdtMessage:
        trigger, found = self.heading.trigger, who.identifiers
        sent = self.sent()
        recorded = self.moment("EVN-2", self.event.text(2), FURTHEST_AHEAD)
        happened = self.moment("EVN-6", self.event.text(6), FURTHEST_AHEAD)
        key = self.order(RANKS[trigger], recorded, sent)
        movement, begun = self._movement() if "ZBE" in self.source.lines else (None, None)
        if trigger == AMENDS_MOVEMENT and movement is None:
            raise skipped(Reason.UNSUPPORTED_TRIGGER)
        times = (("ZBE-2", begun), ("EVN-6", happened), ("EVN-2", recorded), ("MSH-7", sent))
        source, occurred = next(((name, m.at) for name, m in times if m), ("received", self.received))
        retired = self._retired(found) if trigger in MERGES | MOVES else ()
        former = self._former() if trigger in _ABOUT_FORMER else None
        visit = None if trigger in WITHOUT_STAY or self._is_without_stay(who) else self._visit(who)
        fact = None
        if visit or former:
            said = _account(who) if former else self._said(who)
            fact = StayFact(
                trigger, key, occurred.isoformat(), source, said, self.moments, None if former else movement
            )
        said_of_person = self.demographics(who)
        return AdtMessage(
            trigger=trigger,
            order=key,
            occurred=occurred,
            identifiers=found,
            demographics={**said_of_person, **self._standing_of_the_person()},
            visit=visit,
            fact=fact,
            retired=retired,
            former=former,
            doubts=tuple(dict.fromkeys(self.doubts)),
        )

    def _movement(self) -> tuple[Movement | None, Moment | None]:
        """ZBE, and when what the message tells happened by it: a cancel's own time is not that of the movement."""
        zbe = self.segment("ZBE")
        named = self.entity(zbe, 1, "ZBE-1")
        action = _action(zbe.text(4), self.heading.trigger)
        if named is None or action is None:
            self.doubts.append("ZBE-1" if named is None else "ZBE-4")
            return None, None
        starts = self.moment("ZBE-2", zbe.text(2))
        movement = Movement(
            id=f"{named.value}^{named.authority}",
            action=action,
            is_historic=(zbe.text(5) or "").upper() == "Y",
            starts=sortable(starts.at) if starts else "",
            original=(zbe.text(6) or "").upper() if action is Action.UPDATE else "",
        )
        return movement, None if action is Action.CANCEL else starts

    def _retired(self, survivor: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
        """MRG-1, first the identifier of the kind that stands for the survivor."""
        merge = self.source.first("MRG")
        found = person.assigned(person.identifiers(merge, 1, self.feed)) if merge else ()
        if not found:
            raise missing("MRG^1^1", Reason.MISSING_RETIRED_PATIENT, "MRG-1 has no identifier")
        kind = (survivor[0].authority, survivor[0].type)
        return tuple(sorted(found, key=lambda one: (one.authority, one.type) != kind))

    def _former(self) -> Former:
        """MRG-3 and MRG-5. Raises UnacceptableError where the one that the trigger is about is missing."""
        merge = self.segment("MRG")
        former = Former(
            person.identifier(merge, 3, "AN", self.feed),
            person.identifier(merge, 5, "VN", self.feed) or person.identifier(merge, 6, "VN", self.feed),
        )
        trigger = self.heading.trigger
        if trigger in _ABOUT_ACCOUNT and former.account is None:
            raise missing("MRG^1^3", Reason.MISSING_FORMER_NUMBER, "MRG-3 has no account number")
        if trigger in _ABOUT_VISIT and former.visit is None:
            raise missing("MRG^1^5", Reason.MISSING_FORMER_NUMBER, "MRG-5 has no visit number")
        return former

    def _standing_of_the_person(self) -> dict[str, Any]:
        match self.heading.trigger:
            case "A28":
                return {"is_active": True}
            case "A29":
                return {"is_active": False}
            case "A60":
                return allergies(self.source)
            case _:
                return {}

    def _is_without_stay(self, who: Person) -> bool:
        """Without PV1 and account it says nothing of any stay, whatever its trigger: of the patient alone."""
        if "PV1" in self.source.lines or who.account:
            return False
        self.doubts.append("PV1")
        return True

    def _visit(self, who: Person) -> Identifier:
        visit = self.visit(who)
        if visit is None:
            raise held(Reason.NO_VISIT)
        return visit

    def _said(self, who: Person) -> dict[str, Any]:
        said: dict[str, Any] = {}
        pv1 = self.pv1
        for name, number in _PLAIN.items():
            if pv1.raw(number):
                put(said, name, pv1, number, pv1.text(number))
        code = pv1.text(2)
        if code and code not in _NO_CLASS:
            said["class"] = class_of(self.feed.classes.get(code, code)).value
        put(said, "location", pv1, 3, self._location(3))
        put(said, "prior_location", pv1, 6, self._location(6))
        put(said, "discharged_to", pv1, 37, pv1.text(37))
        word = pv1.text(36)
        disposition = disposition_of(word, self.feed.dispositions) if word else None
        if disposition and disposition.nubc is None:
            self.doubts.append("PV1-36")
        put(said, "disposition", pv1, 36, disposition.model_dump() if disposition else None)
        self._put_times(said)
        self._put_people(said)
        if who.account or who.is_account_null:
            said["account"] = who.account.model_dump() if who.account else None
        if diagnoses := self._diagnoses():
            said["diagnoses"] = diagnoses
        return said

    def _put_times(self, said: dict[str, Any]) -> None:
        times = (
            ("admitted_at", self.pv1, "PV1", 44, FURTHEST_PLANNED),
            ("discharged_at", self.pv1, "PV1", 45, FURTHEST_AHEAD),
            ("expected_admission_at", self.pv2, "PV2", 8, FURTHEST_PLANNED),
            ("expected_discharge_at", self.pv2, "PV2", 9, FURTHEST_PLANNED),
            ("expected_return_at", self.pv2, "PV2", 47, FURTHEST_PLANNED),
        )
        for name, segment, label, number, ahead in times:
            if not segment.raw(number):
                continue
            moment = self.moment(f"{label}-{number}", segment.text(number), ahead)
            if moment and not moment.names_a_day:
                self.doubts.append(f"{label}-{number} without a day")
                moment = None
            put(said, name, segment, number, moment.iso if moment else None)

    def _put_people(self, said: dict[str, Any]) -> None:
        for role, number in _PERSON_ROLES.items():
            put(said, role, self.pv1, number, person.practitioners(self.pv1, number))
        for line in self.source.lines.get("PD1", ())[:1]:
            said.update(person.read_primary_care(line, self.source.separators))

    def _location(self, number: int) -> dict[str, str] | None:
        place = self.pv1.value(number)
        parts = enumerate(("point_of_care", "room", "bed", "facility"), 1)
        return {name: text for component, name in parts if (text := place[component])} or None

    def _diagnoses(self) -> list[dict[str, Any]]:
        """All DG1 segments: a snapshot, replaced as a whole. The reason of admission (PV2-3) where there are none."""
        lines = self.source.lines.get("DG1")
        if lines is None:
            coded = self.pv2.value(3)
            return [{"code": coded[1], "text": coded[2], "system": coded[3], "type": "A"}] if coded[1] else []
        return diagnoses(lines, self.source.separators)


def _action(word: str | None, trigger: str) -> Action | None:
    """ZBE-4, or what follows from the trigger where it is not said. A08 never inserts a movement."""
    if not word:
        action: Action | None = Action.CANCEL if RANKS[trigger] == Rank.CANCEL else Action.INSERT
    else:
        action = {**Action.__members__, "DELETE": Action.CANCEL}.get(word.upper())
    return Action.UPDATE if action is Action.INSERT and trigger in {"A08", AMENDS_MOVEMENT} else action


def _account(who: Person) -> dict[str, Any]:
    return {"account": who.account.model_dump()} if who.account else {}
