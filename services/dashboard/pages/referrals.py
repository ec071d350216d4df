"""Closed-loop referrals, from the transitions service: the list, one loop with its clock, and each side's steps."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from services.dashboard.clocks import zone
from services.dashboard.forms import own_form
from services.dashboard.loops import DECISIONS, PROOFS, STATES, STEPS, level_lines, loop_of, step_body
from services.dashboard.pages.acts import Word, Words, refusal, tell
from services.dashboard.pages.page import CARE, PROVIDER, back_to, console_of, render, shown_to
from services.dashboard.sight import Who
from services.dashboard.store import board
from services.dashboard.worklines import instant
from shared.http import Caller, Problem, Role, allow, token_of

PER_PAGE = 50
EVERY_S = 10
router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, allow(*CARE, *PROVIDER, Role.AUDITOR)]
Carer = Annotated[Caller, allow(*CARE, Role.AUDITOR)]
Side = Annotated[Caller, allow(*CARE, *PROVIDER)]
Requester = Annotated[Caller, allow(*CARE)]
Choice = Annotated[str, Query(max_length=100)]
LISTS = {"open": {"is_open": "true"}, "overdue": {"overdue": "true"}, "held": {"held": "true"}, "all": {}}


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
    if show not in LISTS:
        raise Problem(404, "There is no such list", slug="unknown-view")
    narrowed = {name: value for name, value in (("state", state), ("priority", priority)) if value}
    asked = LISTS[show] | narrowed | ({"before": before} if before else {}) | {"limit": str(PER_PAGE)}
    found: dict[str, Any] = await console_of(request).peers.get("transitions", "/referrals", token_of(request), asked)
    now, who = await _people(request, caller, found["items"])
    following = found["next"]
    more = "/referrals?" + urlencode({"show": show} | narrowed | {"before": following}) if following else None
    return await render(
        request,
        "referrals.html",
        caller,
        loops=[(loop_of(item, now), who[item["patient_id"]]) for item in found["items"]],
        states=STATES,
        chosen={"show": show, "state": state, "priority": priority},
        more=more,
        now=now,
        watch=["referrals"],
        pace=EVERY_S,
    )


@router.get("/referrals/unmatched")
async def unmatched_page(request: Request, caller: Carer, before: Choice = "") -> Response:
    """Appointments, documents and results that wait for a referral nobody has heard of."""
    asked = {"limit": str(PER_PAGE)} | ({"before": before} if before else {})
    path = "/referrals/unmatched"
    found: dict[str, Any] = await console_of(request).peers.get("transitions", path, token_of(request), asked)
    now, who = await _people(request, caller, found["items"])
    following = found["next"]
    return await render(
        request,
        "referrals-unmatched.html",
        caller,
        rows=[(item | {"at": instant(item["at"])}, who[item["patient_id"]]) for item in found["items"]],
        more=f"{path}?{urlencode({'before': following})}" if following else None,
        now=now,
        watch=["referrals"],
        pace=EVERY_S,
    )


@router.get("/referrals/{referral_id}")
async def referral_page(request: Request, caller: Reader, referral_id: UUID) -> Response:
    """One loop: what was asked of whom, what was heard and done, what its clock told and will tell."""
    path = f"/referrals/{referral_id}"
    found: dict[str, Any] = await console_of(request).peers.get("transitions", path, token_of(request))
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
        levels=level_lines(found),
        deeds=deeds,
        proofs=PROOFS,
        steps=[STEPS[name] for name in found["may"] if name in STEPS],
        decisions=DECISIONS,
        others=same,
        stay=stay,
        now=now,
        watch=["referrals"],
        pace=EVERY_S,
    )


async def _others(request: Request, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The patient's other open referrals: one of them may serve."""
    asked = {"patient": found["patient_id"], "is_open": "true", "limit": "50"}
    said = await console_of(request).peers.get("transitions", "/referrals", token_of(request), asked)
    return [item for item in said["items"] if item["id"] != found["id"] and not item["is_held"]]


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
        return back_to(request, here, "bad", refusal(problem))
    return await tell(request, "transitions", f"{here}/{step}", body, here=here, done=STEPS[step].done, once=once)


async def _appointment(request: Request, path: str, text: str) -> datetime:
    """A time as the browser's field says it, on the wall of the facility."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(422, "say when the appointment is", slug="words-missing") from None
    if at.tzinfo is not None:
        return at
    found: dict[str, Any] = await console_of(request).peers.get("transitions", path, token_of(request))
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
    here = f"/referrals/{referral_id}"
    if not performer.strip() or not words.strip():
        return back_to(request, here, "bad", "Not done yet: say to whom it goes, and why.")
    body = {"version": version, "performer": performer.strip(), "reason": words.strip()}
    done = "Routed anew: the new referral stands in the list."
    return await tell(request, "transitions", f"{here}/reroute", body, here=here, done=done, once=once)


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
    here = f"/referrals/{referral_id}"
    if not words.strip():
        return back_to(request, here, "bad", "Not done yet: say in a few words why.")
    body: dict[str, Any] = {"version": version, "decision": decision, "reason": words.strip()}
    if decision == "link":
        body["existing"] = existing
    return await tell(request, "transitions", f"{here}/duplicate", body, here=here, done="Decided.", once=once)
