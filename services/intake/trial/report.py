"""The conformance report: a score, what was not understood field by field, and what would be created. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.intake.chart import Stay
from services.intake.describing import describe
from services.intake.message import Outcome
from services.intake.patient import values_of
from services.intake.standing import Standing
from services.intake.statement import About
from services.intake.trial.advising import REASONS, Advice, advise, configuration_of
from services.intake.trial.trying import Trial
from services.intake.unknown_codes import told
from shared.events.people import PatientSummary

MOST_STAYS = 200
# What counts how much: a message without effect is worse than an empty field, and that worse than an unmapped code.
WEIGHTS = {"understood": 0.5, "complete": 0.3, "coded": 0.2}


class Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Score(Part):
    """Percentages, rounded down: 100 means that nothing is left to do.

    understood: messages that take effect, or are left out on purpose; complete: required fields that are filled and
    readable; coded: coded values that a map or a code system knows.
    """

    overall: int
    understood: int
    complete: int
    coded: int


class Field(Part):
    field: str
    name: str
    required: bool
    messages: int
    filled: int
    unreadable: int


class Unknown(Part):
    field: str
    code: str
    count: int


class Refused(Part):
    reason: str
    count: int
    meaning: str


class Message(Part):
    number: int
    control_id: str
    trigger: str
    outcome: str
    reason: str
    location: str


class Created(Part):
    """A stay that would be created, without anything that tells whose."""

    status: str
    encounter_class: str
    facility: str
    admitted_at: datetime | None
    discharged_at: datetime | None
    disposition: str | None
    events: int


class Thing(Part):
    """An appointment, observation, document or referral that would be known. Codes alone: texts may name somebody."""

    about: str
    status: str
    code: str | None
    at: str | None
    is_of_encounter: bool


class Report(Part):
    feed: str
    messages: int
    score: Score
    outcomes: dict[str, int]
    triggers: dict[str, int]
    refused: tuple[Refused, ...]
    listed: tuple[Message, ...]
    fields: tuple[Field, ...]
    unknown: tuple[Unknown, ...]
    doubts: dict[str, int]
    advice: tuple[Advice, ...]
    patients: int
    encounters: int
    created: tuple[Created, ...]
    things: dict[str, int]
    created_things: tuple[Thing, ...]
    events: dict[str, int]
    configuration: str


def report_of(trial: Trial) -> Report:
    stays, things = list(trial.stays), list(trial.things)
    return Report(
        feed=trial.feed.name,
        messages=trial.messages,
        score=score_of(trial),
        outcomes=dict(trial.outcomes.most_common()),
        triggers=dict(trial.triggers.most_common()),
        refused=tuple(
            Refused(reason=reason, count=count, meaning=REASONS.get(reason, ""))
            for reason, count in trial.reasons.most_common()
        ),
        listed=tuple(Message(**asdict(one)) for one in trial.listed),
        fields=tuple(Field(**asdict(one)) for one in trial.fields.values()),
        unknown=tuple(Unknown(field=f, code=c, count=n) for (f, c), n in trial.unknown.most_common(200)),
        doubts=dict(trial.doubts.most_common(50)),
        advice=tuple(advise(trial)),
        patients=trial.patients,
        encounters=len(stays),
        created=tuple(_created(stays)),
        things=dict(Counter(thing.about.value for thing in things).most_common()),
        created_things=tuple(_thing(thing) for thing in things[:MOST_STAYS]),
        events=dict(trial.events.most_common()),
        configuration=configuration_of(trial),
    )


def score_of(trial: Trial) -> Score:
    on_purpose = trial.reasons["trigger-not-taken"]
    good = trial.outcomes[Outcome.ACCEPTED] + trial.outcomes[Outcome.DUPLICATE] + on_purpose
    required = [one for one in trial.fields.values() if one.required]
    wanted = sum(one.messages for one in required)
    filled = sum(one.filled - one.unreadable for one in required)
    strange = sum(trial.unknown.values())
    parts = {
        "understood": good / trial.messages if trial.messages else 0.0,
        "complete": filled / wanted if wanted else 1.0,
        "coded": max(0.0, 1 - strange / trial.coded) if trial.coded else float(not strange),
    }
    overall = sum(WEIGHTS[name] * share for name, share in parts.items())
    shown = {name: int(100 * share + 1e-9) for name, share in parts.items()}
    return Score(overall=int(100 * overall + 1e-9) if trial.messages else 0, **shown)


def _created(stays: list[Stay]) -> Iterator[Created]:
    for stay in stays[:MOST_STAYS]:
        told = describe(stay.identity, stay.version, stay.state, PatientSummary(id="trial"))
        yield Created(
            status=told.status,
            encounter_class=told.encounter_class,
            facility=told.facility.code,
            admitted_at=told.admitted_at,
            discharged_at=told.discharged_at,
            disposition=told.disposition.nubc or told.disposition.fhir if told.disposition else None,
            events=len(stay.announced),
        )


# Where each kind keeps its code, and when it is or was.
_CODES = {About.OBSERVATION: "code", About.DOCUMENT: "document_type", About.REFERRAL: "service_code"}
_TIMES = {
    About.APPOINTMENT: "starts_at",
    About.OBSERVATION: "observed_at",
    About.DOCUMENT: "authored_at",
    About.REFERRAL: "expires_at",
}
_FIRST = {About.APPOINTMENT: "booked", About.DOCUMENT: "available", About.REFERRAL: "requested"}


def _thing(thing: Standing) -> Thing:
    values = values_of(thing.record)
    code = values.get(_CODES.get(thing.about, ""))
    return Thing(
        about=thing.about,
        status=values.get("status") or _FIRST.get(thing.about, ""),
        code=told(code) if code else None,
        at=values.get(_TIMES[thing.about]),
        is_of_encounter=thing.encounter_id is not None,
    )
