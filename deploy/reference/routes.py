"""Who says what, and who hears it (design section 4). A test holds this table against the services' own consumers."""

from dataclasses import dataclass

from shared.events import Fact, Topic
from shared.events.notifications import ProviderNotice

SERVICES = ("intake", "transitions", "careplan", "notifications", "dashboard")
PROVIDER_TOPIC = "care.provider.{organisation}.v1"


@dataclass(frozen=True, slots=True)
class Route:
    """A topic: what it is about, who says it, who hears it. `key` is what the record's key means."""

    address: str
    about: str
    says: tuple[str, ...]
    hears: tuple[str, ...]
    key: str = "patient id"
    partitions: int = 12

    @property
    def name(self) -> str:
        """`care.encounters.v1` -> `encounters`."""
        return self.address.split(".")[1]


ROUTES = (
    Route(
        Topic.ENCOUNTERS.value,
        "Who is where: every movement of a stay, each with the whole encounter as it then stands.",
        says=("intake",),
        hears=("transitions", "signals", "notifications", "dashboard"),
    ),
    Route(
        Topic.REFERRALS.value,
        "A referral from its request to the closed loop.",
        says=("intake", "transitions"),
        hears=("transitions", "notifications", "dashboard"),
    ),
    Route(
        Topic.FOLLOWUPS.value,
        "What happens after a discharge and may be evidence that a task was done.",
        says=("intake", "transitions"),
        hears=("transitions", "notifications", "dashboard"),
    ),
    Route(
        Topic.TRANSITIONS.value,
        "Transitions of care and their tasks: every clock and every ladder of the system.",
        says=("transitions",),
        hears=("careplan", "notifications", "dashboard"),
    ),
    Route(
        Topic.PLANS.value,
        "Care plans; an activity names the task that has its clock.",
        says=("careplan",),
        hears=("transitions", "notifications", "dashboard"),
    ),
    Route(
        Topic.NOTIFICATIONS.value,
        "What became of each notice: queued, delivered, failed, acknowledged, retracted, suppressed and why.",
        says=("notifications",),
        hears=("transitions", "dashboard"),
    ),
    Route(
        Topic.FEEDS.value,
        "What each feed sent in a minute, zeros too.",
        says=("intake",),
        hears=("signals", "dashboard"),
        key="feed",
    ),
    Route(
        Topic.SIGNALS.value,
        "What the live signals found: silence, surges, overdue ratios, bounce-backs.",
        says=("transitions",),
        hears=("notifications", "dashboard"),
        key="signal's scope",
    ),
    Route(
        Topic.REPUBLISH.value,
        "A reader saw a gap and asks the source to say it again. Unnumbered: it may be lost and is asked again.",
        says=SERVICES,
        hears=SERVICES,
    ),
    Route(
        PROVIDER_TOPIC,
        "Exactly what one organisation may see, in one partition, readable by that organisation alone.",
        says=("notifications",),
        hears=("provider",),
        partitions=1,
    ),
)


def address_of(fact: type[Fact]) -> str:
    """Where events of this type stand. A provider's notice has its family's TOPIC but a topic per organisation."""
    return PROVIDER_TOPIC if fact is ProviderNotice else fact.TOPIC.value
