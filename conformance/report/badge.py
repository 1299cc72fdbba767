"""The run as a badge: the JSON that https://shields.io/badges/endpoint-badge draws."""

from __future__ import annotations

import json

from conformance.results import Run
from conformance.sharding import absent


def render(run: Run) -> str:
    """What one reads at a glance: is all as declared, and is that all?"""
    undeclared = sum(not outcome.as_declared for outcome in run.outcomes)
    partial = run.header.partial or bool(absent(run.header.shards))
    if undeclared:
        message, color = f"{undeclared:,} not as declared", "red"
    elif run.outcomes:
        message, color = f"{len(run.outcomes):,} as declared", "yellow" if partial else "brightgreen"
    else:
        message, color = "nothing measured", "lightgrey"
    message += ", partial" if partial else ""
    return json.dumps({"schemaVersion": 1, "label": "conformance", "message": message, "color": color}, indent=2) + "\n"
