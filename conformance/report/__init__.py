"""The report: a run file as the page that people read, and as what other tools read.

``html``, ``junit`` and ``markdown`` turn a `Run` into a document, ``text`` into lines for a terminal.  They share
their words (`words`) and their arrangement (`overview`).
"""

from __future__ import annotations

import importlib
from typing import Literal, TypeAlias

from conformance.results import Run
from conformance.runfile import PathLike, write_whole

Form: TypeAlias = Literal["html", "junit", "markdown"]


def write(run: Run, path: PathLike, form: Form = "html") -> None:
    """Write a run as a document, whole or not at all."""
    module = importlib.import_module(f"conformance.report.{form}")
    write_whole(path, module.parts(run) if form == "html" else [module.render(run)])
