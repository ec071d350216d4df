"""Every event type of the contract, by name. What is not listed here is neither published nor understood."""

from shared.events.encounters import ENCOUNTER_FACTS
from shared.events.fact import Fact
from shared.events.followups import FOLLOWUP_FACTS
from shared.events.monitoring import MONITORING_FACTS
from shared.events.notifications import NOTIFICATION_FACTS
from shared.events.operations import OPERATIONS_FACTS
from shared.events.plans import PLAN_FACTS
from shared.events.referrals import REFERRAL_FACTS
from shared.events.transitions import TRANSITION_FACTS

FACTS: tuple[type[Fact], ...] = (
    *ENCOUNTER_FACTS,
    *REFERRAL_FACTS,
    *FOLLOWUP_FACTS,
    *MONITORING_FACTS,
    *TRANSITION_FACTS,
    *PLAN_FACTS,
    *NOTIFICATION_FACTS,
    *OPERATIONS_FACTS,
)

BY_TYPE: dict[str, type[Fact]] = {fact.TYPE: fact for fact in FACTS}
