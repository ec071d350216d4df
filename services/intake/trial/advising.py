"""What to put into the feeds file, or to ask the hospital, for each thing that was not understood. Pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict
from typing_extensions import override

from services.intake.feeds import ANY, Feed, Sender
from services.intake.message import Reason
from services.intake.trial.trying import Trial
from services.intake.unknown_codes import NOT_A_CODE

ASK = "?"
"""Stands in the proposed file where only the hospital knows; the file is not taken while one is left."""

REASONS: Mapping[str, str] = {
    Reason.NO_HEADER: "The message does not begin with a usable MSH segment.",
    Reason.SEVERAL_MESSAGES: "Several messages came in one frame.",
    Reason.UNSUPPORTED_VERSION: "MSH-12 is not a version 2.x.",
    Reason.WRONG_PROCESSING_ID: "MSH-11 is not among the feed's processing_ids.",
    Reason.UNSUPPORTED_TYPE: "A message type that has no effect here; it is stored and positively acknowledged.",
    Reason.UNSUPPORTED_TRIGGER: "A trigger that has no effect here; it is stored and positively acknowledged.",
    Reason.TRIGGER_NOT_TAKEN: "Left out on purpose: the trigger is not in the feed's list of triggers.",
    Reason.NO_TRIGGER: "MSH-9 says no message type.",
    Reason.MISSING_PATIENT: "PID-3 has no identifier that the facility assigned: ask for MR or PI.",
    Reason.MISSING_RETIRED_PATIENT: "A merge without MRG-1: ask for the retired identifier.",
    Reason.NO_VISIT: "No visit number: ask for PV1-19, or PID-18, or at least PV1-44.",
    Reason.NO_IDENTIFIER: "The appointment, order, document or referral has no number of its own.",
    Reason.NOT_ABOUT_A_PATIENT: "It is about no patient; it is stored and positively acknowledged.",
    Reason.NOTHING_TO_DO: "It says nothing that has an effect here; it is stored and positively acknowledged.",
    Reason.STATED_OF_ANOTHER_PATIENT: "The number is already another patient's: ask whether numbers are reused.",
    Reason.VISIT_OF_ANOTHER_PATIENT: "The visit number is already another patient's: ask whether numbers are reused.",
    Reason.MERGE_CYCLE: "Two merges contradict each other: a person must decide.",
    Reason.RULE_FAILED: "It could not be applied: report it, with the message's structure.",
    Reason.UNREADABLE_JSON: "The body is not JSON.",
    Reason.INVALID_RESOURCE: "A FHIR resource with an element that does not fit.",
    Reason.INVALID_EVENT: "A JSON event with a field that does not fit.",
    Reason.MISSING_FORMER_NUMBER: "A move or a new number without what it was: ask for MRG-3, or for MRG-5.",
    Reason.MISSING_SECOND_PATIENT: "A link of two patients that names one: ask for the second PID.",
    Reason.OVERLAY_SUSPECTED: "A known number suddenly names somebody else: ask whether numbers are reused.",
    Reason.UNKNOWN_SENDER: "The sender (MSH-3, MSH-4) is listed under no feed.",
    Reason.SENDER_NOT_CERTIFIED: "The sender is of another feed than was named, or than its certificate says.",
    Reason.TRUNCATED_FRAME: "The connection ended before the message did.",
    Reason.FRAME_TOO_LARGE: "The message is longer than intake takes.",
    Reason.FRAME_TIMEOUT: "The rest of the message did not come in time.",
    Reason.SKIPPED_BY_PERSON: "A person decided that it has no effect.",
}
_GUESSES: Mapping[str, Mapping[str, str]] = {
    "dispositions": {
        **dict.fromkeys(("HOME", "H", "DCHOME", "SELF", "ROUTINE"), "01"),
        **dict.fromkeys(("TRANSFER", "HOSPITAL", "ACUTE"), "02"),
        **dict.fromkeys(("SNF", "NURSING", "SKILLED"), "03"),
        **dict.fromkeys(("HHA", "HHC", "HOMEHEALTH", "HOME HEALTH"), "06"),
        **dict.fromkeys(("AMA", "LAMA", "LEFT"), "07"),
        **dict.fromkeys(("EXPIRED", "EXP", "DEAD", "DIED", "DECEASED"), "20"),
        **dict.fromkeys(("JAIL", "PRISON", "POLICE"), "21"),
        **dict.fromkeys(("HOSPICE", "HOSP", "HOSPICE HOME"), "50"),
        **dict.fromkeys(("REHAB", "IRF"), "62"),
        **dict.fromkeys(("LTAC", "LTACH", "LTCH"), "63"),
        **dict.fromkeys(("PSYCH", "PSY"), "65"),
    },
    "classes": {
        **dict.fromkeys(("INP", "IP", "IN", "INPATIENT", "IMP"), "I"),
        **dict.fromkeys(("ED", "ER", "EM", "EMER", "EMERGENCY"), "E"),
        **dict.fromkeys(("OUT", "OP", "OUTPATIENT", "AMB", "CLINIC"), "O"),
        **dict.fromkeys(("OBS", "OBV", "OBSERVATION"), "V"),
        **dict.fromkeys(("PRE", "PREADMIT"), "P"),
        **dict.fromkeys(("REC", "RECURRING", "SERIES"), "R"),
        **dict.fromkeys(("SDS", "SHORT STAY", "DAY"), "S"),
    },
}
_MAPS: Mapping[str, str] = {
    "PV1-36": "dispositions",
    "Encounter.hospitalization.dischargeDisposition": "dispositions",
    "PV1-2": "classes",
    "Encounter.class": "classes",
    "PV1-3.4": "facilities",
    "PID-3.4": "authorities",
}


class Advice(BaseModel):
    """`put` is what to write under the feed in the feeds file; empty where the hospital must be asked."""

    model_config = ConfigDict(frozen=True)

    about: str
    count: int
    what: str
    put: str = ""


def advise(trial: Trial) -> Iterator[Advice]:
    """The most important first: who sends, what is refused, times, codes, empty fields."""
    yield from _on_senders(trial)
    if wrong := trial.reasons[Reason.WRONG_PROCESSING_ID]:
        ids = sorted({*trial.feed.processing_ids, *(one for one in trial.processing_ids if one)})
        what = "Messages are marked as tests or training. Take them only where this is no production feed."
        yield Advice(about="MSH-11", count=wrong, what=what, put=_line("processing_ids", ids))
    yield from _on_times(trial)
    for (field, code), count in trial.unknown.most_common(50):
        yield _on_code(field, code, count)
    for one in trial.fields.values():
        missing = one.messages - one.filled
        if missing:
            need = "required" if one.required else "expected"
            yield Advice(
                about=one.field, count=missing, what=f"Empty, but {need}: {one.name}. Ask the hospital for it."
            )
        if one.unreadable:
            yield Advice(about=one.field, count=one.unreadable, what=f"The {one.name} can't be read as it was sent.")


def _on_senders(trial: Trial) -> Iterator[Advice]:
    for (application, facility), count in trial.senders.most_common(10):
        if not any(_covers(sender, application, facility) for sender in trial.feed.senders):
            put = _line("senders", [{"application": application or ANY, "facility": facility or ANY}])
            what = "This sender (MSH-3, MSH-4) is not listed under the feed: its messages would be refused."
            yield Advice(about="MSH-4", count=count, what=what, put=put)


def _covers(sender: Sender, application: str, facility: str) -> bool:
    return sender.application in {ANY, application} and sender.facility in {ANY, facility}


def _on_times(trial: Trial) -> Iterator[Advice]:
    bare = trial.offsets["none"]
    zone = trial.feed.facility.time_zone
    if bare and zone == "UTC":
        what = "Times have no offset, and the feed's zone is UTC. Ask in which zone the hospital's clock runs."
        yield Advice(about="MSH-7", count=bare, what=what, put=_line("facility", {"time_zone": ASK}))
    for offset, count in trial.offsets.most_common():
        if offset != "none" and not _could_be(trial, offset):
            what = f"Times have the offset {offset}, which {zone} never has: is it the right zone?"
            yield Advice(about="MSH-7", count=count, what=what)


def _could_be(trial: Trial, offset: str) -> bool:
    """Whether the zone has this offset now or half a year from now."""
    moments = (trial.now, trial.now + timedelta(days=182))
    return offset in {moment.astimezone(trial.feed.zone).strftime("%z") for moment in moments}


def _on_code(field: str, code: str, count: int) -> Advice:
    if code == NOT_A_CODE:
        what = "Free text where a code should be. Ask the hospital which field holds the code."
        return Advice(about=field, count=count, what=what)
    table = _MAPS.get(field, "")
    guess = _GUESSES.get(table, {}).get(code.upper())
    what = f"The code {code} is in no map." + (f" It is probably {guess}." if guess else " Ask what it means.")
    if not table:
        return Advice(about=field, count=count, what=what)
    value: Any = guess or ASK
    if table == "facilities":
        value = {"code": code, "time_zone": ASK}
    return Advice(about=field, count=count, what=what, put=_line(table, {code: value}))


class _Indented(yaml.SafeDumper):
    @override
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _line(key: str, value: Any) -> str:
    return str(yaml.safe_dump({key: value}, default_flow_style=None, width=1000, sort_keys=False)).strip()


def configuration_of(trial: Trial) -> str:
    """The feed as it could stand in the feeds file: as it is now, with what was found put in."""
    said = feed_as_written(trial.feed)
    if trial.is_new:
        # Offsets alone do not tell: deadlines follow the zone's clock, summer and winter.
        said["facility"]["time_zone"] = ASK
    listed = said.setdefault("senders", [])
    for (application, facility), _ in trial.senders.most_common(10):
        if not any(_covers(sender, application, facility) for sender in trial.feed.senders):
            listed.append({"application": application or ANY, "facility": facility or ANY})
    for (field, code), _ in trial.unknown.most_common(200):
        table = _MAPS.get(field, "")
        guess = _GUESSES.get(table, {}).get(code.upper(), ASK)
        if table and code != NOT_A_CODE:
            said.setdefault(table, {})[code] = {"code": code, "time_zone": ASK} if table == "facilities" else guess
    # Indented as the lists of the feeds file are: what is under `feeds:` can be appended to it as it is.
    text = str(yaml.dump({"feeds": [said]}, Dumper=_Indented, default_flow_style=None, width=110, sort_keys=False))
    return f"# Every {ASK} waits for the hospital's answer.\n{text}" if ASK in text else text


def feed_as_written(feed: Feed) -> dict[str, Any]:
    """The feed with what differs from the defaults, in the order of the file."""
    said = feed.model_dump(mode="json", exclude_defaults=True)
    said["facility"] = feed.facility.model_dump(exclude_none=True)
    return said
