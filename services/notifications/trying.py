"""A notice of nobody, for a recipient to try its receiver with."""

from datetime import UTC, datetime
from typing import Any

from services.notifications.posting import Poster
from services.notifications.retrying import Answer
from services.notifications.signing import SecretBox, headers_for
from shared.events import uuid7
from shared.events.notifications import ProviderNotice

TEST_TYPE = "care.provider.test.v1"


async def post_test(poster: Poster, box: SecretBox, endpoint: Any) -> Answer:
    now, notice_id = datetime.now(UTC), uuid7()
    notice = ProviderNotice(
        notice_id=notice_id,
        event_id=uuid7(),
        event_type=TEST_TYPE,
        organisation=endpoint["organisation"],
        occurred_at=now,
        bases=("test",),
        body="thin",
    )
    body = notice.model_dump_json(exclude_none=True).encode()
    key = box.open(endpoint["id"], endpoint["secret"])
    return await poster.post(endpoint["url"], headers_for([key], str(notice_id), now, body), body)
