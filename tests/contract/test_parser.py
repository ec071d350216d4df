"""docs/asyncapi.yaml through AsyncAPI's own parser (npm), installed from its lock file."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.events import FACTS

HERE = Path(__file__).parent / "parser"
DOCUMENT = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
Check = Callable[[Path], "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.parser


@pytest.fixture(scope="module")
def check() -> Check:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.fail("AsyncAPI's parser needs Node.js 20 or newer with npm: install the package nodejs", pytrace=False)
    if not (HERE / "node_modules" / "@asyncapi" / "parser").exists():
        installed = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
        )
        assert installed.returncode == 0, installed.stderr[-1000:]
    return lambda document: subprocess.run(
        [node, "check.mjs", str(document)], cwd=HERE, capture_output=True, text=True, check=False
    )


def test_the_document_is_valid(check: Check) -> None:
    done = check(DOCUMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"10 channels, {len(FACTS)} messages"


def test_the_parser_tells_a_wrong_document(check: Check, tmp_path: Path) -> None:
    wrong = tmp_path / "docs" / "asyncapi.yaml"
    shutil.copytree(DOCUMENT.parent / "schemas", wrong.parent / "schemas")
    wrong.write_text(DOCUMENT.read_text().replace("$ref: '#/channels/encounters'", "$ref: '#/channels/nowhere'"))
    done = check(wrong)
    assert done.returncode == 1
    assert "nowhere" in done.stderr or "error" in done.stderr
