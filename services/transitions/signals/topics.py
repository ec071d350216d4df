"""The topics that faust needs beside the contract's: the changelogs of its tables.

No agent replies, so there is no reply topic; nothing asks for a leader, so there is no leader topic
(`topic_disable_leader`).
"""

from shared.events import PARTITIONS

APPLICATION = "transitions-signals"
MINUTES_TABLE = "feed-minutes"
PROFILES_TABLE = "feed-profiles"


def changelog_name(application: str, table: str) -> str:
    """As faust names it."""
    return f"{application}-{table}-changelog"


def internal_topics() -> tuple[tuple[str, int], ...]:
    """(name, partitions) of each topic that must exist before the signals start; all of them are compacted."""
    return tuple((changelog_name(APPLICATION, table), PARTITIONS) for table in (MINUTES_TABLE, PROFILES_TABLE))
