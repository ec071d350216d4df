"""Fixtures for every test: real servers, started once per session by the tests themselves."""

pytest_plugins = ["tests.support.servers", "tests.support.databases", "tests.support.stack"]
