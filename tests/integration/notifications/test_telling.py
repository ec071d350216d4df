"""From an event to a recipient's server: who is told, in what order, signed how."""

from standardwebhooks import Webhook

from services.notifications.signing import shown
from shared.events.encounters import AdmissionCancelled, DischargeCancelled, EncounterUpdated
from shared.events.people import EncounterStatus
from tests.integration.notifications.house import House
from tests.integration.notifications.recipients import recipient
from tests.support.story import running
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
