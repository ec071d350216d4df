"""A form that is refused keeps what was typed in it, says what changed, and can be sent again."""

import html
import re
from datetime import timedelta

from shared.http import Role
from tests.integration.dashboard.conftest import Desk
from tests.integration.dashboard.visiting import Visitor, field_of
from tests.integration.http.running import Answer

WORDS = 'reached the daughter; "call again" on Monday'


def shown_again(page: Answer) -> dict[str, str]:
    """The form that may be sent again, as it stands on the page."""
    form = page.text.split('id="typed-title"', 1)[1].split("</form>", 1)[0]
    fields = re.findall(r'<input[^>]*\bname="([^"]*)"[^>]*\bvalue="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in fields if name != "csrf"}


async def test_words_about_a_task_survive_that_somebody_else_changed_it(desk: Desk) -> None:
    await desk.house.discharge_past_due("p1", timedelta(hours=3))
    await desk.follow()
    transition, task, version = await desk.call()
    ann, other = Visitor(desk.console, Role.CARE_MANAGER), Visitor(desk.console, Role.ADMIN)
    page = await ann.open(f"/transitions/{transition}")
    act = f"/transitions/{transition}/tasks/{task}"
    await other.send(f"{act}/claim", {"version": str(version)})
    mine = {"version": str(version), "words": WORDS, "shown": field_of(page, "shown")[0], "once": "a-form"}
    kept = await ann.send(f"{act}/complete", mine)
    assert kept.status == 409
    again = shown_again(kept)
    assert (again["words"], again["version"], again["once"]) == (WORDS, str(version + 1), "a-form")
    for row in (("Status", "requested", "accepted"), ("Owner", "not set", "local-admin")):
        assert re.search(r"\s*".join((f">{row[0]}</th>", f"<td>{row[1]}</td>", f"<td><strong>{row[2]}")), kept.text), (
            row
        )
    await ann.send(f"{act}/complete", again)
    assert ann.said[0] == "good", ann.said
    outcome = "SELECT body ->> 'outcome' FROM task WHERE id = $1::uuid"
    assert await desk.house.database.pool.fetchval(outcome, task) == WORDS


async def test_words_about_a_referral_survive_and_what_was_done_is_told(desk: Desk) -> None:
    key = await desk.referral()
    path, version = f"/referrals/{key}", await desk.version(key)
    ann, other = Visitor(desk.console, Role.CARE_MANAGER), Visitor(desk.console, Role.ADMIN)
    shown = field_of(await ann.open(path), "shown")[0]
    await other.send(f"{path}/steps/accept", {"version": version})
    form = {"version": version, "words": WORDS, "shown": shown}
    kept = await ann.send(f"{path}/steps/hold", form)
    assert (kept.status, shown_again(kept)["words"]) == (409, WORDS)
    assert re.search(r">accept</th>\s*<td>[^<]*</td>\s*<td><strong>by local-admin", kept.text)
    await ann.send(f"{path}/steps/hold", shown_again(kept))
    assert ann.said == ("good", "Put on hold.")


async def test_words_survive_what_is_missing_and_a_service_that_is_away(desk: Desk) -> None:
    key = await desk.referral()
    path = f"/referrals/{key}"
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    kept = await ann.send(f"{path}/reroute", {"version": await desk.version(key), "performer": "city-heart"})
    assert (kept.status, shown_again(kept)["performer"]) == (422, "city-heart")
    desk.console.service.app.state.console.peers.addresses["transitions"] = "http://127.0.0.1:9"
    form = {"version": "1", "performer": "city-heart", "words": WORDS, "once": "a-form"}
    away = await ann.send(f"{path}/reroute", form)
    assert (away.status, shown_again(away)) == (503, shown_again(away) | form)


async def test_of_many_those_that_changed_are_shown_again_with_what_was_said(desk: Desk) -> None:
    for n in range(2):
        await desk.house.discharge_past_due(f"p{n}", timedelta(hours=3))
    await desk.follow()
    ann, other = Visitor(desk.console, Role.CARE_MANAGER), Visitor(desk.console, Role.ADMIN)
    marks = field_of(await ann.open("/work"), "task")
    transition, task, version = await desk.call()
    await other.send(f"/transitions/{transition}/tasks/{task}/claim", {"version": str(version)})
    form = {"action": "waive", "task": marks, "view": "my-role", "words": WORDS, "once": "many"}
    again = await ann.send("/work/many", form)
    assert (again.status, field_of(again, "task")) == (200, [f"{task}:{version + 1}"])
    assert "Done: 1." in again.text
    assert [html.unescape(words) for words in field_of(again, "words")] == [WORDS]
    await ann.send("/work/many", form | {"task": field_of(again, "task"), "once": field_of(again, "once")[0]})
    assert ann.said == ("good", "Done: 1.")


async def test_limits_that_somebody_else_has_set_are_not_overwritten_unseen(desk: Desk) -> None:
    await desk.house.discharge_past_due("p1", timedelta(hours=3))
    await desk.follow()
    transition, _, _ = await desk.call()
    path, field = f"/transitions/{transition}/monitoring", "oxygen-saturation:urgent-below"
    ann, other = Visitor(desk.console, Role.CARE_MANAGER), Visitor(desk.console, Role.ADMIN)
    await ann.send(path, {"signal": "oxygen-saturation"})
    page = await ann.open(path)
    seen = {"signal": "oxygen-saturation", "version": field_of(page, "version")[0], "shown": field_of(page, "shown")[0]}
    assert 'placeholder="usual 88"' in page.text
    for _ in range(2):
        await other.send(path, seen | {field: "91"})
        assert other.said[0] == "good", other.said
    kept = await ann.send(path, seen | {field: "86"})
    assert (kept.status, shown_again(kept)[field]) == (409, "86")
    assert re.search(r"urgent below</th>\s*<td>you wrote 86</td>\s*<td><strong>91", kept.text)
    await ann.send(path, shown_again(kept))
    assert ann.said[0] == "good", ann.said
    shown = (await ann.open(path)).text
    for words in ("urgent below 86", "advisory below 92", "own limits"):
        assert words in shown, words
