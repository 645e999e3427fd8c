"""What the demo shows while it runs: a panel on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys

BOX = {"awake": "#", "asleep": ".", "waking": "^", "draining": "v", "empty": "v", "preparing": "v"}
COLOUR = {"awake": 32, "asleep": 34, "waking": 33, "draining": 35, "empty": 35, "preparing": 35}
LINE_EVERY = 5


def bar(value: float, top: float, width: int = 34) -> str:
    n = round(width * min(value / top, 1)) if top > 0 else 0
    return "=" * n + " " * (width - n)


def clock(hour: float) -> str:
    return "lead-in" if hour < 0 else f"{int(hour) % 24:02d}:{int(hour * 60) % 60:02d}"


class View:
    def __init__(self, plain: bool) -> None:
        self.terminal = sys.stdout.isatty() and not plain
        self.lines = 0
        self.shown = 0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, flush=True)

    def _clear(self) -> None:
        if self.terminal and self.lines:
            print(f"\033[{self.lines}A\033[J", end="")
        self.lines = 0

    def show(self, m: dict) -> None:
        """One moment: see demo.py, Moment."""
        self.shown += 1
        if not self.terminal:
            if self.shown % LINE_EVERY == 1:
                print(self.line(m), flush=True)
            return
        self._clear()
        panel = self.panel(m)
        print("\n".join(panel), flush=True)
        self.lines = len(panel)

    @staticmethod
    def line(m: dict) -> str:
        counts = " ".join(f"{n} {state}" for state, n in sorted(m["counts"].items()))
        demand = " ".join(
            f"{k} {v:.0f}/{m['need'].get(k) or 0:.0f}" for k, v in m["demand"].items()
        )
        p99 = m["p99_ms"]
        return (
            f"{clock(m['hour'])}  {counts:<34} {m['watts']:5.0f} W (always on {m['always_on_w']:5.0f})"
            f"  req/s now/planned: {demand}  p99 {p99 or 0:.0f} ms  failed {m['failed']}"
            f"  moves {m['moves']} sleeps {m['sleeps']} wakes {m['wakes']}"
        )

    @staticmethod
    def panel(m: dict) -> list[str]:
        nodes = " ".join(
            f"\033[{COLOUR.get(s, 31)}m{name}{BOX.get(s, '?')}\033[0m"
            for name, s in sorted(m["states"].items())
        )
        out = [
            "",
            f"  {clock(m['hour'])}   {nodes}   (# awake  v emptying  . asleep  ^ waking)",
            f"  power     {bar(m['watts'], m['top_w'])} {m['watts']:5.0f} W",
            f"  always on {bar(m['always_on_w'], m['top_w'])} {m['always_on_w']:5.0f} W",
        ]
        for name, rate in m["demand"].items():
            need = m["need"].get(name) or 0
            ready = m["ready"].get(name, 0)
            out.append(
                f"  {name:<9} {bar(rate, m['top_rate'])} {rate:5.0f} req/s, ready for {need:4.0f}"
                f" with {ready} replicas"
            )
        p99 = m["p99_ms"]
        out.append(
            f"  requests {m['sent']}, failed {m['failed']}, wrong {m['wrong']}, p99 {p99 or 0:.0f} ms,"
            f" moves {m['moves']}, sleeps {m['sleeps']}, wakes {m['wakes']}"
        )
        return out
