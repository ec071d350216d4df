"""The topics that faust would need beside the contract's: none, and why.

Tables are kept in memory and filled again from PostgreSQL (`windows.py`), so there are no changelogs; no agent
replies, so there is no reply topic; one worker runs, so there is no leader topic (`topic_disable_leader`).
"""


def internal_topics() -> tuple[tuple[str, int], ...]:
    """(name, partitions) of each topic that must exist before the signals start."""
    return ()
