"""A run in parts: to which part a case belongs depends on its name alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

from conformance.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``; whatever other cases there are, a case stays in its part.

    >>> Shard.of("2/5")
    Shard(number=2, count=5)
    """

    number: int
    count: int

    @classmethod
    def of(cls, text: str) -> Self:
        """A shard as it is written; raises `UsageError`."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if not found:
            raise UsageError(f"{text!r}, expected two whole numbers as in 2/5: part 2 of 5")
        made = cls(int(found[1]), int(found[2]))
        if not 1 <= made.number <= made.count:
            known = f"1/{made.count} to {made.count}/{made.count}" if made.count else "a number of parts of at least 1"
            raise UsageError(f"{text!r}, expected {known}")
        return made

    def __contains__(self, case: str) -> bool:
        """Whether the case of that id is in this part. Python's own hash is another in every process."""
        digest = blake2b(case.encode("utf-8", "backslashreplace"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def absent(shards: Iterable[str]) -> list[str]:
    """The parts that are not there, of all that belong to these.

    >>> absent(["1/3", "3/3"])
    ['2/3']
    """
    there = {Shard.of(each) for each in shards}
    counts = sorted({each.count for each in there})
    return [
        str(part) for count in counts for number in range(1, count + 1) if (part := Shard(number, count)) not in there
    ]
