"""Recipients' servers that fail in every way: each delivery ends delivered or visibly dead, and harms only itself."""

import time

import pytest

from tests.integration.notifications.house import House
from tests.integration.notifications.recipients import (
    Got,
    Manner,
    Recipient,
    Writer,
    accepting,
    answering,
    dripping,
    flooding,
    hanging,
    recipient,
    resetting,
)
from tests.support.story import running, until
from tests.unit.notifications.stories import Stay

ATTEMPTS = "SELECT outcome, status, body FROM attempt ORDER BY at, number"
METADATA = answering("302 Found", "Location: http://169.254.169.254/latest/meta-data/")


@pytest.mark.parametrize(
    ("manner", "outcome", "status"),
    [
        (answering("500 Oops"), "answered", 500),
        (answering("408 Slow"), "answered", 408),
        (METADATA, "answered", 302),
        (hanging, "timed-out", None),
        (dripping, "timed-out", None),
        (resetting, "connection-lost", None),
    ],
    ids=["500", "408", "redirect", "hang", "drip", "reset"],
)
async def test_what_may_get_better_is_tried_again_later(
    house: House, manner: Manner, outcome: str, status: int | None
) -> None:
    async with recipient(manner) as one, running(house.deliverer(timeout=0.5).run):
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())

        async def tried() -> bool:
            return len(await house.rows(ATTEMPTS)) == 1

        await until(tried, "an attempt is on record")
        [attempt] = await house.rows(ATTEMPTS)
        assert (attempt["outcome"], attempt["status"]) == (outcome, status)
        [row] = await house.rows(
            "SELECT status, extract(epoch FROM due_at - now())::float8 AS wait FROM delivery d"
            " WHERE channel = 'webhook'"
        )
        assert row["status"] == "queued"
        assert 3.0 < row["wait"] <= 5.6
        one.manner = accepting
        await house.hasten()
        await house.become("delivered")
        assert one.got[0].headers["webhook-id"] == one.got[-1].headers["webhook-id"]
        assert len(one.got) == 2


@pytest.mark.parametrize(
    ("answer", "reason"), [("400 Bad", "rejected"), ("401 No", "rejected"), ("404 Lost", "rejected")]
)
async def test_a_refusal_is_final_and_visible(house: House, answer: str, reason: str) -> None:
    async with recipient(answering(answer, body=b"no such hook")) as one, running(house.deliverer().run):
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())
        await house.become("failed")
        [row] = await house.deliveries()
        assert row["reason"] == reason
        [attempt] = await house.rows(ATTEMPTS)
        assert attempt["body"] == b"no such hook"
        assert "failed" in await house.said()


async def test_gone_disables_the_endpoint_and_what_waits_for_it_fails_visibly(house: House) -> None:
    async with recipient(answering("410 Gone")) as one, running(house.deliverer().run):
        await house.register("exchange", one.url)
        stay = Stay()
        await house.hear(stay.admitted(), stay.discharged())
        await house.become("failed", "failed")
        assert [row["reason"] for row in await house.deliveries()] == ["gone", "endpoint-disabled"]
        [row] = await house.rows("SELECT status, disabled_reason FROM endpoint WHERE channel = 'webhook'")
        assert row == {"status": "disabled", "disabled_reason": "gone"}
        await house.hear(Stay("p2").discharged())
        suppressed = await house.rows("SELECT reason FROM suppression WHERE organisation = 'exchange'")
        assert [row["reason"] for row in suppressed] == ["endpoint-disabled"]


async def test_retry_after_is_honoured_and_pauses_the_endpoint(house: House) -> None:
    async with recipient(answering("429 Slow down", "Retry-After: 120")) as one, running(house.deliverer().run):
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())

        async def paused() -> bool:
            rows = await house.rows(
                "SELECT paused_until > now() + interval '100 s' AS held FROM endpoint WHERE channel = 'webhook'"
            )
            return bool(rows[0]["held"])

        await until(paused, "the endpoint is paused")
        [row] = await house.rows(
            "SELECT extract(epoch FROM due_at - now())::float8 AS wait FROM delivery WHERE channel = 'webhook'"
        )
        assert 110 < row["wait"] <= 121


async def test_a_body_without_end_is_cut_and_the_notice_counts_as_delivered(house: House) -> None:
    async with recipient(flooding) as one, running(house.deliverer().run):
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())
        await house.become("delivered")
        [attempt] = await house.rows(ATTEMPTS)
        assert len(attempt["body"]) == 2048


async def test_nobody_listens_and_a_retraction_finds_it_was_never_told(house: House) -> None:
    async with recipient() as one:
        gone = one.url.replace(str(one.port), "1")
    async with running(house.deliverer().run):
        await house.register("exchange", gone)
        await house.hear(Stay().discharged())

        async def tried() -> bool:
            return len(await house.rows(ATTEMPTS)) == 1

        await until(tried, "an attempt is on record")
        [attempt] = await house.rows(ATTEMPTS)
        assert attempt["outcome"] == "not-connected"
        [row] = await house.deliveries()
        assert not row["reached"]


async def test_the_schedule_ends_in_a_visible_failure(house: House) -> None:
    async with recipient(answering("500 Oops")) as one, running(house.deliverer().run):
        await house.register("exchange", one.url)
        await house.hear(Stay().discharged())

        async def hurried() -> bool:
            await house.hasten()
            return await house.statuses() == ["failed"]

        await until(hurried, "the schedule is exhausted")
        [row] = await house.deliveries()
        assert (row["attempts"], row["reason"]) == (10, "exhausted")
        assert len(one.got) == 10


async def test_hanging_endpoints_harm_only_themselves(house: House) -> None:
    async with recipient(hanging) as slow, recipient() as healthy:
        await house.register("exchange", slow.url, concurrency=8)
        await house.register("primary", healthy.url, concurrency=8)
        async with running(house.deliverer(timeout=15.0).run):
            await house.hear(*(Stay(f"p{number}").discharged() for number in range(100)))
            started = time.perf_counter()

            async def healthy_served() -> bool:
                return len(healthy.got) == 100

            await until(healthy_served, "the healthy endpoint has all", 10)
            assert time.perf_counter() - started < 5
            assert len(slow.got) <= 8


async def test_a_server_that_is_back_gets_what_waited_at_once(house: House) -> None:
    async with recipient(answering("503 Down")) as one, running(house.deliverer().run):
        await house.register("exchange", one.url, concurrency=1)
        await house.hear(*(Stay(f"p{number}").discharged() for number in range(12)))

        async def opened() -> bool:
            rows = await house.rows("SELECT failures FROM endpoint WHERE channel = 'webhook'")
            return int(rows[0]["failures"]) >= 5

        await until(opened, "the circuit is open")
        one.manner = accepting
        await house.database.pool.execute("UPDATE endpoint SET paused_until = '-infinity'")
        await house.become(*["delivered"] * 12)


async def test_each_patient_of_a_failing_endpoint_keeps_its_order(house: House) -> None:
    flaky = Flaky()
    async with recipient(flaky.answer) as one, running(house.deliverer().run):
        await house.register("exchange", one.url)
        stays = [Stay(f"p{number}") for number in range(10)]
        await house.hear(*(stay.admitted() for stay in stays))
        await house.hear(*(stay.discharged() for stay in stays))

        async def all_told() -> bool:
            await house.hasten()
            return await house.statuses() == ["delivered"] * 20

        await until(all_told, "everything is told")
        for stay in stays:
            accepted = [got.body["event_type"] for got in flaky.accepted if got.body["patient_id"] == stay.patient_id]
            assert accepted == ["care.encounter.admitted.v1", "care.encounter.discharged.v1"]


class Flaky:
    """Every other request fails."""

    def __init__(self) -> None:
        self.accepted: list[Got] = []
        self._count = 0

    async def answer(self, one: Recipient, got: Got, writer: Writer) -> None:
        self._count += 1
        if self._count % 2:
            await answering("500 Oops")(one, got, writer)
        else:
            self.accepted.append(got)
            await accepting(one, got, writer)
