"""Writing a reproduction script: the adapter's own functions and calls, with the case's numbers as literals."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.adapter import Task
from conformance.spelling import Array
from conformance.writing import source


def literal(array: Array) -> str:
    """An array as Python source that gives the same bits back."""
    text = np.array2string(array, separator=", ", threshold=array.size + 1, floatmode="unique", max_line_width=100)
    for word in ("nan", "inf"):
        text = text.replace(word, f"np.{word}")
    if not array.size:
        return f"np.zeros({array.shape}, {str(array.dtype)!r})"
    return f"np.array({text}, dtype={str(array.dtype)!r})"


class Script:
    """A script under construction: a heading, functions taken over as they stand, and lines."""

    def __init__(self, task: Task, adapter: str, imports: Sequence[str]) -> None:
        self._head = [
            f'"""{task.case} on {adapter}, {task.precision}: the same calls, and nothing of the harness."""',
            "",
            "from __future__ import annotations",
            "",
            *imports,
        ]
        self._functions: list[str] = []
        self._lines: list[str] = []

    def functions(self, *functions: Callable[..., Any]) -> None:
        """Take over the source of some functions of the adapter."""
        self._functions += map(source, functions)

    def line(self, *lines: str) -> None:
        self._lines += lines

    def arrays(self, arrays: Mapping[str, Array]) -> None:
        """Give each array a name."""
        self._lines += [f"{name} = {literal(each)}" for name, each in arrays.items()]

    def block(self, text: str) -> None:
        """Lines written as one indented text."""
        self._lines += textwrap.dedent(text).strip("\n").splitlines()

    def __str__(self) -> str:
        functions = [line for each in self._functions for line in ("", "", *each.splitlines())]
        return "\n".join([*self._head, *functions, "", "", *self._lines]) + "\n"
