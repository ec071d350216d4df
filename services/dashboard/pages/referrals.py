"""Closed-loop referrals, from the transitions service: the list, one loop with its clock, and each side's steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from services.dashboard.clocks import zone
from services.dashboard.forms import own_form
from services.dashboard.loops import DECISIONS, PROOFS, STATES, STEPS, level_lines, loop_of, step_body
from services.dashboard.pages.acts import Word, Words, refused, tell
from services.dashboard.pages.page import (
    CARE,
    PROVIDER,
    chosen_of,
    console_of,
    must_be_listed,
    onward,
    render,
    shown_to,
)
from services.dashboard.sight import Who
from services.dashboard.store import board
from services.dashboard.unsent import Change, deed_changes
from services.dashboard.worklines import instant
from shared.http import Caller, Problem, Role, allow, token_of

PER_PAGE = 50
LIVE: Mapping[str, Any] = {"watch": ["referrals"], "pace": 10}
"""A page that fetches itself again, no more often than every 10 s: each look is written down."""
SERVICE = "transitions"
router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, allow(*CARE, *PROVIDER, Role.AUDITOR)]
Carer = Annotated[Caller, allow(*CARE, Role.AUDITOR)]
Side = Annotated[Caller, allow(*CARE, *PROVIDER)]
Requester = Annotated[Caller, allow(*CARE)]
Choice = Annotated[str, Query(max_length=100)]
LISTS = {"open": {"is_open": "true"}, "overdue": {"overdue": "true"}, "held": {"held": "true"}, "all": {}}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list: what stands in it, whose it is, and where it goes on."""

    items: list[dict[str, Any]]
    who: dict[str, Who]
    now: datetime
    following: str | None


async def _listed(request: Request, caller: Caller, path: str, asked: dict[str, str]) -> Listed:
    asked |= {"limit": str(PER_PAGE)}
    found: dict[str, Any] = await console_of(request).peers.get(SERVICE, path, token_of(request), asked)
    now, who = await _people(request, caller, found["items"])
    return Listed(found["items"], who, now, found["next"])


@router.get("/referrals")
async def referrals_page(
    request: Request,
    caller: Reader,
    show: Choice = "open",
    state: Choice = "",
    priority: Choice = "",
    before: Choice = "",
) -> Response:
    """Last changed first: those open, late, held as duplicates, or of one state."""
    must_be_listed(show, LISTS)
    narrowed = chosen_of(state=state, priority=priority)
    listed = await _listed(request, caller, "/referrals", LISTS[show] | narrowed | chosen_of(before=before))
    return await render(
        request,
        "referrals.html",
        caller,
        loops=[(loop_of(item, listed.now), listed.who[item["patient_id"]]) for item in listed.items],
        states=STATES,
        chosen={"show": show, "state": state, "priority": priority},
        more=onward("/referrals", {"show": show} | narrowed, "before", listed.following),
        now=listed.now,
        **LIVE,
    )


@router.get("/referrals/unmatched")
async def unmatched_page(request: Request, caller: Carer, before: Choice = "") -> Response:
    """Appointments, documents and results that wait for a referral nobody has heard of."""
    path = "/referrals/unmatched"
    listed = await _listed(request, caller, path, chosen_of(before=before))
    return await render(
        request,
        "referrals-unmatched.html",
        caller,
        rows=[(item | {"at": instant(item["at"])}, listed.who[item["patient_id"]]) for item in listed.items],
        more=onward(path, {}, "before", listed.following),
        now=listed.now,
        **LIVE,
    )


@router.get("/referrals/{referral_id}")
async def referral_page(request: Request, caller: Reader, referral_id: UUID) -> Response:
    """One loop: what was asked of whom, what was heard and done, what its clock told and will tell."""
    path = f"/referrals/{referral_id}"
    found: dict[str, Any] = await console_of(request).peers.get(SERVICE, path, token_of(request))
    now, who = await _people(request, caller, [found])
    stay, same = None, []
    async with console_of(request).database.pool.acquire() as connection:
        if caller.roles & {*CARE, Role.ADMIN} and found["terms"].get("encounter_id"):
            stay = await board.transition_of_encounter(connection, UUID(found["terms"]["encounter_id"]))
    if "duplicate" in found["may"]:
        same = await _others(request, found)
    deeds = [deed | {"at": instant(deed["at"])} for deed in reversed(found["deeds"])]
    return await render(
        request,
        "referral.html",
        caller,
        referral=loop_of(found, now),
        found=found,
        who=who[found["patient_id"]],
        scheduled=instant(found["terms"].get("scheduled_at")),
        zone=_zone_of(found),
        existing_at=instant((found["existing"] or {}).get("requested_at")),
        levels=level_lines(found),
        deeds=deeds,
        proofs=PROOFS,
        steps=[STEPS[name] for name in found["may"] if name in STEPS],
        decisions=DECISIONS,
        others=same,
        stay=stay,
        now=now,
        **LIVE,
    )


async def _others(request: Request, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The one it looks like, whatever has become of it, and the patient's other open referrals, held ones too: one may
    serve.
    """
    asked = {"patient": found["patient_id"], "is_open": "true", "limit": "50"}
    said = await console_of(request).peers.get(SERVICE, "/referrals", token_of(request), asked)
    alike = found["existing"]
    held = {item["id"] for item in said["items"] if item["is_held"]}
    terms = {"service": found["terms"].get("service")}
    first = [alike | {"terms": terms, "is_held": alike["id"] in held}] if alike else []
    known = {found["id"], *(one["id"] for one in first)}
    return [*first, *(item for item in said["items"] if item["id"] not in known)]


async def _people(request: Request, caller: Caller, items: list[dict[str, Any]]) -> tuple[datetime, dict[str, Who]]:
    """The database's clock, and the patients as the caller may see them: a provider's system knows those whom its own
    referrals are about.
    """
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        who = await shown_to(connection, request, caller, "referrals", (item["patient_id"] for item in items))
    if not caller.roles & {*PROVIDER}:
        return now, who
    return now, who | {item["patient_id"]: _named(item) for item in items if item.get("terms", {}).get("patient")}


def _named(item: dict[str, Any]) -> Who:
    patient = item["terms"]["patient"]
    name = patient.get("name") or {}
    words = " ".join(part for part in (name.get("given"), name.get("middle"), name.get("family")) if part)
    born = f"born {patient['birth_date']}" if patient.get("birth_date") else ""
    return Who(item["patient_id"], words or "Name not said", born, masked=False)


def _zone_of(found: dict[str, Any]) -> str:
    return str((found["terms"].get("facility") or {}).get("time_zone") or "UTC")


@router.post("/referrals/{referral_id}/steps/{step}", dependencies=[own_form])
async def take_step(
    request: Request,
    _caller: Side,
    referral_id: UUID,
    step: str,
    version: Annotated[int, Form()],
    words: Words = "",
    scheduled: Word = "",
    once: Word = "",
) -> Response:
    """One step of the loop, told to the transitions service, which knows whose turn it is."""
    here = f"/referrals/{referral_id}"
    try:
        at = await _appointment(request, here, scheduled) if scheduled else None
        body = {"version": version} | step_body(step, words, at)
    except Problem as problem:
        return await refused(request, problem, here)
    return await _told(request, referral_id, step, body, STEPS[step].done, once)


async def _told(request: Request, referral_id: UUID, step: str, body: dict[str, Any], done: str, once: str) -> Response:
    here = f"/referrals/{referral_id}"

    async def changes(since: datetime) -> list[Change]:
        found = await console_of(request).peers.get(SERVICE, here, token_of(request))
        return deed_changes(found["deeds"], since, _zone_of(found))

    return await tell(request, SERVICE, f"{here}/{step}", body, here=here, done=done, once=once, changes=changes)


async def _appointment(request: Request, path: str, text: str) -> datetime:
    """A time as the browser's field says it, on the wall of the facility."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(422, "say when the appointment is", slug="words-missing") from None
    if at.tzinfo is not None:
        return at
    found: dict[str, Any] = await console_of(request).peers.get(SERVICE, path, token_of(request))
    return at.replace(tzinfo=zone(_zone_of(found)))


@router.post("/referrals/{referral_id}/reroute", dependencies=[own_form])
async def reroute(
    request: Request,
    _caller: Requester,
    referral_id: UUID,
    version: Annotated[int, Form()],
    performer: Word = "",
    words: Words = "",
    once: Word = "",
) -> Response:
    if not performer.strip() or not words.strip():
        unsaid = Problem(422, "say to whom it goes, and why", slug="words-missing")
        return await refused(request, unsaid, f"/referrals/{referral_id}")
    body = {"version": version, "performer": performer.strip(), "reason": words.strip()}
    return await _told(request, referral_id, "reroute", body, "Routed anew: the new referral stands in the list.", once)


@router.post("/referrals/{referral_id}/duplicate", dependencies=[own_form])
async def decide_duplicate(
    request: Request,
    _caller: Requester,
    referral_id: UUID,
    version: Annotated[int, Form()],
    decision: Word,
    existing: Word = "",
    words: Words = "",
    once: Word = "",
) -> Response:
    """Whether it is asked for twice: the other one serves, it is not wanted, or it is justified."""
    if not words.strip():
        unsaid = Problem(422, "say in a few words why", slug="words-missing")
        return await refused(request, unsaid, f"/referrals/{referral_id}")
    body: dict[str, Any] = {"version": version, "decision": decision, "reason": words.strip()}
    if decision == "link":
        body["existing"] = existing
    return await _told(request, referral_id, "duplicate", body, "Decided.", once)
