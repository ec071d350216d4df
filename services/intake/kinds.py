"""Which messages are understood: (message type, trigger) -> how to read one. A new kind is a row and a pure function.

What is in no row is stored, counted and positively acknowledged, without effect: a negative answer would block a
sender that waits for each acknowledgement.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.intake import appointments, documents, observations, referrals
from services.intake.adt import AdtReader
from services.intake.context import Context
from services.intake.message import AdtMessage, OrderKey, Reason
from services.intake.person import Person
from services.intake.statement import Statement
from services.intake.triggers import ALONE, LINKS, NOTHING_TO_DO, OF_SEVERAL, RANKS

StatementsOf = Callable[[Context, Person], tuple[Statement, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`read` makes of one patient's part what it says; `skipped` is why such a message has no effect.

    `is_judged_by_its_patient`: once it names one, nothing further that it says is acknowledged negatively.
    """

    context: type[Context] = Context
    read: Callable[[Any, Person], AdtMessage]
    skipped: Reason | None = None
    is_of_several: bool = False
    may_lack_patient: bool = False
    is_of_two: bool = False
    is_judged_by_its_patient: bool = False


def _stating(statements_of: StatementsOf) -> Callable[[Context, Person], AdtMessage]:
    """A message of statements. ADT is who says who a patient is: others only fill in what it has not said yet."""

    def read(context: Context, who: Person) -> AdtMessage:
        statements = statements_of(context, who)
        sent = context.sent()
        demographics = context.demographics(who)
        before_any_adt = OrderKey("", context.order(0, sent, sent).sent, 0, context.heading.control_id, context.digest)
        return AdtMessage(
            trigger=context.heading.trigger,
            order=before_any_adt,
            occurred=sent.at if sent else context.received,
            identifiers=who.identifiers,
            demographics=demographics,
            visit=context.visit(who),
            fact=None,
            doubts=tuple(dict.fromkeys(context.doubts)),
            statements=statements,
        )

    return read


def _unread(_context: Context, _who: Person) -> AdtMessage:
    raise LookupError("a message of this kind is not read")


def _skip(reason: Reason) -> Kind:
    return Kind(read=_unread, skipped=reason)


_ADT = Kind(context=AdtReader, read=AdtReader.message)
_ADT_OF_ONE_STAY = Kind(context=AdtReader, read=AdtReader.message, is_judged_by_its_patient=True)
_ADT_OF_SEVERAL = Kind(context=AdtReader, read=AdtReader.message, is_of_several=True)
_LINK = Kind(context=AdtReader, read=AdtReader.message, is_of_several=True, is_of_two=True)
_APPOINTMENT = Kind(read=_stating(appointments.read), may_lack_patient=True)
_OBSERVATION = Kind(read=_stating(observations.read), may_lack_patient=True, is_of_several=True)
_DOCUMENT = Kind(read=_stating(documents.read))
_REFERRAL = Kind(read=_stating(referrals.read))

KINDS: Mapping[tuple[str, str], Kind] = {
    **{("ADT", trigger): _ADT if trigger in ALONE else _ADT_OF_ONE_STAY for trigger in RANKS},
    **{("ADT", trigger): _ADT_OF_SEVERAL for trigger in OF_SEVERAL},
    **{("ADT", trigger): _LINK for trigger in LINKS},
    **{("ADT", trigger): _skip(Reason.NOTHING_TO_DO) for trigger in NOTHING_TO_DO},
    **{("SIU", trigger): _APPOINTMENT for trigger in appointments.TRIGGERS},
    # Blocked and freed time of a schedule: no patient's.
    ("SIU", "S23"): _skip(Reason.NOT_ABOUT_A_PATIENT),
    ("SIU", "S24"): _skip(Reason.NOT_ABOUT_A_PATIENT),
    # R30 to R32 come from the point of care; R03 is what the oldest senders call R01, or they name no trigger.
    **{("ORU", trigger): _OBSERVATION for trigger in ("", "R01", "R03", "R30", "R31", "R32")},
    **{("MDM", trigger): _DOCUMENT for trigger in documents.TRIGGERS},
    **{("REF", trigger): _REFERRAL for trigger in referrals.TRIGGERS},
    **{("RRI", trigger): _REFERRAL for trigger in referrals.TRIGGERS},
    # Questions, about a patient and about a referral's status: nothing changed.
    ("QRY", "A19"): _skip(Reason.NOTHING_TO_DO),
    ("ADT", "A19"): _skip(Reason.NOTHING_TO_DO),
}
_TYPES = frozenset(kind for kind, _ in KINDS) - {"QRY"}
_UNKNOWN_TRIGGER = _skip(Reason.UNSUPPORTED_TRIGGER)
_UNKNOWN_TYPE = _skip(Reason.UNSUPPORTED_TYPE)


def kind_of(message_type: str, trigger: str) -> Kind:
    known = KINDS.get((message_type, trigger))
    if known:
        return known
    return _UNKNOWN_TRIGGER if message_type in _TYPES else _UNKNOWN_TYPE
