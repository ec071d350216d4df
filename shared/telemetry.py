"""What the processes say about themselves: JSON lines on stdout, and the trace that ties them together.

Only keys of an allow-list leave the process, and an exception is told by its type and place, never by its message:
asyncpg, pydantic and KeyError put values into theirs, and values here are people.
"""

import logging
import os
import re
import secrets
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from typing_extensions import override

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KEYS = frozenset(
    {
        # the line itself
        *("event", "level", "timestamp", "service", "instance", "logger", "error", "place", "dropped"),
        # opaque ids
        *("request_id", "trace_id", "message_id", "event_id", "subject", "subjects", "encounter_id", "transition_id"),
        *("task_id", "plan_id", "delivery_id", "notice_id", "endpoint_id", "signal_id", "control_id", "patient_id"),
        *("correlation_id", "causation_id", "log_id", "row_id"),
        # where in the pipeline
        *("topic", "topics", "partition", "partitions", "offset", "sequence", "epoch", "consumer", "group", "shard"),
        *("source", "type", "version", "feed", "facility", "trigger", "hop", "organisation", "protocol", "kind"),
        # what came of it
        *("outcome", "reason", "state", "status", "attempt", "attempts", "level_reached", "count", "rows", "events"),
        *("size", "bytes", "keys", "seconds", "milliseconds", "retry_in", "oldest_seconds", "lag", "limit"),
        # the process
        *("method", "route", "host", "port", "pid", "signal", "setting", "check", "migration", "connections", "role"),
        *("file", "task", "work", "url_host"),
    }
)
LONGEST_TEXT = 200
FRAMES_TOLD = 4
FORMATTED_LOGGERS = ("uvicorn", "aiokafka")  # their arguments are addresses, groups and topics
ROOT = Path(__file__).resolve().parent.parent
TRACEPARENT = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")

_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_EventDict = MutableMapping[str, Any]


def configure(service: str, *, instance: str = "0", level: int = logging.INFO) -> None:
    """Send everything this process logs, libraries included, to stdout as one JSON object a line."""
    whose = {"service": service, "instance": instance}
    structlog.configure(
        processors=[
            lambda _logger, _method, line: {**whose, **line},
            structlog.contextvars.merge_contextvars,
            _add_trace,
            *_ending(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler(whose)]
    root.setLevel(max(level, logging.INFO))
    for chatty in ("aiokafka", "uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _ending() -> list[structlog.typing.Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exception,
        keep_known_keys,
        structlog.processors.JSONRenderer(),
    ]


def keep_known_keys(_logger: object, _method: str, line: _EventDict) -> _EventDict:
    """Drop every key that is not on the list, saying which; values are scalars, cut short."""
    unknown = sorted(key for key in line if key not in KEYS)
    kept = {key: _scalar(value) for key, value in line.items() if key in KEYS}
    if unknown:
        kept["dropped"] = unknown
    return kept


def _scalar(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case UUID() | date() | timedelta():
            return str(value)
        case str():
            return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
        case list() | tuple() | set() | frozenset():
            return [_scalar(item) for item in list(value)[:20]]
        case BaseException():
            return describe_error(value)
        case _:
            return type(value).__name__


def describe_error(error: BaseException) -> str:
    """What may be said of an error outside the process: its type, the schema's names in it, and where it arose.

    Never its message. Exception groups tell their first member; a cause is told after it.
    """
    if isinstance(error, BaseExceptionGroup):
        first = describe_error(error.exceptions[0])
        return f"{type(error).__name__} of {len(error.exceptions)} at {place_of(error)}: {first}"
    said = f"{type(error).__name__}{_schema_names(error)} at {place_of(error)}"
    if error.__cause__ is not None and error.__cause__ is not error:
        said += f", caused by {describe_error(error.__cause__)}"
    return said[: 2 * LONGEST_TEXT]


def _schema_names(error: BaseException) -> str:
    if isinstance(error, asyncpg.PostgresError):
        names = [error.sqlstate, error.table_name, error.column_name, error.constraint_name]
        return f" ({', '.join(name for name in names if name)})"
    if isinstance(error, OSError) and error.errno:
        return f" (errno {error.errno}: {os.strerror(error.errno)})"
    return ""


def place_of(error: BaseException) -> str:
    """`services/intake/store.py:120 < services/intake/receiving.py:44`: our own frames, the innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    told = [f"{_shown(frame.filename)}:{frame.lineno}" for frame in reversed(frames) if _ours(frame.filename)]
    if not told and frames:
        told = [f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"]
    return " < ".join(told[:FRAMES_TOLD]) or "nowhere"


def _ours(filename: str) -> bool:
    return Path(filename).is_relative_to(ROOT) and "site-packages" not in filename


def _shown(filename: str) -> str:
    return str(Path(filename).relative_to(ROOT))


def _tell_exception(_logger: object, _method: str, line: _EventDict) -> _EventDict:
    told = line.pop("exc_info", None)
    error = told if isinstance(told, BaseException) else (sys.exc_info()[1] if told else None)
    if isinstance(told, tuple):
        error = told[1]
    if error is not None:
        line["error"] = describe_error(error)
    return line


class _LibraryHandler(logging.Handler):
    """Says what libraries log through `logging`: the template without its arguments, as these may be anything."""

    def __init__(self, whose: dict[str, str]) -> None:
        super().__init__()
        self._whose = whose
        self._log = structlog.wrap_logger(structlog.PrintLogger(), processors=_ending())

    @override
    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage() if record.name.startswith(FORMATTED_LOGGERS) else str(record.msg)
        line = {**self._whose, "logger": record.name, "exc_info": record.exc_info[1] if record.exc_info else None}
        method = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        getattr(self._log, method if method in {"debug", "info", "warning"} else "error")(
            said.strip().split("\n", 1)[0][:LONGEST_TEXT], **line
        )


def _add_trace(_logger: object, _method: str, line: _EventDict) -> _EventDict:
    parent = _traceparent.get()
    if parent is not None:
        line.setdefault("trace_id", parent[3:35])
    return line


def current_traceparent() -> str | None:
    """The W3C trace context of what is being worked on, to be handed to drafts and outgoing requests."""
    return _traceparent.get()


def child_of(traceparent: str | None) -> str:
    """A new span in the given trace, or in a new trace when none (or none that is well-formed) was given."""
    known = TRACEPARENT.fullmatch(traceparent or "")
    trace = known["trace"] if known else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-{known['flags'] if known else '01'}"


@contextmanager
def traced(traceparent: str | None) -> Iterator[str]:
    """Work under a span of the given trace; yields the traceparent to pass on."""
    span = child_of(traceparent)
    token = _traceparent.set(span)
    try:
        yield span
    finally:
        _traceparent.reset(token)
