"""The canary patient: each field is a word of its own, sent down good and failing paths; then every place that is not
for patients' data is searched for each of them.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiokafka import AIOKafkaConsumer

from deploy.local.ports import free_port
from shared.events import Topic
from tests.integration.security.canary import Canary
from tests.support.stack import StackDriver, running_stack, stack_settings
from tests.support.story import until

ORGANISATION = "lakeside-primary-care"
SERVICES = ("intake", "transitions", "careplan", "notifications", "dashboard")
PAGES = ("/", "/feeds", "/pipeline", "/parked", "/deliveries", "/messages", "/signals", "/quality")
OPERATIONS = ("hops", "parked", "dead-letters", "positions", "audit")
# What a database says of a row it refuses holds the row: the worst an error can carry.
REFUSE = """
CREATE FUNCTION {schema}.refuse_canary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF position('{word}' IN NEW::text) > 0 THEN
        RAISE EXCEPTION 'refused %', NEW::text USING DETAIL = NEW::text, HINT = NEW::text;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_canary BEFORE INSERT OR UPDATE ON {schema}.{table}
FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_canary();
"""


@dataclass
class Receiver:
    """A provider's server. It keeps what came in URLs and headers apart from bodies; `refuses` echoes them with 500."""

    port: int
    refuses: bool = False
    outside: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.outside.append(f"{request.raw_path} {dict(request.headers)}".encode())
        self.bodies.append(body)
        return web.Response(status=500 if self.refuses else 200, body=body)


@dataclass
class Traces:
    """What was left in every place that is not for patients' data, by the place's name."""

    places: dict[str, bytes] = field(default_factory=dict)

    def add(self, place: str, text: str | bytes) -> None:
        self.places[place] = self.places.get(place, b"") + (text.encode() if isinstance(text, str) else text)

    def hits(self, canary: Canary) -> list[str]:
        searched = {place: text.upper() for place, text in self.places.items()}
        return [
            f"{name} in {place}"
            for name, token in canary.tokens.items()
            for place, text in searched.items()
            if token.upper() in text
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def driver() -> AsyncIterator[StackDriver]:
    async with running_stack(stack_settings()) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def receivers() -> AsyncIterator[dict[str, Receiver]]:
    found = {name: Receiver(free_port()) for name in ("full", "thin", "refusing")}
    found["refusing"].refuses = True
    runners = []
    for receiver in found.values():
        app = web.Application()
        app.router.add_post("/{path:.*}", receiver.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
        runners.append(runner)
    yield found
    for runner in runners:
        await runner.cleanup()


class Caller:
    """Calls the stack's services, and keeps every answer that is an error."""

    def __init__(self, driver: StackDriver, http: aiohttp.ClientSession, traces: Traces) -> None:
        self._driver, self._http, self._traces = driver, http, traces
        self._tokens: dict[str, str] = {}

    async def ask(self, role: str, method: str, service: str, path: str, **more: Any) -> tuple[int, Any]:
        if role not in self._tokens:
            claims = {"organisation": ORGANISATION} if role == "provider-system" else {}
            self._tokens[role] = await self._driver.token(role, **claims)
        headers = {"authorization": f"Bearer {self._tokens[role]}", **more.pop("headers", {})}
        url = self._driver.urls[service] + path
        async with self._http.request(method, url, headers=headers, allow_redirects=False, **more) as answer:
            text = await answer.read()
            if answer.status >= 400:
                self._traces.add(f"error answer of {service}", text)
            self._traces.add(f"headers of {service}", str(dict(answer.headers)))
            return answer.status, (await answer.json(content_type=None)) if "json" in answer.content_type else text

    async def cookies(self, role: str, path: str) -> bytes:
        """A page of the console, as a browser of this role gets it."""
        token = self._tokens.get(role) or await self._driver.token(role)
        headers = {"cookie": f"handoff_session={token}", "accept": "text/html"}
        async with self._http.get(self._driver.urls["dashboard"] + path, headers=headers) as answer:
            assert answer.status in {200, 403}, path
            return await answer.read()


async def test_no_field_of_a_patient_leaves_the_places_made_for_it(
    driver: StackDriver, http: aiohttp.ClientSession, receivers: dict[str, Receiver]
) -> None:
    good, parked, held = Canary(), Canary(), Canary()
    traces = Traces()
    caller = Caller(driver, http, traces)
    await make_databases_refuse(driver, parked, held)
    await register(caller, receivers)
    await send_the_good(driver, good, traces)
    await send_the_failing(driver, parked, held, traces)
    await send_the_unreadable(driver, good, traces)
    await ask_wrongly(caller, good)
    await everything_has_happened(caller, receivers, good)
    values = await read_topics(driver, traces)
    await look_around(driver, caller, receivers, traces)

    assert good.tokens["family"] in values, "the search would find nothing anywhere"
    assert good.tokens["family"] in b"".join(receivers["full"].bodies)
    hits = {name: traces.hits(canary) for name, canary in {"good": good, "parked": parked, "held": held}.items()}
    assert hits == {"good": [], "parked": [], "held": []}
    assert raw_bytes_at_rest(driver.settings.run_folder, good) == []


async def make_databases_refuse(driver: StackDriver, parked: Canary, held: Canary) -> None:
    connection = await driver.stack.server.connect("handoff")
    try:
        for schema, table, refused in (
            ("dashboard", "person", parked),
            ("notifications", "notice", parked),
            ("intake", "patient", held),
        ):
            await connection.execute(REFUSE.format(schema=schema, table=table, word=refused["family"]))
    finally:
        await connection.close()


async def register(caller: Caller, receivers: dict[str, Receiver]) -> None:
    for name, receiver in receivers.items():
        body = {"url": f"http://127.0.0.1:{receiver.port}/hook", "body": "thin" if name == "thin" else "full"}
        status, _ = await caller.ask("provider-system", "POST", "notifications", "/endpoints", json=body)
        assert status == 201


async def send_the_good(driver: StackDriver, canary: Canary, traces: Traces) -> None:
    """A whole stay, with a correction, a cancelled discharge and another one."""
    for trigger, minutes in (("A01", 0), ("A02", 20), ("A08", 30)):
        await send(driver, canary.message(trigger, minutes), traces)
    discharge = [canary.pid(), *canary.stay("01")]
    await send(driver, canary.message("A03", 100, discharge), traces)
    await send(driver, canary.message("A13", 110), traces)
    await send(driver, canary.message("A03", 130, discharge), traces)


async def send_the_failing(driver: StackDriver, parked: Canary, held: Canary, traces: Traces) -> None:
    """Rows that a database refuses, in a consumer (parks the patient) and in intake (holds the message)."""
    for canary in (parked, held):
        for trigger, minutes in (("A01", 0), ("A08", 10), ("A03", 60)):
            await send(driver, canary.message(trigger, minutes), traces)


async def send_the_unreadable(driver: StackDriver, canary: Canary, traces: Traces) -> None:
    """Each refused, held or skipped for a reason of its own, with patient data where it hurts most."""
    family = canary["family"]
    odd = [
        canary.message("A01", 1, version=family),
        canary.message("Z99", 2),
        canary.message("A01", 4, [f"PV1|1|I|||||{family}"]),
        canary.message("A01", 5, [f"PID|1||||{family}^{canary['given']}"]),
        canary.message("A40", 6, [canary.pid(), f"MRG|{family}^^^^XX"]),
        canary.message("A01", 7, [canary.pid().replace(canary.birth_date, family), *canary.stay()]),
        canary.message("A01", 8, [canary.pid(), f"PV1|{family}|{family}|4W^401^1"]),
        canary.message("A08", 9).replace(b"|GENHOSP|", f"|{canary['unknown sender']}|".encode(), 1),
        f"{family}|{canary.mrn}|no header at all\r".encode(),
    ]
    for payload in odd:
        await send(driver, payload, traces)


async def send(driver: StackDriver, payload: bytes, traces: Traces) -> None:
    """One message on a connection of its own; what is answered must not quote it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", driver.settings.mllp_port)
    writer.write(b"\x0b" + payload + b"\x1c\r")
    await writer.drain()
    async with asyncio.timeout(20):
        answered = await reader.readuntil(b"\x1c\r")
    writer.close()
    await writer.wait_closed()
    # MSA echoes the control id, and the header the sender's own name, as HL7 wants it.
    traces.add(
        "acknowledgements", b"\r".join(line for line in answered.split(b"\r") if not line.startswith(b"\x0bMSH"))
    )


async def ask_wrongly(caller: Caller, canary: Canary) -> None:
    """Requests that fail, with patient data in the path, the query and the body."""
    family = canary["family"]
    for service in SERVICES:
        await caller.ask("admin", "GET", service, f"/{family}/{canary.mrn}")
        await caller.ask(
            "admin", "POST", service, "/operations/republish", json={family: canary.mrn, "log_id": [family]}
        )
        await caller.ask("admin", "POST", service, "/operations/republish", data=f'{{"log_id": "{family}'.encode())
        await caller.ask("admin", "GET", service, "/operations/audit", params={"before": family})
        release = f"/operations/parked/{family}/{canary.mrn}/release"
        await caller.ask("admin", "POST", service, release, json={"version": family})
        await caller.ask("admin", "POST", service, release, json={"version": 3})
    for path in (f"/patients/{family}", f"/encounters/{canary['visit']}", f"/messages/{canary.mrn}"):
        await caller.ask("admin", "GET", "intake", path)
    await caller.ask("integration", "POST", "intake", "/messages", data=canary.message("A01", 12, [family]))
    await caller.ask("admin", "GET", "transitions", "/tasks", params={"status": family, "role": canary["given"]})
    await caller.ask("admin", "GET", "transitions", f"/transitions/{family}")
    await caller.ask("admin", "GET", "careplan", "/plans", params={"patient": canary.mrn})
    wrong = {"url": f"http://{family}.invalid/{canary.mrn}", "event_types": [family]}
    await caller.ask("provider-system", "POST", "notifications", "/endpoints", json=wrong)


async def everything_has_happened(caller: Caller, receivers: dict[str, Receiver], good: Canary) -> None:
    """The good paths have gone to their end, and the failing ones have failed as planned."""

    async def told() -> bool:
        return len(receivers["full"].bodies) >= 2 and len(receivers["thin"].bodies) >= 2

    async def parked_in(service: str) -> bool:
        _, found = await caller.ask("ops", "GET", service, "/operations/parked")
        return any("refuse" not in item["detail"] and item["reason"] == "failed" for item in found["items"])

    async def held() -> bool:
        _, found = await caller.ask("ops", "GET", "intake", "/held")
        return len(found["items"] if isinstance(found, dict) else found) > 0

    await until(told, "the provider is told", 60)
    await until(lambda: parked_in("dashboard"), "the console parks the patient", 60)
    await until(lambda: parked_in("notifications"), "notifications park the patient", 60)
    await until(held, "intake holds the message", 60)
    await until(lambda: _attempted(receivers), "the refusing provider was tried", 60)


async def _attempted(receivers: dict[str, Receiver]) -> bool:
    return len(receivers["refusing"].bodies) >= 1


async def read_topics(driver: StackDriver, traces: Traces) -> bytes:
    """Adds topic names, keys and headers to the traces; answers the values, which may hold patient data."""
    consumer = AIOKafkaConsumer(
        **driver.stack.kafka.client_arguments(), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        topics = sorted(await consumer.topics())
        assert {topic.value for topic in Topic} <= set(topics)
        traces.add("topic names", " ".join(topics))
        consumer.subscribe(topics=topics)
        values = b""
        while found := await consumer.getmany(timeout_ms=3000):
            for record in (record for records in found.values() for record in records):
                traces.add("keys", record.key or b"")
                traces.add("headers", repr(record.headers))
                values += record.value or b""
    finally:
        await consumer.stop()
    return values


async def look_around(driver: StackDriver, caller: Caller, receivers: dict[str, Receiver], traces: Traces) -> None:
    for service in (*SERVICES, "signals"):
        _, metrics = await caller.ask("ops", "GET", service, "/metrics")
        traces.add(f"metrics of {service}", metrics)
    for service in SERVICES:
        for route in OPERATIONS:
            _, found = await caller.ask(
                "auditor" if route == "audit" else "ops", "GET", service, f"/operations/{route}"
            )
            traces.add(f"operations of {service}", str(found))
    for page in PAGES:
        traces.add(f"page {page} for ops", await caller.cookies("ops", page))
    for receiver in receivers.values():
        traces.add("urls and headers of webhooks", b"\n".join(receiver.outside))
    traces.add("thin notices", b"\n".join(receivers["thin"].bodies))
    for file in sorted((driver.settings.run_folder / "logs").rglob("*")):
        if file.is_file():
            traces.add(f"log {file.name}", file.read_bytes())
    traces.add("supervisor", "\n".join(driver.heard.lines))
    for child in driver.stack.children.values():
        traces.add("command lines", command_line(child.pid))


def command_line(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def raw_bytes_at_rest(folder: Path, canary: Canary) -> list[str]:
    """Words that stand in the raw message only: nothing of them may be readable in the database's own files."""
    only_raw = {name: canary.tokens[name] for name in ("z segment", "note", "insured", "kin street", "maiden")}
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            found += [f"{name} in {file.name}" for name, token in only_raw.items() if token in content]
    return found


def test_a_leak_would_be_found() -> None:
    canary, traces = Canary(), Traces()
    canary.message("A01", 0)
    traces.add("log", f'{{"event": "refused {canary["family"].lower()}"}}')
    assert traces.hits(canary) == ["family in log"]
    assert len(canary.tokens) >= 20


@pytest.mark.parametrize("trigger", ["A01", "A03"])
def test_every_field_has_its_own_word(trigger: str) -> None:
    canary = Canary()
    message = canary.message(trigger, 0, [canary.pid(), *canary.stay("01")])
    tokens = {name: token for name, token in canary.tokens.items() if name != "birth date"}
    assert len(set(tokens.values())) == len(tokens)
    assert [name for name, token in tokens.items() if token not in message] == []
