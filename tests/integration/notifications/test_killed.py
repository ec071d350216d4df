"""A process that dies between the post and the closing: the notice comes again, under the same webhook-id."""

from datetime import timedelta
from typing import Any

from services.notifications.closing import Finished, close_attempts
from services.notifications.retrying import Answer, Outcome, Verdict
from services.notifications.store import sending
from tests.integration.notifications.house import House
from tests.integration.notifications.recipients import Got, accepting, hanging, recipient
from tests.support.story import running, until
from tests.unit.notifications.stories import Stay


async def test_killed_between_post_and_close_it_is_sent_again_under_the_same_id(house: House) -> None:
    async with recipient(hanging) as one:
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())
        await _die_after_the_post(house, one.got)
        assert await house.statuses() == ["delivering"]
        one.manner = accepting
        async with running(house.deliverer("0").run):
            await house.become("delivered")
        first, second = one.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.raw == second.raw


async def test_another_process_takes_over_when_the_lease_has_run_out(house: House) -> None:
    async with recipient(hanging) as one:
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())
        await _die_after_the_post(house, one.got)
        one.manner = accepting
        async with running(house.deliverer("1").run):
            await house.database.pool.execute("UPDATE delivery SET leased_until = now() - interval '1 s'")
            await house.become("delivered")
        assert len({got.headers["webhook-id"] for got in one.got}) == 1


async def test_a_late_closing_with_an_old_token_changes_nothing(house: House) -> None:
    await house.register("exchange", "http://127.0.0.1:1/hook")
    await house.hear(Stay().discharged())
    [row] = await _claim(house, "zombie")
    await house.database.pool.execute("UPDATE delivery SET leased_until = now() - interval '1 s'")
    assert await sending.release_expired(house.database.pool) == 1
    [again] = await _claim(house, "successor")
    answer = Answer(outcome=Outcome.ANSWERED, status=400)
    late = Finished(row=row, answer=answer, verdict=Verdict(status="failed", reason="rejected"))
    await close_attempts(house.database, [late])
    assert await house.statuses() == ["delivering"]
    done = Finished(row=again, answer=Answer(outcome=Outcome.ANSWERED, status=204), verdict=Verdict(status="delivered"))
    await close_attempts(house.database, [done])
    assert await house.statuses() == ["delivered"]
    assert "failed" not in await house.said()


async def _claim(house: House, owner: str) -> list[Any]:
    return await sending.claim(
        house.database.pool, owner=owner, lease=timedelta(seconds=60), busy={}, limit=10, circuit=5
    )


async def _die_after_the_post(house: House, got: list[Got]) -> None:
    """The loop ends as by a kill: nothing of what is under way is closed."""
    doomed = house.deliverer("0", settle_seconds=0.0)
    async with running(doomed.run):

        async def posted() -> bool:
            return len(got) == 1

        await until(posted, "it is posted")
