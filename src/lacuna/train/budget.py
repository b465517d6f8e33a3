"""How long a run may go on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lacuna.errors import ConfigError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Budget:
    """Seconds of this session, or samples of the whole run; None is no limit.

    Examples
    --------
    >>> Budget.parse("1.5h"), Budget.parse("20000")
    (Budget(seconds=5400.0, samples=None), Budget(seconds=None, samples=20000))
    """

    seconds: float | None = None
    samples: int | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``90s``, ``30m``, ``2h`` or a number of samples; empty is no limit.

        Raises
        ------
        ConfigError : none of these, or nothing.
        """
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
        if not text.strip():
            return cls()
        if not found or float(found[1]) <= 0 or (not found[2] and "." in found[1]):
            raise ConfigError(f"budget is {text!r}; expected 90s, 30m, 2h, or a number of samples, above 0")
        if found[2]:
            return cls(seconds=float(found[1]) * _SECONDS[found[2]])
        return cls(samples=int(found[1]))

    def share(self, seconds: float, samples: int) -> float:
        """Return how much is used, 0 to 1; 0 without a limit."""
        if self.seconds is not None:
            return min(seconds / self.seconds, 1.0)
        if self.samples is not None:
            return min(samples / self.samples, 1.0)
        return 0.0
