"""What the operator sees: the start getting on, the lines that matter while it runs, and where to go."""

from collections.abc import Iterable

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.settings import StackSettings

APIS = {
    "intake": "messages, patients, encounters, feeds",
    "transitions": "transitions, tasks, contacts",
    "careplan": "plans, goals, activities",
    "notifications": "endpoints, deliveries, roster",
}
SHOWN = 4
FILE_WIDTH = 120
ROLES = {
    "care-manager": "the board: transitions, tasks, plans",
    "ops": "feeds, pipeline, parked patients, deliveries",
    "provider-system": "an organisation's own endpoints and notices",
    "integration": "feeds: watch them, connect a new one",
    "auditor": "who read and did what",
    "admin": "everything",
}


class Display:
    """A progress bar while starting; afterwards plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _console()
        self._progress = Progress(
            TextColumn("[bold]Starting Handoff"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._waiting: list[str] = []

    def expect(self, steps: Iterable[str]) -> None:
        self._waiting = list(steps)
        self._task = self._progress.add_task("", total=len(self._waiting))
        self._progress.start()
        self._show()

    def done(self, step: str) -> None:
        if step in self._waiting:
            self._waiting.remove(step)
        if self._task is not None:
            self._progress.advance(self._task)
            self._show()
        if not self.console.is_terminal:
            self.console.print(f"  {step} ready")

    def say(self, line: str) -> None:
        self.console.print(f"[yellow]•[/] {line}", highlight=False)

    def finish(self) -> None:
        self._progress.stop()

    def fail(self, line: str) -> None:
        self.finish()
        Console(stderr=True).print(f"[bold red]Handoff did not start:[/] {line}", highlight=False, soft_wrap=True)

    def _show(self) -> None:
        if self._task is not None:
            waiting = ", ".join(self._waiting[:SHOWN]) + (" …" if len(self._waiting) > SHOWN else "")
            self._progress.update(self._task, description=f"[dim]{waiting}")

    def overview(self, settings: StackSettings) -> None:
        """One table of addresses, a login link per role, three things to try."""
        self.finish()
        self.console.print(_addresses(settings))
        self.console.print(_logins(settings))
        self.console.print(_to_try(settings))


def _console() -> Console:
    """The terminal's own width; in a file or a pipe nothing is broken into lines."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)


def _addresses(settings: StackSettings) -> Table:
    table = Table(title="Handoff is ready", title_justify="left", show_edge=False)
    table.add_column("What")
    table.add_column("Where", style="cyan", no_wrap=True)
    table.add_column("For")
    table.add_row("Console", settings.url_of("dashboard"), "care managers and operations, live")
    table.add_row("HL7 v2 in", f"{settings.host}:{settings.mllp_port}", "MLLP; any sender on this machine")
    for name, holds in APIS.items():
        table.add_row(f"API of {name}", settings.url_of(name), holds)
    table.add_row("Signals", f"{settings.url_of('signals')}/healthz", "live signals over the feeds")
    table.add_row("Issuer", settings.url_of("issuer"), "sign in with one click, tokens for scripts")
    if settings.sample_provider:
        table.add_row("Sample provider", settings.url_of("provider"), "what a provider has received")
    table.add_row("Kafka", f"{settings.host}:{settings.broker_port}", f"{settings.kafka} broker")
    table.add_row("PostgreSQL", f"{settings.host}:{settings.postgres_port}", "database handoff, a schema per service")
    return table


def _logins(settings: StackSettings) -> Table:
    table = Table(title="Sign in as", title_justify="left", show_edge=False)
    table.add_column("Role")
    table.add_column("Link", style="cyan", no_wrap=True)
    table.add_column("Sees")
    for role, sees in ROLES.items():
        table.add_row(role, f"{settings.url_of('dashboard')}/login/as/{role}", sees)
    return table


def _to_try(settings: StackSettings) -> Panel:
    watch = "open the console and watch patients being admitted and discharged, second by second"
    if not settings.simulate:
        watch = "start the simulated hospital: [bold].venv/bin/handoff simulate[/]"
    lines = [
        f"1. {watch}",
        "2. send a discharge of your own: [bold].venv/bin/handoff send --sample[/]",
        "3. kill any process ([bold]kill -9[/] an id of [bold].venv/bin/handoff status[/]): nothing is lost",
    ]
    return Panel("\n".join(lines), title="Three things to try", title_align="left", expand=False)
