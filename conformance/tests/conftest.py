"""Where CI is set, a test that is skipped is a failure: what is not there to be tested must not pass unseen."""

from __future__ import annotations

import os
import signal

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore Ctrl-C

NOTHING_MISSING: tuple[str, ...] = ()
"""Reasons to skip that no installation can remove."""


def _skipped(reporter: pytest.TerminalReporter | None) -> list[str]:
    found = []
    for report in reporter.stats.get("skipped", []) if reporter else []:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.endswith(NOTHING_MISSING):
            found.append(f"{report.nodeid}: {reason}")
    return found


def _reporter(config: pytest.Config) -> pytest.TerminalReporter | None:
    return config.pluginmanager.getplugin("terminalreporter") if os.environ.get("CI") else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and _skipped(_reporter(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for each in _skipped(_reporter(terminalreporter.config)):
        terminalreporter.write_line(f"FAILED because skipped, and CI is set: {each}", red=True)
