"""Says what intake, transitions and careplan would say of made-up referrals, plans and follow-ups."""

from datetime import timedelta
from itertools import count
from typing import Any

from shared.events import AnyEvent, Fact, Topic, uuid7
from shared.events.followups import AppointmentFact, ContactMade
from shared.events.people import Identifier
from shared.events.plans import Activity, CarePlan, PlanActivated, PlanFact, PlanStatus, TeamMember
from shared.events.referrals import ReferralFact
from tests.unit.notifications.stories import ATTENDING_NPI, GENERAL, NOW, PCP_NPI, event, patient


class Coordinated:
    """One referral, plan or appointment; each call makes its next event, a minute after the one before."""

    def __init__(self, patient_id: str = "p1") -> None:
        self.id, self.encounter_id, self.transition_id = uuid7(), uuid7(), uuid7()
        self.patient = patient(patient_id)
        self._sequence = count(1)

    def referral(self, kind: type[ReferralFact], **said: Any) -> AnyEvent:
        told: dict[str, Any] = {"requester_npi": PCP_NPI, "performer": "WILLOW", "service": "Cardiology", **said}
        fact = kind(referral_id=self.id, version=1, patient=self.patient, facility=GENERAL, status="requested", **told)
        return self._event(fact, Topic.REFERRALS)

    def plan(self, kind: type[PlanFact] = PlanActivated) -> AnyEvent:
        plan = CarePlan(
            id=self.id,
            version=1,
            patient=self.patient,
            facility=GENERAL,
            transition_id=self.transition_id,
            encounter_id=self.encounter_id,
            status=PlanStatus.ACTIVE,
            template="general-discharge",
            template_version="1",
            activities=(Activity(code="call", title="Call the patient"),),
            team=(TeamMember(role="attending", npi=ATTENDING_NPI), TeamMember(role="pcp", npi=PCP_NPI)),
        )
        return self._event(kind(plan=plan, reason="discharged"), Topic.PLANS)

    def appointment(self, kind: type[AppointmentFact]) -> AnyEvent:
        fact = kind(
            followup_id=self.id,
            patient=self.patient,
            facility=GENERAL,
            appointment=Identifier(authority="CLINIC", value="A1"),
            starts_at=NOW + timedelta(days=7),
            note="Sounded afraid on the phone",
        )
        return self._event(fact, Topic.FOLLOWUPS)

    def contact(self) -> AnyEvent:
        return self._event(ContactMade(followup_id=self.id, patient=self.patient), Topic.FOLLOWUPS)

    def _event(self, fact: Fact, topic: Topic) -> AnyEvent:
        return event(fact, self.patient.id, str(self.id), next(self._sequence), topic=topic)
