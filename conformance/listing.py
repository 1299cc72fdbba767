"""What there is: operations, cases, adapters and knobs, as rows for people and for programs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Container, Iterable, Sequence
from typing import Any

from conformance.case import Case
from conformance.connection import Connection
from conformance.discovery import built_in, get_adapter, offered
from conformance.errors import WorkerMissing
from conformance.operation import Tensor
from conformance.operation import operations as registry

Rows = list[dict[str, Any]]


def operations() -> Rows:
    """Every operation with its tensors, parameters, knobs and source."""
    return [
        {
            "name": each.name,
            "family": each.family,
            "description": each.description,
            "formula": each.formula,
            "source": each.source,
            "results": list(each.results),
            "tensors": {name: _tensor(tensor) for name, tensor in each.tensors.items()},
            "parameters": {name: parameter.default for name, parameter in each.parameters.items()},
            "knobs": {name: list(knob.values) for name, knob in each.knobs.items()},
            "adapters": [name for name in built_in() if each.name in get_adapter(name).spellings],
        }
        for each in registry().values()
    ]


def _tensor(tensor: Tensor) -> dict[str, Any]:
    row: dict[str, Any] = {"role": tensor.role, "axes": tensor.axes}
    return row | {name: True for name in ("integer", "optional") if getattr(tensor, name)}


def cases(found: Sequence[Case]) -> Rows:
    """Every case with its file and phases."""
    return [
        {
            "case": each.id,
            "file": each.file,
            "line": each.place.line,
            "phases": [name for name, phase in (("train", each.train), ("predict", each.predict)) if phase],
            "observed": bool(each.observed),
            "description": each.description,
        }
        for each in found
    ]


def adapters() -> Rows:
    """Every adapter: what it drives, with the installed versions or how to install them, and what it can do."""
    return [*map(_built_in, built_in()), *map(_from_outside, offered())]


def _built_in(name: str) -> dict[str, Any]:
    """What an adapter of this package says of itself without its framework, which may not be there."""
    adapter = get_adapter(name)
    row: dict[str, Any] = {"name": name, "description": (adapter.__doc__ or "").partition("\n")[0]}
    try:
        row["versions"] = adapter.versions()
    except importlib.metadata.PackageNotFoundError as missing:
        row["missing"] = f"{missing.name} is not installed: {adapter.install(missing.name)}"
    return row | _abilities(adapter.device(), adapter.precisions, adapter.modes, adapter.spellings)


def _from_outside(name: str) -> dict[str, Any]:
    """What an adapter of another package says of itself, in a process of its own: its module may import anything."""
    row = {"name": name, "description": f"offered by {offered()[name]}"}
    with Connection(name) as connection:
        try:
            hello = connection.start()
        except WorkerMissing as reason:
            return {**row, "missing": str(reason), **_abilities("", (), (), ())}
    return {
        **row,
        "versions": hello.versions,
        **_abilities(hello.device, hello.precisions, hello.modes, hello.operations),
    }


def _abilities(device: str, precisions: Iterable[str], modes: Iterable[str], has: Container[str]) -> dict[str, Any]:
    return {
        "device": device,
        "precisions": list(precisions),
        "modes": list(modes),
        "operations": [each for each in registry() if each in has],
        "lacks": [each for each in registry() if each not in has],
    }


def knobs() -> Rows:
    """Every knob of every operation, with what its settings mean."""
    return [
        {
            "operation": operation.name,
            "knob": knob.name,
            "kind": "algorithmic" if knob.algorithmic else "semantic",
            "default": knob.default,
            "settings": {str(value): meaning for value, meaning in knob.values.items()},
        }
        for operation in registry().values()
        for knob in operation.knobs.values()
    ]


def text(what: str, rows: Rows) -> str:
    """The rows as lines for a terminal."""
    return "\n".join(line for row in rows for line in _LINES[what](row))


def _operation(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['name']} ({row['family']}): {row['description']}",
        f"    tensors     {', '.join(row['tensors'])}",
        f"    parameters  {', '.join(f'{name}={value}' for name, value in row['parameters'].items()) or 'none'}",
        f"    knobs       {', '.join(row['knobs']) or 'none'}",
        f"    adapters    {', '.join(row['adapters'])}",
        f"    source      {row['source']}",
    ]


def _case(row: dict[str, Any]) -> list[str]:
    phases = "observed" if row["observed"] else "+".join(row["phases"])
    return [f"{row['case']}  {phases}  {row['file']}:{row['line']}  {row['description']}".rstrip()]


def _adapter(row: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items())
    default, *others = row["modes"] or [""]
    modes = ", ".join([f"{default} (the default)", *others]) if others else default
    lines = [
        f"{row['name']}: {row['description']}",
        f"    {versions or 'missing: ' + row['missing']}",
        f"    {row['device']}; {', '.join(row['precisions'])}; {modes}",
        f"    {len(row['operations'])} operations: {', '.join(row['operations'])}",
    ]
    return lines + ([f"    lacks {', '.join(row['lacks'])}"] if row["lacks"] else [])


def _knob(row: dict[str, Any]) -> list[str]:
    lines = [f"{row['operation']}: {row['knob']} ({row['kind']})"]
    for value, meaning in row["settings"].items():
        mark = "*" if value == str(row["default"]) else " "
        lines.append(f"  {mark} {value}: {meaning}")
    return lines


_LINES = {"operations": _operation, "cases": _case, "adapters": _adapter, "knobs": _knob}
