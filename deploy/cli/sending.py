"""send: messages from a file over MLLP, and what became of each of them."""

import asyncio
import re
import secrets
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.tree import Tree

from deploy.cli import stack
from deploy.cli.output import Json, console, fail, print_json
from deploy.operations import Operations
from shared.mllp import Ack, MllpClient, MllpTarget

FOUND_SECONDS = 15.0
REPEATED_SECONDS = 2.0
CLOCKS_APART = timedelta(seconds=1)
QUIET_SECONDS = 2.0
LONGEST_SECONDS = 15.0
LOOK_SECONDS = 0.2
DISPOSITION = 36
HOME = {b"01", b"HOME"}  # in the codes of one simulated hospital and of the others


def register(app: typer.Typer) -> None:
    app.command()(send)


def send(
    file: Annotated[
        Path | None, typer.Argument(help="HL7 v2, one or more messages.", exists=True, dir_okay=False)
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="A patient admitted and discharged just now.")] = False,
    tls_ca: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="PEM file: send over TLS, to a listener of this CA."),
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM file: the client certificate to show.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM file of its key, where that stands apart.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send messages over MLLP; print the acknowledgement and the effects, or why there are none."""
    if (file is None) != sample:
        fail("give a FILE or --sample", 2)
    tls = _tls(tls_ca, tls_certificate, tls_key)
    payloads = split(file.read_bytes()) if file else sampled()
    if not payloads:
        fail(f"{file} holds no message: none begins with MSH", 2)
    results = stack.run(_send(stack.find(), payloads, tls, quiet=as_json))
    if as_json:
        print_json(results)
    if not all(is_taken(result) for result in results):
        raise typer.Exit(1)


def _tls(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """None: in the clear. Ends the command where the files do not go together."""
    if ca is None and (certificate or key):
        fail("--tls-certificate and --tls-key go with --tls-ca", 2)
    if certificate is None and key:
        fail("--tls-key goes with --tls-certificate", 2)
    try:
        return MllpTarget.mutual_tls(ca, certificate, key) if ca else None
    except ssl.SSLError as error:
        fail(f"the TLS files can't be used: {error.reason or 'no PEM'}", 2)


def split(content: bytes) -> list[bytes]:
    """Messages begin with MSH at the start of a line; any line ends are sent as CR."""
    text = re.sub(rb"\r\n?|\n", b"\r", content).strip(b"\r\x0b\x1c")
    parts = re.split(rb"(?:^|\r)(?=MSH.)", text)
    return [part.strip(b"\r\x0b\x1c") + b"\r" for part in parts if part.startswith(b"MSH")]


def sampled() -> list[bytes]:
    """A stay of the simulated hospital that began a moment ago, and whose patient has just gone home."""
    from deploy.simulator.schedule import Schedule
    from deploy.simulator.settings import SimulatorSettings

    stays: dict[str, list[Any]] = {}
    seed = secrets.randbelow(1_000_000)
    for planned in Schedule(SimulatorSettings(seed=seed, patients=100, stay_seconds=0.001, rate=1000)):
        stays.setdefault(planned.visit, []).append(planned)
    chosen = next(stay for stay in stays.values() if stay[0].trigger == "A01" and _goes_home(stay))
    return [planned.payload for planned in chosen]


def _goes_home(stay: list[Any]) -> bool:
    """Whether the stay ends at home, its discharge never taken back.

    Who died or goes elsewhere has other tasks, or none; and all of it happens within a second, in which a cancel
    counts as the last word.
    """
    last = stay[-1]
    visit = next((line for line in last.payload.split(b"\r") if line.startswith(b"PV1|")), b"").split(b"|")
    taken_back = any(message.trigger == "A13" for message in stay)
    return last.trigger == "A03" and not taken_back and len(visit) > DISPOSITION and visit[DISPOSITION] in HOME


async def _send(
    found: stack.RunningStack, payloads: list[bytes], tls: ssl.SSLContext | None, *, quiet: bool
) -> list[dict[str, Any]]:
    connection = MllpClient(MllpTarget(*found.mllp, tls))
    results = []
    async with found.operations() as operations:
        for payload in payloads:
            result = await _one(operations, connection, payload)
            results.append(result)
            if not quiet:
                _show(result)
    await connection.close()
    return results


async def _one(operations: Operations, connection: MllpClient, payload: bytes) -> dict[str, Any]:
    sent = datetime.now(UTC) - CLOCKS_APART
    ack = await connection.send(payload)
    told: dict[str, Any] = {"control_id": ack.control_id, "ack": ack.code, "text": ack.text}
    message = await _stored(operations, ack, sent)
    if message is None:
        return told | {"stored": False, "effects": []}
    told |= {name: message.get(name) for name in ("id", "feed", "outcome", "reason")} | {"stored": True}
    if not message.get("effects"):
        return told | {"effects": []}
    return told | {"effects": await _effects(operations, str(message["id"]))}


async def _stored(operations: Operations, ack: Ack, sent: datetime) -> dict[str, Any] | None:
    """The newest message with this control id, once it is interpreted; an older one where this one repeats it."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while clock() - began < FOUND_SECONDS:
        items = (await operations.get("intake", "/messages", control_id=ack.control_id, limit=1))["items"]
        if items and (datetime.fromisoformat(items[0]["received_at"]) >= sent or clock() - began > REPEATED_SECONDS):
            message: dict[str, Any] = await operations.get("intake", f"/messages/{items[0]['id']}")
            return message
        await asyncio.sleep(LOOK_SECONDS)
    return None


async def _effects(operations: Operations, message: str) -> list[dict[str, Any]]:
    """The tree of effects, once nothing has been added to it for two seconds."""
    loop = asyncio.get_running_loop()
    deadline, changed, seen = loop.time() + LONGEST_SECONDS, loop.time(), -1
    while True:
        tree = await operations.get("dashboard", f"/api/effects/{message}")
        if tree["events"] != seen:
            seen, changed = tree["events"], loop.time()
        if loop.time() > deadline or (seen > 0 and loop.time() - changed > QUIET_SECONDS):
            effects: list[dict[str, Any]] = tree["effects"]
            return effects
        await asyncio.sleep(LOOK_SECONDS)


def is_taken(result: dict[str, Any]) -> bool:
    """Whether it was acknowledged positively."""
    return result["ack"] in {"AA", "CA"}


def _show(result: dict[str, Any]) -> None:
    colour = "green" if is_taken(result) else "red"
    console.print(
        f"[bold {colour}]{result['ack']}[/] {result['control_id']} {result['text']}".rstrip(), highlight=False
    )
    if not result["stored"]:
        known = "kept; not interpreted yet, see: handoff hops" if is_taken(result) else "not found in the message log"
        console.print(f"  {known}")
    elif not result["effects"]:
        console.print(f"  stored; none, because {result['reason'] or result['outcome']}")
    else:
        tree = Tree("stored; these effects:")
        _grow(tree, result["effects"])
        console.print(tree, highlight=False)


def _grow(tree: Tree, effects: list[dict[str, Any]]) -> None:
    for effect in effects:
        summary = f"  [dim]{effect['summary']}" if effect.get("summary") else ""
        _grow(tree.add(f"[cyan]{effect['source']}[/] {effect['type']}{summary}"), effect["effects"])
