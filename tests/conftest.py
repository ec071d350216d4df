"""Fixtures for every test: real servers, started once per session by the tests themselves."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.servers", "tests.support.databases", "tests.support.stack"]

# Two starved cores may take any time for an example: that it is slow says nothing about the code.
# The same examples each time, so that a red run is about the change; `make fuzz` looks for new ones.
settings.register_profile(
    "handoff",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
settings.load_profile("handoff")
