"""`handoff`: run the stack, look into it, act on it."""

import logging
import sys

import typer

from deploy.cli import access, feed, keeping, parked, protocol, reading, retelling, running, sending, simulating
from deploy.cli.output import fail
from deploy.local.apache import ApacheKafkaError
from deploy.local.broker import BrokerError
from deploy.local.instance import AlreadyRunningError
from deploy.local.ports import PortTakenError
from deploy.local.postgres import PostgresError
from deploy.operations import CallFailedError
from shared.mllp import NoAckError

app = typer.Typer(
    name="handoff",
    help="Run Handoff on this machine, send it messages, see what becomes of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (running, keeping, sending, simulating, reading, retelling, access):
    group.register(app)
app.add_typer(parked.app, name="parked")
app.add_typer(protocol.app, name="protocol")
app.add_typer(feed.app, name="feed")

EXPECTED = (
    CallFailedError, PortTakenError, PostgresError, BrokerError, ApacheKafkaError, AlreadyRunningError, NoAckError,
    OSError,
)  # fmt: skip


def main() -> None:
    """Exit codes: 0 done, 1 it did not work (one line says why), 2 wrong usage, 3 nothing runs here."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app()
    except EXPECTED as error:
        fail(str(error) or type(error).__name__)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
