"""docs/way-of-a-discharge.md names real files and real names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "way-of-a-discharge.md"
NAMED = sorted(
    set(re.findall(r"`((?:services|shared|deploy|tests|docs)/[\w./-]+)(?::([\w.]+))?`", DOCUMENT.read_text()))
)


def names_in(file: Path) -> set[str]:
    """Functions and classes of a module, and `Class.method` of each class."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            members = (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{member.name}" for member in members}
    return found


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda value: value or "file")
def test_what_is_named_exists(file: str, name: str) -> None:
    assert (ROOT / file).exists(), file
    if name:
        assert name in names_in(ROOT / file), f"{file} has no {name}"


def test_the_way_passes_every_service() -> None:
    services = {file.split("/")[1] for file, _ in NAMED if file.startswith("services/")}
    assert services == {"intake", "notifications", "transitions", "careplan", "dashboard"}
    assert len(NAMED) > 50
