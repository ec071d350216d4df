"""Referrals in the database: heard, done by the API, timed, held as duplicates, re-keyed. Own words are not news."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from services.transitions.api import transitions_router
from services.transitions.quality.counter import Counter
from services.transitions.referrals.api import referrals_router
from services.transitions.referrals.ticking import loop_keeper
from shared.events import AnyEvent
from shared.events.encounters import PatientMerged
from shared.events.followups import AppointmentAttended, AppointmentBooked
from shared.events.people import PatientSummary
from shared.events.referrals import (
    ReferralClosed,
    ReferralDuplicateSuspected,
    ReferralEscalated,
    ReferralFact,
    ReferralOverdue,
    ReferralRequested,
    ReferralStatusAsked,
    ReferralStatusTold,
)
from shared.http import Role
from tests.integration.http.running import Answer, Client, Tokens, issuing, service
from tests.integration.transitions.house import MEASURES, RULES, House
from tests.unit.transitions.referrals_told import CHICAGO, note, told, visit
from tests.unit.transitions.stays import event_of


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, tokens: Tokens) -> AsyncIterator[Client]:
    routers = [transitions_router(house.database, house.library), referrals_router(house.database, RULES)]
    async with service(tokens, routers, database=house.database) as served:
        yield served


async def at(house: House, ago: timedelta) -> str:
    return (await house.now() - ago).isoformat()


async def ask(client: Client, path: str, body: dict[str, Any], **more: Any) -> Answer:
    return await client.ask("POST", path, more.pop("role", Role.CARE_MANAGER), json=body, **more)


async def shown(client: Client, referral: UUID | str) -> Any:
    answer = await client.ask("GET", f"/referrals/{referral}", Role.CARE_MANAGER)
    assert answer.status == 200, answer.text
    return answer.body


async def requested(house: House, ago: timedelta, **more: Any) -> tuple[UUID, AnyEvent]:
    event = told(ReferralRequested, await at(house, ago), **more)
    await house.hear(event)
    assert isinstance(event.fact, ReferralFact)
    return event.fact.referral_id, event


async def test_messages_and_one_acknowledgement_close_the_loop(house: House, client: Client) -> None:
    # The visit's message comes before the referral it is of.
    kept = visit(AppointmentAttended, await at(house, timedelta(hours=2)))
    await house.hear(kept)
    key, _ = await requested(house, timedelta(hours=3))
    await house.hear(note(await at(house, timedelta(hours=1))))
    found = await shown(client, key)
    assert (found["state"], found["waiting_for"]) == ("completed", "acknowledgement")
    body = {"version": found["version"]}
    assert (await ask(client, f"/referrals/{key}/acknowledge", {"version": 1})).status == 409
    idempotent = {"idempotency-key": str(uuid4())}
    for _ in range(2):
        closed = await ask(client, f"/referrals/{key}/acknowledge", body, headers=idempotent)
        assert (closed.status, closed.body["state"]) == (200, "closed")
    assert len(await house.facts(ReferralClosed)) == 1
    assert await house.count("SELECT count(*) FROM referral_timer WHERE fired_at IS NULL") == 0


async def test_own_statements_and_repeats_change_nothing(house: House) -> None:
    _, event = await requested(house, timedelta(hours=1))
    await house.hear(visit(AppointmentBooked, await at(house, timedelta(minutes=30))))
    before = await house.count("SELECT count(*) FROM outbox")
    own = [e for e in await house.events() if isinstance(e.fact, ReferralFact)]
    assert own
    await house.hear(*own, event)
    assert await house.count("SELECT count(*) FROM outbox") == before
    assert await house.count("SELECT count(*) FROM referral_deed") == 2


async def test_every_level_is_told_once_however_many_look(house: House) -> None:
    for n in range(5):
        await requested(house, timedelta(days=30), service=f"service {n}", identifier=None)
    keepers = [loop_keeper(house.database, RULES) for _ in range(2)]
    for keeper in [*keepers, *keepers]:
        await keeper.work_off()
    assert len(await house.facts(ReferralOverdue)) == 5
    assert sorted(f.level for f in await house.facts(ReferralEscalated)) == [1] * 5 + [2] * 5


async def test_an_expired_referral_is_over(house: House, client: Client) -> None:
    ends = await house.now() - timedelta(minutes=1)
    key, _ = await requested(house, timedelta(hours=1), expires_at=ends)
    await loop_keeper(house.database, RULES).work_off()
    assert (await shown(client, key))["state"] == "expired"


async def test_a_suspected_duplicate_waits_for_a_person(house: House, client: Client) -> None:
    first, _ = await requested(house, timedelta(days=3))
    second, _ = await requested(house, timedelta(hours=1), identifier=None)
    [suspected] = await house.facts(ReferralDuplicateSuspected)
    assert suspected.duplicate_of == first
    found = await shown(client, second)
    assert (found["is_held"], found["waiting_for"]) == (True, "duplicate-decision")
    listed = await client.ask("GET", "/referrals?held=true", Role.CARE_MANAGER)
    assert [item["id"] for item in listed.body["items"]] == [str(second)]
    refused = await ask(client, f"/referrals/{second}/accept", {"version": found["version"]})
    assert (refused.status, refused.body["type"]) == (409, "urn:handoff:problem:not-as-it-stands")
    decision = {"version": found["version"], "decision": "repeat", "reason": "symptoms are worse"}
    assert (await ask(client, f"/referrals/{second}/duplicate", decision)).body["held"] is False
    third, _ = await requested(house, timedelta(minutes=5), identifier=None)
    version = (await shown(client, third))["version"]
    linking = {"version": version, "decision": "link", "existing": str(first), "reason": "same question"}
    counted_before, once = _counted("link"), {"idempotency-key": str(uuid4())}
    for _ in range(2):
        linked = await ask(client, f"/referrals/{third}/duplicate", linking, headers=once)
        assert linked.status == 200
    assert _counted("link") == counted_before + 1
    assert (linked.body["state"], linked.body["duplicate_of"]) == ("cancelled", str(first))
    # Of the two that were held, a person ended one; the other is a justified repeat.
    await Counter(house.database, MEASURES, share=1.0).count_all()
    counted = await house.database.pool.fetch(
        "SELECT about, met, why FROM quality_outcome WHERE measure = 'REFERRAL-DUPLICATE-AVOIDED' ORDER BY counted_at"
    )
    assert [tuple(row.values()) for row in counted] == [
        (second, False, "a justified repeat"),
        (third, True, "linked or cancelled"),
    ]


def _counted(decision: str) -> float:
    return REGISTRY.get_sample_value("handoff_referral_duplicates_total", {"decision": decision}) or 0.0


async def test_a_question_where_it_stands_is_answered_and_changes_nothing(house: House, client: Client) -> None:
    key, _ = await requested(house, timedelta(hours=1), priority="stat")
    version = (await shown(client, key))["version"]
    now = (await house.now()).isoformat()
    await house.hear(
        told(ReferralStatusAsked, now, key), told(ReferralStatusAsked, now, patient=PatientSummary(id="p1"))
    )
    [answer] = await house.facts(ReferralStatusTold)
    assert (answer.referral_id, answer.status, answer.waiting_for, answer.version) == (
        key,
        "requested",
        "decision",
        version,
    )
    assert (await shown(client, key))["version"] == version


async def test_a_suspected_duplicate_shows_what_it_may_repeat(house: House, client: Client) -> None:
    first, _ = await requested(house, timedelta(days=3))
    await house.hear(visit(AppointmentAttended, await at(house, timedelta(days=2))))
    await house.hear(note(await at(house, timedelta(days=1))))
    second, _ = await requested(house, timedelta(hours=1), identifier=None)
    existing = (await shown(client, second))["existing"]
    assert (existing["id"], existing["state"], existing["has_result"]) == (str(first), "completed", True)
    stat, _ = await requested(house, timedelta(minutes=5), identifier=None, priority="stat")
    found = await shown(client, stat)
    assert (found["is_held"], found["existing"] is None) == (False, False)
    assert (await shown(client, first))["existing"] is None


async def discharged(house: House, client: Client) -> str:
    await house.discharge_past_due("p1", timedelta(hours=3))
    answer = await client.ask("GET", "/transitions", Role.CARE_MANAGER)
    return str(answer.body["items"][0]["transition"]["id"])


async def test_a_rejected_referral_is_routed_anew_and_both_sides_keep_to_theirs(
    house: House, client: Client, tokens: Tokens
) -> None:
    place = await discharged(house, client)
    clinic = {"authorization": f"Bearer {tokens.of(Role.PROVIDER, organisation='heart-clinic')}"}
    stranger = {"authorization": f"Bearer {tokens.of(Role.PROVIDER, organisation='skin-clinic')}"}
    body = {"service": "Cardiology", "performer": "heart-clinic", "requester": "oak", "priority": "urgent"}
    made = await ask(client, f"/transitions/{place}/referrals", body)
    assert (made.status, made.body["state"]) == (201, "requested")
    path = f"/referrals/{made.body['id']}"
    says = {"version": 1, "reason": "no capacity"}
    assert (await ask(client, f"{path}/reject", says, role=None, headers=stranger)).status == 404
    assert (await ask(client, f"{path}/error", says, role=None, headers=clinic)).status == 403
    assert (await ask(client, f"{path}/reject", {"version": 1})).status == 422
    assert (await ask(client, f"{path}/reject", says, role=None, headers=clinic)).body["state"] == "rejected"
    anew = {"version": 2, "performer": "city-heart", "reason": "no capacity"}
    key = {"idempotency-key": str(uuid4())}
    answers = [await ask(client, f"{path}/reroute", anew, headers=key) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    replacement = answers[0].body["replacement"]
    assert (answers[0].body["rerouted"]["state"], replacement["held"]) == ("rerouted", False)
    assert replacement["terms"]["replaces"] == made.body["id"]
    assert await house.count("SELECT count(*) FROM referral") == 2


async def test_a_merge_takes_the_referrals_along(house: House, client: Client) -> None:
    key, _ = await requested(house, timedelta(hours=1))
    fact = PatientMerged(patient=PatientSummary(id="p2"), retired="p1", survivor="p2")
    now: datetime = await house.now()
    await house.hear(event_of(fact, "p1", now))
    accept = await ask(client, f"/referrals/{key}/accept", {"version": 1})
    assert accept.status == 200, accept.text
    said = [event for event in await house.events("p2") if isinstance(event.fact, ReferralFact)]
    assert [(event.fact.patient.id, event.fact.status) for event in said if isinstance(event.fact, ReferralFact)] == [
        ("p2", "accepted")
    ]


async def test_a_level_told_in_between_makes_no_step_stale(house: House, client: Client) -> None:
    key, _ = await requested(house, timedelta(days=60))
    seen = (await shown(client, key))["version"]
    await loop_keeper(house.database, RULES).work_off()
    assert (await shown(client, key))["version"] > seen
    accepted = await ask(client, f"/referrals/{key}/accept", {"version": seen})
    assert (accepted.status, accepted.body["state"]) == (200, "accepted")
    late = await ask(client, f"/referrals/{key}/reject", {"version": seen, "reason": "no room"})
    assert (late.status, late.body["detail"]) == (409, "it is accepted")


async def test_a_visit_ahead_is_a_messages_word_and_no_persons(house: House, client: Client) -> None:
    key, _ = await requested(house, timedelta(hours=2))
    ahead = await house.now() + timedelta(days=3)
    await house.hear(visit(AppointmentBooked, await at(house, timedelta(hours=1)), starts_at=ahead))
    version = (await shown(client, key))["version"]
    for step in ("attend", "no-show"):
        refused = await ask(client, f"/referrals/{key}/{step}", {"version": version})
        assert (refused.status, refused.body["type"]) == (422, "urn:handoff:problem:appointment-ahead")
        assert refused.body["field"] == "body.scheduled_at"
    stands = await shown(client, key)
    assert (stands["state"], stands["version"], stands["strikes"]) == ("scheduled", version, 0)
    await house.hear(visit(AppointmentAttended, await at(house, timedelta(minutes=1)), starts_at=ahead))
    assert (await shown(client, key))["state"] == "attended"


async def test_a_loop_shows_its_levels_and_to_each_side_its_own_steps(
    house: House, client: Client, tokens: Tokens
) -> None:
    key, _ = await requested(house, timedelta(hours=1))
    found = await shown(client, key)
    assert {"accept", "cancel", "error"} <= set(found["may"])
    assert [level["level"] for level in found["levels"]] == [0, 1, 2]
    assert all(level["told_at"] is None for level in found["levels"])
    for role, own, steps in (
        (Role.PROVIDER, "heart-clinic", {"accept", "receive", "reject", "cancel"}),
        (Role.PROVIDER, "oak", {"cancel", "error", "request-cancel"}),
        (Role.AUDITOR, None, set()),
    ):
        held = {"authorization": f"Bearer {tokens.of(role, organisation=own)}"}
        answer = await client.ask("GET", f"/referrals/{key}", headers=held)
        assert (answer.status, set(answer.body["may"])) == (200, steps), own


async def test_what_names_an_unknown_order_is_listed_until_its_referral_comes(house: House, client: Client) -> None:
    await house.hear(visit(AppointmentAttended, await at(house, timedelta(hours=2)), facility=CHICAGO))
    [item] = (await client.ask("GET", "/referrals/unmatched", Role.CARE_MANAGER)).body["items"]
    assert (item["type"], item["order_number"], item["facility"]) == (AppointmentAttended.TYPE, "R1", "LAKE")
    assert (await client.ask("GET", "/referrals/unmatched", Role.PROVIDER)).status == 403
    await requested(house, timedelta(hours=3))
    assert (await client.ask("GET", "/referrals/unmatched", Role.CARE_MANAGER)).body["items"] == []
