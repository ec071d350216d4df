"""docs/benchmarks.md and its plots: figures with the command and the machine they were measured on."""

import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

from deploy.bench.figures import Figure, Report, Series

GIGABYTE = 1 << 30


def write(report: Report, folder: Path, command: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plots = [_plot(series, folder) for series in report.series]
    lines = [
        "# Benchmarks",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} with `{command}` on {_machine()}.",
        "Everything ran on that one machine: load client, floor, PostgreSQL (fsync on), broker and all services.",
        "Compare ratios, not absolutes: disks and cores differ from day to day.",
        "",
        "| what | measured | asked | | beside |",
        "|---|---|---|---|---|",
        *(_row(figure) for figure in report.figures),
        "",
        *(f"![{series.title}]({name})\n" for series, name in zip(report.series, plots, strict=True)),
        *report.notes,
        *report.failed,
        "",
    ]
    page = folder / "benchmarks.md"
    page.write_text("\n".join([*lines, _kept(page)]))


def _kept(page: Path) -> str:
    """What people or other programs wrote below: every later heading stays."""
    _, heading, rest = page.read_text().partition("\n## ") if page.exists() else ("", "", "")
    return heading.removeprefix("\n") + rest


def _row(figure: Figure) -> str:
    sign = "≥" if figure.better == "more" else "≤"
    verdict = "reached" if figure.is_reached else "**not reached**"
    value = f"{figure.value:.2f}" if figure.value < 10 else f"{figure.value:.0f}"  # noqa: PLR2004  (digits worth reading)
    return f"| {figure.what} | {value} {figure.unit} | {sign} {figure.asked:g} | {verdict} | {figure.beside} |"


def _machine() -> str:
    memory = psutil.virtual_memory().total / GIGABYTE
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {system}"


def _plot(series: Series, folder: Path) -> str:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 2.8))
    for name, values in series.lines.items():
        axes.plot(series.at[: len(values)], values, label=name, linewidth=1.2)
    axes.set(xlabel="seconds", ylabel=series.unit, title=series.title)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, ncols=3)
    axes.grid(alpha=0.3)
    name = f"bench-{series.title.replace(' ', '-')}.svg"
    figure.savefig(folder / name, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return name
