"""Pages over a real socket: who sees what, what is written down, what a form may do."""

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from services.dashboard.forms import csrf_of
from services.dashboard.session import SESSION_COOKIE
from shared.events import uuid7
from shared.events.notifications import NotificationQueued
from shared.events.transitions import TransitionStatus
from shared.http import Role
from tests.integration.dashboard.conftest import Console
from tests.integration.dashboard.told import NORTH, Story, minute, now, silence
from tests.integration.http.running import Answer

HTML = {"accept": "text/html"}


async def page(console: Console, path: str, role: Role, **claims: object) -> Answer:
    """The page as a browser gets it, with the session's cookie."""
    cookie = f"{SESSION_COOKIE}={console.tokens.of(role, **claims)}"
    return await console.client.ask("GET", path, headers={**HTML, "cookie": cookie})


async def a_discharge(console: Console, story: Story) -> dict[str, str]:
    """Ids of what a told discharge leads to."""
    admitted = story.admitted()
    opened = story.opened(admitted)
    discharged = story.discharged()
    following = story.changed(discharged, TransitionStatus.FOLLOWING)
    call = story.task(discharged, "Call the patient", now() - timedelta(hours=1))
    queued = story.notice(discharged)
    await console.take(admitted, opened, discharged, following, call, queued, story.plan(following))
    return {
        "transition": f"/transitions/{story.transition_id}",
        "delivery": f"/deliveries/{queued.fact.delivery.id}",  # type: ignore[attr-defined]
        "message": f"/messages/{story.message}",
        "event": f"/events/{discharged.id}",
        "effects": f"/api/effects/{story.message}",
    }


async def audit(console: Console) -> list[tuple[str, list[str]]]:
    rows = await console.database.pool.fetch("SELECT action, subjects FROM audit ORDER BY seq")
    return [(row["action"], list(row["subjects"])) for row in rows]


async def test_a_care_manager_reads_names_and_that_is_written_down(console: Console) -> None:
    story = Story()
    paths = await a_discharge(console, story)
    board = await page(console, "/", Role.CARE_MANAGER)
    assert "Ada Okafor" in board.text
    assert "overdue by" in board.text
    opened = await page(console, paths["transition"], Role.CARE_MANAGER)
    for shown in ("Ada Okafor", "555-0100", "Call the patient", "Weight within 2 kg", "Encounter discharged"):
        assert shown in opened.text
    assert await audit(console) == [("board", [story.patient_id]), ("transition", [story.patient_id])]


async def test_a_live_page_is_written_down_once_and_again_for_each_new_patient(console: Console) -> None:
    first, second = Story(), Story(family="Marsh", given="Eleanor")
    await a_discharge(console, first)
    for _ in range(3):
        await page(console, "/", Role.CARE_MANAGER)
    await a_discharge(console, second)
    await page(console, "/", Role.CARE_MANAGER)
    assert await audit(console) == [("board", [first.patient_id]), ("board", [second.patient_id])]


@pytest.mark.parametrize("role", [Role.OPS, Role.AUDITOR])
async def test_others_see_no_name_anywhere(console: Console, role: Role) -> None:
    story = Story()
    paths = await a_discharge(console, story)
    await console.take(minute("north", now(), 9), silence("north"))
    for path in (
        "/",
        "/feeds",
        "/pipeline",
        "/parked",
        "/deliveries",
        "/signals",
        "/messages",
        "/identity",
        "/held",
        "/replays",
        *paths.values(),
    ):
        shown = await page(console, path, role)
        assert shown.status == 200, path
        for secret in ("Okafor", "Ada ", "1948-02", "555-0100", "Heart failure", story.encounter.visit.value, "Dr Lin"):
            assert secret not in shown.text, (path, secret)
    assert f"…{story.patient_id[-6:]}" in (await page(console, "/", role)).text


async def test_no_title_and_no_link_names_anybody(console: Console) -> None:
    story = Story()
    paths = await a_discharge(console, story)
    for path in ("/", "/work", *paths.values()):
        shown = await page(console, path, Role.ADMIN)
        titled = re.findall(r"<title>.*?</title>|href=\"[^\"]*\"|action=\"[^\"]*\"", shown.text)
        assert titled or path.startswith("/api")
        assert not [text for text in titled if "Okafor" in text or story.encounter.visit.value in text]


async def test_facilities_bound_which_signals_a_care_manager_sees(console: Console) -> None:
    await console.take(silence("north", "NORTH"), silence("lake", "LAKE"), silence("exchange"))
    shown = (await page(console, "/signals", Role.CARE_MANAGER, facilities=["NORTH"])).text
    assert [f"<strong>{feed}</strong>" in shown for feed in ("north", "lake", "exchange")] == [True, False, True]


async def test_facilities_bound_what_a_care_manager_sees(console: Console) -> None:
    lake = NORTH.model_copy(update={"code": "LAKE", "name": "Lakeside"})
    paths = await a_discharge(console, Story(family="Northerner"))
    others = await a_discharge(console, Story(family="Lakesider", facility=lake))
    board = await page(console, "/", Role.CARE_MANAGER, facilities=["LAKE"])
    assert "Lakesider" in board.text
    assert "Northerner" not in board.text
    for name in ("transition", "event", "message"):
        assert (await page(console, paths[name], Role.CARE_MANAGER, facilities=["LAKE"])).status == 404, name
        assert (await page(console, others[name], Role.CARE_MANAGER, facilities=["LAKE"])).status == 200, name


async def test_an_organisation_bounds_what_its_care_manager_sees(console: Console) -> None:
    others = await a_discharge(console, Story(family="Northerner"))
    own = await a_discharge(console, Story(family="Oakley", pcp_organisation="oak"))
    shown = await page(console, "/", Role.CARE_MANAGER, organisation="oak")
    assert ("Oakley" in shown.text, "Northerner" in shown.text) == (True, False)
    for name in ("transition", "event", "message"):
        assert (await page(console, others[name], Role.CARE_MANAGER, organisation="oak")).status == 404, name
        assert (await page(console, own[name], Role.CARE_MANAGER, organisation="oak")).status == 200, name


async def test_filters_narrow_the_board(console: Console) -> None:
    late, early = Story(family="Late"), Story(family="Early")
    await a_discharge(console, late)
    admitted = early.admitted()
    await console.take(admitted, early.opened(admitted))
    shown = (await page(console, "/?overdue=true", Role.ADMIN)).text
    assert "Ada Late" in shown
    assert "Ada Early" not in shown
    assert "Ada Late" not in (await page(console, "/?facility=LAKE", Role.ADMIN)).text
    assert "Ada Late" in (await page(console, "/?role=care-manager", Role.ADMIN)).text
    assert "Ada Late" not in (await page(console, "/?role=pharmacist", Role.ADMIN)).text
    assert (await page(console, "/?stage=nowhere", Role.ADMIN)).status == 404
    assert (await page(console, "/?stage=open&after=nonsense", Role.ADMIN)).status == 422


async def test_a_full_column_leads_on(console: Console) -> None:
    events = []
    for number in range(27):
        story = Story(family=f"Guest{number:02d}", admitted_at=now() - timedelta(days=2, minutes=-number))
        admitted = story.admitted()
        events += [admitted, story.opened(admitted)]
    await console.take(*events)
    first = (await page(console, "/", Role.ADMIN)).text
    assert first.count('class="card ') == 25
    more = re.search(r'href="(/\?stage=open&amp;after=[^"]+)"', first)
    assert more is not None
    rest = (await page(console, more[1].replace("&amp;", "&"), Role.ADMIN)).text
    assert [f"Guest{number}" for number in (24, 25, 26) if f"Guest{number}" in rest] == ["Guest25", "Guest26"]


async def test_a_column_begins_with_what_escalated_then_what_is_due_then_who_is_at_risk(console: Console) -> None:
    due, hour = now(), timedelta(hours=1)
    ranks = {
        "late": (0, due, 3), "later": (0, due + hour, 1), "risky": (0, due, 1), "unscored": (0, due, None),
        "escalated": (1, due + 2 * hour, 3), "furthest": (3, due + 3 * hour, None),
    }  # fmt: skip
    names = {}
    for name, rank in ranks.items():
        story = Story(family=name)
        admitted = story.admitted()
        await console.take(admitted, story.opened(admitted))
        names[str(story.transition_id)] = name
        placed = "UPDATE board_transition SET escalation_level = $2, rank_at = $3, risk_priority = $4 WHERE id = $1"
        await console.service.database.pool.execute(placed, story.transition_id, *rank)
    found: list[str] = []
    path: str | None = "/api/board?stage=open&limit=2"
    while path is not None:
        shown = (await console.client.ask("GET", path, Role.OPS)).body
        found += [names[item["id"]] for item in shown["items"]]
        after = shown["next"]
        path = f"/api/board?stage=open&limit=2&after={quote(after)}" if after else None
    assert found == ["furthest", "escalated", "risky", "unscored", "late", "later"]


async def test_effects_are_a_tree_from_the_message(console: Console) -> None:
    paths = await a_discharge(console, Story())
    said = (await console.client.ask("GET", paths["effects"], Role.INTEGRATION)).body
    assert said["events"] == 7
    types = [effect["type"] for effect in said["effects"]]
    assert types == ["care.encounter.admitted.v1", "care.encounter.discharged.v1"]
    assert {effect["type"] for effect in said["effects"][1]["effects"]} >= {
        "care.transition.changed.v1", "care.task.created.v1", "care.notification.queued.v1",
    }  # fmt: skip
    assert (await console.client.ask("GET", f"/api/effects/{uuid7()}", Role.OPS)).body["effects"] == []


async def test_a_delivery_leads_back_to_its_message(console: Console) -> None:
    story = Story()
    paths = await a_discharge(console, story)
    shown = (await page(console, paths["delivery"], Role.OPS)).text
    assert f'href="/messages/{story.message}"' in shown
    assert "notifications does not answer" in shown


@pytest.mark.parametrize("late", [True, False])
async def test_a_delivery_of_old_news_is_shown_as_late(console: Console, *, late: bool) -> None:
    story = Story()
    paths = await a_discharge(console, story)
    queued = story.notice(story.discharged())
    sent = queued.fact.delivery.model_copy(update={"late": late})  # type: ignore[attr-defined]
    await console.take(replace(queued, fact=NotificationQueued(delivery=sent)))
    for path in ("/deliveries", f"/deliveries/{sent.id}"):
        shown = (await page(console, path, Role.OPS)).text
        assert ('<span class="flag">late</span>' in shown) is late
    assert '<span class="flag">late</span>' not in (await page(console, paths["delivery"], Role.OPS)).text


async def test_a_browser_without_a_session_is_shown_in_and_a_program_is_told(console: Console) -> None:
    answer = await console.client.ask("GET", "/", headers=HTML)
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert (await console.client.ask("GET", "/", headers={"accept": "application/json"})).status == 401
    wrong = await page(console, "/transitions/0192d5a0-0000-7000-8000-000000000000", Role.OPS)
    assert (wrong.status, "There is no such transition" in wrong.text) == (404, True)
    refused = await page(console, "/work", Role.OPS)
    assert (refused.status, "Not for this role" in refused.text) == (403, True)
    led = await page(console, "/", Role.INTEGRATION)
    assert (led.status, led.headers["location"]) == (303, "/feeds")


async def test_pages_run_no_script_but_our_own(console: Console) -> None:
    await a_discharge(console, Story())
    for path in ("/", "/login", "/feeds", "/signals", "/parked"):
        shown = await page(console, path, Role.ADMIN)
        policy = shown.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|javascript:", shown.text), path
        assert shown.headers["cache-control"] == "no-store"
    script = re.search(r'src="(/static/console.js[^"]+)"', shown.text)
    assert script is not None
    assert "immutable" in (await console.client.ask("GET", script[1])).headers["cache-control"]


async def act(console: Console, path: str, role: Role, csrf: str | None, site: str = "same-origin") -> Answer:
    token = console.tokens.of(role)
    form = {"version": "1", "csrf": csrf_of(token) if csrf is None else csrf}
    headers = {**HTML, "cookie": f"{SESSION_COOKIE}={token}", "sec-fetch-site": site}
    return await console.client.ask("POST", path, headers=headers, data=form)


async def test_a_form_must_be_ours(console: Console) -> None:
    story = Story()
    paths = await a_discharge(console, story)
    claim = f"{paths['transition']}/tasks/{uuid7()}/claim"
    assert (await act(console, claim, Role.CARE_MANAGER, "forged")).status == 403
    assert (await act(console, claim, Role.CARE_MANAGER, None, site="cross-site")).status == 403
    assert (await act(console, claim, Role.OPS, None)).status == 403
    away = await act(console, claim, Role.CARE_MANAGER, None)
    assert (away.status, away.headers["location"]) == (303, paths["transition"])
    said = re.search(r"handoff_said=[^;]+", "; ".join(away.headers.getall("set-cookie")))  # type: ignore[attr-defined]
    assert said is not None
    token = console.tokens.of(Role.CARE_MANAGER)
    back = await console.client.ask(
        "GET", paths["transition"], headers={**HTML, "cookie": f"{SESSION_COOKIE}={token}; {said[0]}"}
    )
    assert "Not done: transitions does not answer" in back.text


async def test_only_our_own_page_signs_somebody_out(console: Console) -> None:
    forged = await act(console, "/logout", Role.OPS, "forged")
    elsewhere = await act(console, "/logout", Role.OPS, None, site="cross-site")
    assert [answer.status for answer in (forged, elsewhere)] == [403, 403]
    assert not [answer for answer in (forged, elsewhere) if "set-cookie" in answer.headers]
    done = await act(console, "/logout", Role.OPS, None)
    assert (done.status, done.headers["location"]) == (303, "/login")
    assert f'{SESSION_COOKIE}=""' in done.headers["set-cookie"]


async def test_only_an_admin_has_everything_told_again(console: Console) -> None:
    await a_discharge(console, Story())
    await console.database.pool.execute(
        "INSERT INTO position (consumer, topic, partition, log_id, next_offset) VALUES ('dashboard', 't', 0, 'log', 7)"
    )
    assert (await console.client.ask("POST", "/operations/rebuild", Role.OPS)).status == 403
    assert (await console.client.ask("POST", "/operations/rebuild", Role.ADMIN)).status == 200
    for table in ("board_transition", "event_log", "person", "watermark"):
        assert await console.database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    position = await console.database.pool.fetchrow("SELECT next_offset, fence, log_id FROM position")
    assert position is not None
    assert tuple(position) == (0, 1, "log")
    assert ("rebuild", []) in await audit(console)
