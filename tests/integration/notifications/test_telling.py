"""From an event to a recipient's server: who is told, in what order, signed how."""

from dataclasses import replace
from datetime import timedelta

from standardwebhooks import Webhook

from services.notifications.signing import shown
from shared.events.encounters import AdmissionCancelled, DischargeCancelled, EncounterUpdated
from shared.events.followups import AppointmentBooked, AppointmentCancelled
from shared.events.people import EncounterStatus
from shared.events.plans import PlanActivated
from shared.events.referrals import ReferralCancelled, ReferralRequested
from tests.integration.notifications.house import House
from tests.integration.notifications.recipients import recipient
from tests.support.story import running
from tests.unit.notifications.coordinated import Coordinated
from tests.unit.notifications.stories import Stay, merged


async def test_a_discharge_reaches_primary_care_signed(house: House) -> None:
    async with recipient() as primary, running(house.deliverer().run):
        endpoint = await house.register("primary", primary.url)
        event = Stay().discharged()
        await house.hear(event)
        await house.become("delivered")
        [got] = primary.got
        [row] = await house.deliveries()
        Webhook(shown(house.secrets[endpoint])).verify(got.raw, got.headers)
        assert got.headers["webhook-id"] == str(row["id"]) == got.body["notice_id"]
        assert got.body["event_id"] == str(event.id)
        assert got.body["encounter"]["patient"]["name"] == "Yellow Canary"
        assert got.body["encounter"]["treating"][0]["name"] == "Ana Attending"
        assert got.body["encounter"]["facility"]["name"] == "General Hospital"
        assert got.body["bases"] == ["pcp"]


async def test_one_event_is_one_notice_for_each_endpoint_with_all_bases(house: House) -> None:
    async with recipient() as first, recipient() as second, running(house.deliverer().run):
        await house.register("exchange", first.url)
        await house.register("primary", second.url)
        await house.hear(Stay().discharged())
        await house.become("delivered", "delivered")
        assert (len(first.got), len(second.got)) == (1, 1)
        rows = {row["organisation"]: row["bases"] for row in await house.deliveries()}
        assert rows == {"exchange": ["subscription"], "primary": ["pcp"]}
        [suppressed] = await house.rows("SELECT * FROM suppression")
        assert (suppressed["organisation"], suppressed["reason"]) == ("hospitalists", "no-recipient")


async def test_an_organisation_with_a_topic_reads_it_there_in_the_same_transaction(house: House) -> None:
    await house.hear(Stay().discharged())
    rows = await house.rows("SELECT topic, type, subject FROM outbox WHERE topic LIKE 'care.provider.%'")
    assert [tuple(row.values()) for row in rows] == [("care.provider.reader.v1", "care.provider.notice.v1", "p1")]
    [row] = await house.rows("SELECT status, closed_at FROM delivery WHERE channel = 'kafka'")
    assert row["status"] == "delivered"
    assert row["closed_at"] is not None
    # What ends in the transaction that queues it is told by its end.
    assert "delivered" in (said := set(await house.said()))
    assert "queued" not in said


async def test_news_of_two_days_ago_is_told_as_late(house: House) -> None:
    async with recipient() as primary, running(house.deliverer().run):
        await house.register("primary", primary.url)
        discharge = Stay().discharged()
        await house.hear(replace(discharge, recorded=discharge.time + timedelta(days=2)))
        await house.become("delivered")
        assert primary.got[0].body["late"] is True
        assert primary.got[0].body["recorded_at"] == "2026-03-12T12:01:00Z"
        told = await house.rows(
            "SELECT convert_from(value, 'UTF8') AS value FROM outbox WHERE topic LIKE 'care.notif%'"
        )
        assert all('"late":true' in row["value"] for row in told)


async def test_a_referral_reaches_both_sides_and_its_cancel_follows(house: House) -> None:
    async with recipient() as primary, recipient() as nursing, running(house.deliverer().run):
        await house.register("primary", primary.url)
        await house.register("nursing", nursing.url, body="thin")
        asked = Coordinated()
        requested = asked.referral(ReferralRequested, performer="nursing")
        await house.hear(requested)
        await house.become("delivered", "delivered")
        assert primary.got[0].body["referral"]["service"] == "Cardiology"
        assert primary.got[0].body["bases"] == ["requester"]
        assert "referral" not in nursing.got[0].body
        await house.hear(asked.referral(ReferralCancelled, performer="nursing"))
        await house.become("retracted", "retracted", "delivered", "delivered")
        assert primary.got[1].body["retracts"] == nursing.got[1].body["retracts"] == [str(requested.id)]


async def test_plans_and_appointments_reach_those_alone_who_chose_them(house: House) -> None:
    async with recipient() as primary, recipient() as exchange, running(house.deliverer().run):
        await house.register("primary", primary.url)
        await house.hear(Coordinated().plan(), Coordinated().appointment(AppointmentBooked))
        assert await house.rows("SELECT event_id FROM notice") == []
        await house.register("exchange", exchange.url, event_types=[PlanActivated.TYPE, AppointmentBooked.TYPE])
        visit = Coordinated()
        await house.hear(Coordinated().plan(), visit.appointment(AppointmentBooked))
        await house.become("delivered", "delivered")
        await house.hear(visit.appointment(AppointmentCancelled))
        await house.become("delivered", "retracted", "delivered")
        assert exchange.got[0].body["plan"]["activities"][0]["title"] == "Call the patient"
        assert primary.got == []
        assert await house.rows("SELECT reason FROM suppression") == []


async def test_a_thin_notice_holds_ids_only(house: House) -> None:
    async with recipient() as primary, running(house.deliverer().run):
        await house.register("primary", primary.url, body="thin")
        await house.hear(Stay().discharged())
        await house.become("delivered")
        assert b"Canary" not in primary.got[0].raw
        assert b"MRN" not in primary.got[0].raw
        assert primary.got[0].body["encounter_id"]


async def test_a_patients_notices_arrive_in_order(house: House) -> None:
    async with recipient() as exchange, running(house.deliverer().run):
        await house.register("exchange", exchange.url)
        stay = Stay()
        first, last = stay.admitted(), stay.discharged()
        await house.hear(first, last, stay.says(DischargeCancelled, retracts=(last.id,)), stay.discharged())
        await house.become("delivered", "retracted", "delivered")
        assert exchange.types() == ["admitted", "discharged"]


async def test_a_retraction_goes_to_exactly_those_who_were_told(house: House) -> None:
    async with recipient() as told, recipient() as late, running(house.deliverer().run):
        await house.register("exchange", told.url)
        stay = Stay()
        discharge = stay.discharged()
        await house.hear(discharge)
        await house.become("delivered")
        await house.register("primary", late.url)
        await house.hear(stay.says(DischargeCancelled, retracts=(discharge.id,)))
        await house.become("retracted", "delivered")
        assert told.types() == ["discharged", "discharge-cancelled"]
        assert told.got[1].body["retracts"] == [str(discharge.id)]
        assert late.got == []
        assert "retracted" in await house.said()


async def test_what_was_not_sent_yet_is_dropped_without_a_word(house: House) -> None:
    async with recipient() as exchange:
        await house.register("exchange", exchange.url)
        stay = Stay()
        admission = stay.admitted()
        await house.hear(admission)
        await house.hear(stay.says(AdmissionCancelled, retracts=(admission.id,), status=EncounterStatus.CANCELLED))
        async with running(house.deliverer().run):
            await house.hear(Stay("p2").admitted())
            await house.become("retracted", "delivered")
        assert [one.body["patient_id"] for one in exchange.got] == ["p2"]
        [dropped] = await house.rows("SELECT reason FROM delivery WHERE status = 'retracted'")
        assert dropped["reason"] == "retracted-before-sent"


async def test_a_material_correction_follows_to_those_who_were_told(house: House) -> None:
    async with recipient() as exchange, running(house.deliverer().run):
        await house.register("exchange", exchange.url)
        stay = Stay()
        discharge = stay.discharged()
        await house.hear(discharge)
        finished = EncounterStatus.FINISHED
        await house.hear(stay.says(EncounterUpdated, changed=("diagnoses",), status=finished))
        await house.hear(stay.says(EncounterUpdated, changed=("address",), status=finished))
        await house.hear(stay.says(EncounterUpdated, amends=discharge.id, changed=("disposition",), status=finished))
        await house.become("delivered", "delivered", "delivered")
        assert [one.body.get("amends") for one in exchange.got] == [None, str(discharge.id), str(discharge.id)]


async def test_a_merge_rekeys_and_is_told_on_both_keys(house: House) -> None:
    async with recipient() as exchange:
        await house.register("exchange", exchange.url)
        stay = Stay("old")
        discharge = stay.discharged()
        await house.hear(discharge)
        await house.hear(merged("old", "new", on="old"))
        await house.hear(merged("old", "new", on="new"))
        stay.patient_id = "new"
        await house.hear(stay.says(DischargeCancelled, retracts=(discharge.id,)))
        rows = await house.rows("SELECT DISTINCT patient_id FROM delivery UNION SELECT patient_id FROM notice")
        assert [row["patient_id"] for row in rows] == ["new"]
        assert await house.statuses() == ["retracted"]
        told = await house.rows("SELECT subject FROM outbox WHERE type LIKE '%patient-merged%' ORDER BY id")
        assert [row["subject"] for row in told] == ["old", "new"]


async def test_an_overdue_task_reaches_the_care_teams_inbox(house: House) -> None:
    async with recipient() as primary, recipient() as attending, running(house.deliverer().run):
        await house.register("primary", primary.url)
        await house.register("hospitalists", attending.url)
        await house.hear(Stay().task())
        await house.become("delivered")
        assert primary.got[0].body["task"]["title"] == "Call the patient"
        assert primary.got[0].body["bases"] == ["care-team"]
        assert attending.got == []
