"""The rules of a transition. `hear` folds an encounter event into what is known of the stay; `settle` derives from
that, from the patient's other stays and from the evidence what must be done. Both are pure, and `settle` depends on
nothing but what is known, so that the order between topics can't matter.
"""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from services.transitions.acknowledgements import is_acknowledgement, settle_acknowledgements
from services.transitions.disposition import STILL_PATIENT
from services.transitions.episodes import Bed, begin_of
from services.transitions.evidence import Evidence
from services.transitions.followed import Followed, PatientCase, Standing, transition_id
from services.transitions.obligations import Demand, demand, settle_tasks
from services.transitions.protocols import Library
from services.transitions.readmission import Return, is_superseded, quick_return, readmission
from services.transitions.risk.inputs import Background, inputs_of, recount_at
from services.transitions.risk.scoring import NOT_WEIGHED, Scoring
from services.transitions.task import Obligation, Why
from shared.events import Event
from shared.events.encounters import Admitted, Encounter, EncounterFact
from shared.events.people import EncounterClass, EncounterStatus, PatientSummary
from shared.events.transitions import Transition, TransitionStatus

FOLLOWED_CLASSES = frozenset(
    {EncounterClass.INPATIENT, EncounterClass.EMERGENCY, EncounterClass.OBSERVATION, EncounterClass.SHORT_STAY}
)
VOID_STATUSES = frozenset({EncounterStatus.CANCELLED, EncounterStatus.ENTERED_IN_ERROR, EncounterStatus.PLANNED})
WAS_DISCHARGED = frozenset({TransitionStatus.FOLLOWING, TransitionStatus.CLOSED, TransitionStatus.ON_HOLD})

WHY_FOLLOWING = {TransitionStatus.OPEN: Why.DISCHARGED, TransitionStatus.ON_HOLD: Why.DISCHARGED_AGAIN}
WHY_NOT_DISCHARGED = {TransitionStatus.OPEN: Why.ADMITTED, TransitionStatus.ON_HOLD: Why.DISCHARGE_TAKEN_BACK}


def hear(before: Followed | None, event: Event[EncounterFact], patient_id: str, edition: str) -> Followed | None:
    """What is known of the stay after the event; None while it is no stay to follow. Older versions change nothing."""
    encounter = event.fact.encounter
    if before is not None and encounter.version < before.encounter_version:
        return before
    if before is None and not _opens(event.fact):
        return None
    standing = _standing(encounter)
    stands_still = before is not None and before.is_discharged and standing is Standing.DISCHARGED
    discharged = standing is Standing.DISCHARGED
    return Followed(
        transition=_describe(before, event, patient_id, discharged=discharged),
        standing=standing,
        encounter_version=encounter.version,
        edition=before.edition if before else edition,
        opened_by=event.id if before is None or isinstance(event.fact, Admitted) else before.opened_by,
        discharged_by=before.discharged_by if before and stands_still else event.id if discharged else None,
        discharge_heard_at=before.discharge_heard_at
        if before and stands_still
        else event.recorded
        if discharged
        else None,
        told_historical=before.told_historical if before and (stands_still or not discharged) else event.historical,
        is_reviewed=before.is_reviewed if before else False,
        readmission_indicator=encounter.readmission_indicator,
        readmission=before.readmission if before else None,
        why=before.why if before else Why.ADMITTED,
        tasks=before.tasks if before else (),
        weighed=before.weighed if before else NOT_WEIGHED,
        recount_at=before.recount_at if before else None,
    )


def hear_patient(case: PatientCase, patient: PatientSummary) -> PatientCase:
    """Who the patient is holds for all transitions that go on; whether and when the patient died, for those that
    closed too: what a death told in error ended is owed all the same, and nobody calls a family whose booking of a
    visit is taken back after the death.
    """
    told = patient.model_copy(update={"id": case.patient_id})
    return replace(case, followed={key: _of_patient(f, told) for key, f in case.followed.items()})


def _of_patient(followed: Followed, patient: PatientSummary) -> Followed:
    status, known = followed.transition.status, followed.transition.patient
    same_death = (known.deceased, known.deceased_at) == (patient.deceased, patient.deceased_at)
    is_over = status is TransitionStatus.REVOKED or (status is TransitionStatus.CLOSED and same_death)
    if is_over or known == patient:
        return followed
    return replace(followed, transition=followed.transition.model_copy(update={"patient": patient}))


def _opens(fact: EncounterFact) -> bool:
    encounter = fact.encounter
    if _standing(encounter) is Standing.VOID:
        return False
    return encounter.encounter_class in FOLLOWED_CLASSES or isinstance(fact, Admitted)


def _standing(encounter: Encounter) -> Standing:
    outpatient = encounter.encounter_class in {EncounterClass.AMBULATORY, EncounterClass.PREADMISSION}
    if outpatient or encounter.status in VOID_STATUSES:
        return Standing.VOID
    still_there = encounter.disposition is not None and encounter.disposition.nubc == STILL_PATIENT
    if encounter.status is EncounterStatus.FINISHED and not still_there:
        return Standing.DISCHARGED
    return Standing.IN_HOSPITAL


def _describe(before: Followed | None, event: Event[EncounterFact], patient_id: str, *, discharged: bool) -> Transition:
    encounter = event.fact.encounter
    known = before.transition if before else None
    opened_at = (known.admitted_at if known else None) or (event.time if isinstance(event.fact, Admitted) else None)
    left_at = encounter.discharged_at or (known.discharged_at if known else None) or event.time
    return Transition(
        id=known.id if known else transition_id(encounter.id),
        version=known.version if known else 0,
        encounter_id=encounter.id,
        visit=encounter.visit,
        patient=encounter.patient.model_copy(update={"id": patient_id}),
        facility=encounter.facility,
        encounter_class=encounter.encounter_class,
        status=known.status if known else TransitionStatus.OPEN,
        admitted_at=encounter.admitted_at or opened_at,
        discharged_at=left_at if discharged else None,
        expected_discharge_at=encounter.expected_discharge_at,
        hospital_service=encounter.hospital_service,
        disposition=encounter.disposition if discharged else None,
        diagnoses=encounter.diagnoses,
        participants=encounter.participants,
        pcp=encounter.pcp,
        pcp_organisation=encounter.pcp_organisation,
        discharged_to=encounter.discharged_to if discharged else None,
        protocols=known.protocols if known else (),
        historical=known.historical if known else event.historical,
        admission_type=encounter.admission_type,
        risk=known.risk if known else None,
        episode_id=known.episode_id if known else None,
        returned_from=known.returned_from if known else None,
        returned_after_hours=known.returned_after_hours if known else None,
    )


def settle(case: PatientCase, library: Library) -> PatientCase:
    """What must be done for the patient, given all that is known. Settling twice changes nothing."""
    stays = {key: followed.stayed for key, followed in case.followed.items() if followed.standing is not Standing.VOID}
    settled = {}
    beds = [Bed.of(stay.transition) for stay in stays.values()]
    far = [Bed.of(stay.transition) for stay in case.context]
    for key, heard in case.followed.items():
        followed = _placed(weigh(heard, beds, case.behind, library.scoring), [*beds, *far])
        others = [*(stay for other, stay in stays.items() if other != key), *case.context]
        if followed.standing is Standing.VOID:
            settled[key] = _revoke(followed, library, case.evidence)
            continue
        again = followed.is_discharged and is_superseded(followed.stayed, others)
        demanded = demand(followed, library, case.evidence, admitted_again=again)
        tasks = _settle_all(followed, demanded, library, case.evidence)
        settled[key] = _stand(followed, demanded, tasks, readmission(followed.stayed, others))
    return replace(case, followed=settled)


def _placed(followed: Followed, beds: Iterable[Bed]) -> Followed:
    """The stay with the episode that it continues, and the stay after which the patient was back within 72 hours."""
    stay = followed.transition
    own = Bed.of(stay)
    others = [bed for bed in beds if bed.encounter_id != stay.encounter_id]
    if followed.standing is Standing.VOID or not others:
        placed: tuple[UUID | None, UUID | None, int | None] = (None, None, None)
    else:
        began, back = begin_of(own, others), quick_return(own, others)
        episode = began if began != stay.encounter_id else None
        placed = (episode, back.earlier_encounter_id if back else None, back.hours if back else None)
    if placed == (stay.episode_id, stay.returned_from, stay.returned_after_hours):
        return followed
    told = dict(zip(("episode_id", "returned_from", "returned_after_hours"), placed, strict=True))
    return replace(followed, transition=stay.model_copy(update=told))


def weigh(followed: Followed, beds: Iterable[Bed], behind: Background, scoring: Scoring) -> Followed:
    """The stay with its scores as they are now, and when its length will change one; others where it has none."""
    stay = followed.transition
    if followed.standing is Standing.VOID or not scoring.applies(stay):
        risk, weighed, recount = None, NOT_WEIGHED, None
    else:
        others = {bed.encounter_id: bed for bed in (*behind.past, *beds) if bed.encounter_id != stay.encounter_id}
        rules = scoring.rules.inputs
        inputs = inputs_of(stay, is_over=followed.is_discharged, others=others.values(), behind=behind, rules=rules)
        weighed = scoring.weigh(stay, inputs)
        risk, recount = scoring.steering(weighed), recount_at(stay, behind.now, rules)
    if (risk, weighed, recount) == (stay.risk, followed.weighed, followed.recount_at):
        return followed
    stay = stay if risk == stay.risk else stay.model_copy(update={"risk": risk})
    return replace(followed, transition=stay, weighed=weighed, recount_at=recount)


def _settle_all(
    followed: Followed, demanded: Demand, library: Library, evidence: tuple[Evidence, ...]
) -> tuple[Obligation, ...]:
    """What the stay's protocols ask for, and the notices of it that must be acknowledged."""
    notices = settle_acknowledgements(followed, library, evidence)
    of_stay = tuple(o for o in followed.tasks if not is_acknowledgement(o))
    asked = settle_tasks(
        followed if of_stay == followed.tasks else replace(followed, tasks=of_stay), demanded, evidence
    )
    return tuple(sorted((*asked, *notices), key=lambda o: (o.task.code, o.number))) if notices else asked


def _revoke(followed: Followed, library: Library, evidence: tuple[Evidence, ...]) -> Followed:
    """Nothing is owed for a stay that is none, but that a notice was acknowledged is true all the same."""
    known = {o.task.id for o in followed.tasks}
    judged = {o.task.id: o for o in settle_acknowledgements(followed, library, evidence) if o.task.id in known}
    kept = (judged.get(o.task.id, o) for o in followed.tasks)
    tasks = tuple(o.cancel(Why.STAY_CANCELLED) if o.is_live else o for o in kept)
    transition = followed.transition.model_copy(update={"status": TransitionStatus.REVOKED})
    return replace(
        followed, transition=transition, tasks=tasks, readmission=None, why=Why.STAY_CANCELLED, recount_at=None
    )


def _stand(followed: Followed, demanded: Demand, tasks: tuple[Obligation, ...], returned: Return | None) -> Followed:
    is_historical = demanded.is_historical
    waits_for_review = is_historical and not followed.is_reviewed
    has_work = waits_for_review or any(o.is_live for o in tasks)
    status = _status(followed, has_work=has_work)
    # While the discharge is taken back, the transition shows what it ran under before.
    protocols = followed.transition.protocols if status is TransitionStatus.ON_HOLD else demanded.protocols
    described = {"status": status, "protocols": protocols, "historical": is_historical}
    return replace(
        followed,
        transition=followed.transition.model_copy(update=described),
        tasks=tasks,
        readmission=returned,
        why=_why(followed, status, demanded, tasks),
    )


def _status(followed: Followed, *, has_work: bool) -> TransitionStatus:
    if followed.is_discharged:
        return TransitionStatus.FOLLOWING if has_work else TransitionStatus.CLOSED
    return TransitionStatus.ON_HOLD if followed.transition.status in WAS_DISCHARGED else TransitionStatus.OPEN


def _why(followed: Followed, status: TransitionStatus, demanded: Demand, tasks: tuple[Obligation, ...]) -> Why:
    was = followed.transition.status
    is_new = followed.transition.version == 0
    if status is TransitionStatus.CLOSED:
        died_later = was is status and followed.transition.patient.deceased and not demanded.is_silenced
        return followed.why if died_later else _why_closed(followed, demanded, tasks)
    if demanded.is_historical:
        return Why.HISTORICAL
    if status is was and not is_new:
        return followed.why
    if status is TransitionStatus.FOLLOWING:
        return WHY_FOLLOWING.get(was, Why.CORRECTED)
    return Why.STAY_REINSTATED if was is TransitionStatus.REVOKED else WHY_NOT_DISCHARGED[status]


def _why_closed(followed: Followed, demanded: Demand, tasks: tuple[Obligation, ...]) -> Why:
    if followed.is_reviewed:
        return Why.REVIEWED
    if demanded.is_silenced or followed.transition.patient.deceased:
        return Why.PATIENT_DIED
    if any(o.why is Why.ADMITTED_AGAIN for o in tasks):
        return Why.ADMITTED_AGAIN
    return Why.ALL_DONE if tasks else Why.NOTHING_TO_DO
