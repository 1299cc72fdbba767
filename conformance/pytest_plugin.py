"""Cases as pytest items: one per case, adapter and phase.

``pytest cases`` runs them, ``-k``, ``-m`` (a family, an operation, an adapter or a phase) and ``--adapter`` choose.
A YAML file is taken for a case file if it is named on the command line or lies below a folder of the ini option
``conformance_cases`` (``cases`` by default).  Nothing of the harness is imported until there is such a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.asked import Asked
    from conformance.case import Case
    from conformance.results import Outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("conformance", "conformance of frameworks to their formulas")
    group.addoption(
        "--adapter", action="append", default=[], metavar="NAME", help="run cases on this adapter only; repeatable"
    )
    group.addoption(
        "--case-timeout", type=float, default=60.0, metavar="SECONDS", help="how long a case may take (default 60)"
    )
    group.addoption(
        "--case-mode", choices=["eager", "graph", "xla"], help="how frameworks run their calls (default: their own)"
    )
    parser.addini("conformance_cases", "folders whose YAML files are cases", type="args", default=["cases"])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """Take up a case file."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    inside = set(file_path.relative_to(parent.config.rootpath).parts[:-1]) if _below(file_path, parent) else set()
    if parent.session.isinitpath(file_path) or inside & set(parent.config.getini("conformance_cases")):
        found: CaseFile = CaseFile.from_parent(parent, path=file_path)
        return found
    return None


def _below(path: Path, parent: pytest.Collector) -> bool:
    return path.is_relative_to(parent.config.rootpath)


class CaseFile(pytest.File):
    """A YAML file of cases."""

    def collect(self) -> Iterator[pytest.Item]:
        """An item per case, adapter and phase; raises `CollectError` with all faults of the file."""
        from conformance.discovery import chosen_adapters
        from conformance.errors import ConformanceError
        from conformance.task import load_valid, phases

        try:
            cases = load_valid([_shown(self.path)])
            adapters = chosen_adapters(self.config.getoption("adapter"))
        except ConformanceError as error:
            raise self.CollectError(str(error)) from None
        _register_markers(self.config, cases, adapters)
        for case in cases:
            stem = case.id.partition("/")[2]
            if case.observed:
                yield ObservedItem.from_parent(self, name=f"{stem}-observed", case=case)
                continue
            for adapter in adapters:
                for phase in phases(case):
                    name = f"{stem}-{Path(adapter).name}-{phase}"
                    yield CaseItem.from_parent(self, name=name, case=case, adapter=adapter, phase=phase)


def _shown(path: Path) -> str:
    """The path as the user knows it: relative to where he stands, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _register_markers(config: pytest.Config, cases: list[Case], adapters: list[str]) -> None:
    names = {"train", "predict", *adapters}
    names |= {name for case in cases for name in (case.operation.name, case.operation.family)}
    known = {line.partition(":")[0] for line in config.getini("markers")}
    for name in sorted(name for name in names if name.isidentifier() and name not in known):
        config.addinivalue_line("markers", f"{name}: conformance cases")


class Disagreement(Exception):
    """An outcome that is not as declared."""


class _Item(pytest.Item):
    def __init__(self, *, case: Case, **options: Any) -> None:
        super().__init__(**options)
        self.case = case
        for name in (case.operation.name, case.operation.family):
            self.add_marker(name)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands."""
        return self.path, self.case.place.line - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A failure in the words of the domain."""
        if isinstance(excinfo.value, Disagreement):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class CaseItem(_Item):
    """One phase of a case on one adapter."""

    def __init__(self, *, adapter: str, phase: str, **options: Any) -> None:
        super().__init__(**options)
        self.adapter, self.phase = adapter, phase
        for name in (adapter, phase):
            if name.isidentifier():
                self.add_marker(name)
        self.add_marker(pytest.mark.xdist_group(adapter))  # saves imports where it is honoured, no more

    def runtest(self) -> None:
        """Run the case, or take its other phase's run, and fail if the outcome is not as declared."""
        from conformance.report import text

        outcome = _workers(self.config).outcome(self.case, self.adapter, self.phase)
        if outcome.verdict == "unsupported":
            pytest.skip(outcome.message)
        if not outcome.as_declared:
            raise Disagreement(text.failure(outcome))


class ObservedItem(_Item):
    """Numbers that somebody saw: passes if a formula explains them."""

    def runtest(self) -> None:
        """Fail if no dialect reproduces the numbers."""
        from conformance.explanation import explain_observed

        found = explain_observed(self.case)
        if found.dialect is None:
            raise Disagreement(found.text())


class _Workers:
    """The frameworks of a test session: each started when it is first needed, and kept."""

    def __init__(self, demanded: bool, **options: Any) -> None:
        self._demanded, self._options = demanded, options
        self._asked: dict[str, Asked] = {}
        self._outcomes: dict[tuple[str, str], list[Outcome]] = {}

    def outcome(self, case: Case, adapter: str, phase: str) -> Outcome:
        """The outcome of one phase; a case runs once for both."""
        from conformance.asked import Asked

        if adapter not in self._asked:
            self._asked[adapter] = Asked(adapter, **self._options)
            self._asked[adapter].start()
        asked = self._asked[adapter]
        if asked.missing:
            reason = f"{adapter} is missing: {asked.missing}"
            if self._demanded:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
        key = (f"{case.file}:{case.id}", adapter)
        if key not in self._outcomes:
            self._outcomes = {key: asked.run(case)}  # only the latest: the phases of a case stand together
        return next(each for each in self._outcomes[key] if each.phase == phase)

    def close(self) -> None:
        """End the workers."""
        for asked in self._asked.values():
            asked.close()


_KEY: pytest.StashKey[_Workers] = pytest.StashKey()


def _workers(config: pytest.Config) -> _Workers:
    if _KEY not in config.stash:
        config.stash[_KEY] = _Workers(
            bool(config.getoption("adapter")),
            mode=config.getoption("case_mode") or "",
            timeout=config.getoption("case_timeout"),
        )
    return config.stash[_KEY]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the workers with the session."""
    if _KEY in config.stash:
        config.stash[_KEY].close()
