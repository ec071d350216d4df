"""`python -m deploy.reference`: writes every generated reference; `--check` only says which are not current."""

import argparse
import sys
from pathlib import Path

from deploy.reference.asyncapi import asyncapi_file
from deploy.reference.event_table import event_table_file
from deploy.reference.publishing import publish
from deploy.reference.retention_table import retention_file
from deploy.reference.schemas import schema_files
from deploy.reference.settings_table import settings_file

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CONTRACT = ROOT / "tests" / "contract"


def references(docs: Path = DOCS) -> dict[Path, str]:
    """Every generated file and what it must hold."""
    return {
        docs / "asyncapi.yaml": asyncapi_file(),
        docs / "events.md": event_table_file(),
        docs / "retention.md": retention_file(),
        docs / "settings.md": settings_file(),
        **schema_files(docs / "schemas"),
    }


def outdated(docs: Path = DOCS) -> list[Path]:
    """Files that are missing or differ, and schemas of types that no longer exist."""
    wanted = references(docs)
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return stale + [path for path in sorted((docs / "schemas").glob("*.json")) if path not in wanted]


def write(docs: Path = DOCS) -> list[Path]:
    changed = outdated(docs)
    wanted = references(docs)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is not current")
    parser.add_argument("--publish", metavar="VERSION", help="also keep the contract as this published version")
    asked = parser.parse_args()
    changed = outdated() if asked.check else write()
    for path in changed:
        print(f"{'not current' if asked.check else 'written'}: {path.relative_to(ROOT)}")
    if asked.publish and not asked.check:
        for path in publish(CONTRACT, asked.publish):
            print(f"published: {path.relative_to(ROOT)}")
    return 1 if asked.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
