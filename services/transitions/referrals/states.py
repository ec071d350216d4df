"""Where a referral can stand, what can happen to it, who may do it: 360X, BSeR, Gravity united. Tables."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    DRAFT = "draft"
    REQUESTED = "requested"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    NO_SHOW = "no-show"
    ATTENDED = "attended"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    CLOSED = "closed"
    REJECTED = "rejected"
    FAILED = "failed"
    REROUTED = "rerouted"
    CLOSED_UNMET = "closed-unmet"
    CANCEL_REQUESTED = "cancel-requested"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    EXPIRED = "expired"


OVER = frozenset(
    {
        State.CLOSED,
        State.REROUTED,
        State.CLOSED_UNMET,
        State.CANCELLED,
        State.ENTERED_IN_ERROR,
        State.EXPIRED,
    }
)
OPEN = frozenset(State) - OVER


class Kind(StrEnum):
    """What was heard or done: a message's word, a person's act, or a rule's."""

    DRAFT = "draft"
    REQUEST = "request"
    UPDATE = "update"
    RECEIVE = "receive"
    ACCEPT = "accept"
    REJECT = "reject"
    SCHEDULE = "schedule"
    CANCEL_APPOINTMENT = "cancel-appointment"
    NO_SHOW = "no-show"
    ATTEND = "attend"
    START = "start"
    HOLD = "hold"
    RESUME = "resume"
    FAIL = "fail"
    COMPLETE = "complete"
    RESULT = "result"
    WITHDRAW_RESULT = "withdraw-result"
    ACKNOWLEDGE = "acknowledge"
    REQUEST_CANCEL = "request-cancel"
    CANCEL = "cancel"
    DENY_CANCEL = "deny-cancel"
    REROUTE = "reroute"
    CLOSE_UNMET = "close-unmet"
    ERROR = "error"
    EXPIRE = "expire"
    SUSPECT = "suspect"
    REPEAT = "repeat"


class Proof(StrEnum):
    """What must be there before the loop is closed: each is shown by something that happened, none by a click."""

    OUTCOME = "outcome"
    RESULT = "result"
    ACKNOWLEDGEMENT = "acknowledgement"


class Side(StrEnum):
    REQUESTER = "requester"
    PERFORMER = "performer"
    EITHER = "either"


RANK: Mapping[Kind, int] = {kind: number for number, kind in enumerate(Kind)}
"""Which of two deeds of one instant comes first: openers, then what moves on, then what ends."""

_AT_WORK = (State.ACCEPTED, State.ATTENDED, State.IN_PROGRESS)
_AWAITED = (State.REQUESTED, State.RECEIVED)
_BEFORE_VISIT = (*_AWAITED, State.ACCEPTED, State.NO_SHOW)

MOVES: Mapping[Kind, Mapping[State, State]] = {
    Kind.REQUEST: {State.DRAFT: State.REQUESTED},
    Kind.RECEIVE: {State.REQUESTED: State.RECEIVED},
    Kind.ACCEPT: dict.fromkeys(_AWAITED, State.ACCEPTED),
    Kind.REJECT: dict.fromkeys(_AWAITED, State.REJECTED),
    Kind.SCHEDULE: dict.fromkeys((State.ACCEPTED, State.SCHEDULED, State.NO_SHOW), State.SCHEDULED),
    Kind.CANCEL_APPOINTMENT: {State.SCHEDULED: State.ACCEPTED},
    Kind.NO_SHOW: {State.SCHEDULED: State.NO_SHOW},
    Kind.ATTEND: {State.SCHEDULED: State.ATTENDED},
    Kind.START: dict.fromkeys((State.ACCEPTED, State.ATTENDED), State.IN_PROGRESS),
    Kind.HOLD: dict.fromkeys(_AT_WORK, State.ON_HOLD),
    Kind.FAIL: dict.fromkeys((*_AT_WORK, State.NO_SHOW, State.ON_HOLD), State.FAILED),
    Kind.COMPLETE: dict.fromkeys((State.ATTENDED, State.IN_PROGRESS), State.IN_PROGRESS),
    Kind.RESULT: dict.fromkeys((*_AT_WORK, State.SCHEDULED, State.NO_SHOW, State.ON_HOLD), State.IN_PROGRESS),
    Kind.WITHDRAW_RESULT: dict.fromkeys((State.COMPLETED, State.CLOSED), State.IN_PROGRESS),
    Kind.ACKNOWLEDGE: {State.COMPLETED: State.CLOSED},
    Kind.REQUEST_CANCEL: dict.fromkeys(
        (*_AWAITED, *_AT_WORK, State.SCHEDULED, State.NO_SHOW, State.ON_HOLD), State.CANCEL_REQUESTED
    ),
    Kind.CANCEL: dict.fromkeys((State.DRAFT, *_AWAITED, State.CANCEL_REQUESTED), State.CANCELLED),
    Kind.REROUTE: dict.fromkeys((State.REJECTED, State.FAILED), State.REROUTED),
    Kind.CLOSE_UNMET: dict.fromkeys((State.REJECTED, State.FAILED, State.NO_SHOW), State.CLOSED_UNMET),
    Kind.ERROR: dict.fromkeys(OPEN, State.ENTERED_IN_ERROR),
    Kind.EXPIRE: dict.fromkeys(OPEN - {State.COMPLETED}, State.EXPIRED),
}
"""Deed -> where it may be done -> where it leads. `resume` and `deny-cancel` lead back to where it stood before."""

IMPLIED: Mapping[Kind, Mapping[State, State]] = {
    Kind.SCHEDULE: dict.fromkeys(_AWAITED, State.SCHEDULED),
    Kind.NO_SHOW: dict.fromkeys(_BEFORE_VISIT, State.NO_SHOW),
    Kind.ATTEND: dict.fromkeys(_BEFORE_VISIT, State.ATTENDED),
    Kind.START: dict.fromkeys(_AWAITED, State.IN_PROGRESS),
    Kind.RESULT: dict.fromkeys(_AWAITED, State.IN_PROGRESS),
    Kind.FAIL: dict.fromkeys((*_AWAITED, State.SCHEDULED), State.FAILED),
    Kind.CANCEL: dict.fromkeys(
        (*_AT_WORK, State.SCHEDULED, State.NO_SHOW, State.ON_HOLD, State.REJECTED, State.FAILED), State.CANCELLED
    ),
}
"""What a message may say beyond that: feeds leave steps out, and a visit implies acceptance."""

GO_BACK: Mapping[Kind, State] = {Kind.RESUME: State.ON_HOLD, Kind.DENY_CANCEL: State.CANCEL_REQUESTED}

WHO: Mapping[Kind, Side] = {
    Kind.REQUEST: Side.REQUESTER,
    Kind.RECEIVE: Side.PERFORMER,
    Kind.ACCEPT: Side.PERFORMER,
    Kind.REJECT: Side.PERFORMER,
    Kind.SCHEDULE: Side.PERFORMER,
    Kind.CANCEL_APPOINTMENT: Side.PERFORMER,
    Kind.NO_SHOW: Side.PERFORMER,
    Kind.ATTEND: Side.PERFORMER,
    Kind.START: Side.PERFORMER,
    Kind.HOLD: Side.PERFORMER,
    Kind.RESUME: Side.PERFORMER,
    Kind.FAIL: Side.PERFORMER,
    Kind.COMPLETE: Side.PERFORMER,
    Kind.RESULT: Side.PERFORMER,
    Kind.DENY_CANCEL: Side.PERFORMER,
    Kind.CANCEL: Side.EITHER,
    Kind.ACKNOWLEDGE: Side.REQUESTER,
    Kind.REQUEST_CANCEL: Side.REQUESTER,
    Kind.REROUTE: Side.REQUESTER,
    Kind.CLOSE_UNMET: Side.REQUESTER,
    Kind.ERROR: Side.REQUESTER,
    Kind.REPEAT: Side.REQUESTER,
}
"""Who may do it by the API; what stands not here is said by messages and rules alone."""
