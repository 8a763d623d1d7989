"""How long a before-callback is decided by an app's rules, by the number of words looked for.

    python -m bench.callbacks [--seconds 0.5]

The decision alone (`gateway.im.callbacks_in_rules.decide`), from the decoded body to the answer, nothing published:
what a message costs that no rule fits, which is looked through by all of them, and one in which every tenth
word is replaced. A hundred different messages take turns: what RE2 learns from one does not make the next quick.
"""

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from config.settings import ImCallbackRule
from gateway.im.callbacks_in_rules import Rule, decide, rules_of
from schemas.im.callbacks import BEFORE_SEND

WORDS = (0, 100, 1_000, 10_000)
PATTERNS_A_RULE = 100
"""The most that a rule's settings take."""
BYTES = (100, 12_000)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MESSAGES = 100


def rules_for(words: Sequence[str], kind: str) -> tuple[Rule, ...]:
    """One rule of words, or patterns in as many rules as it takes."""
    if not words:
        return ()
    if kind == "words":
        return rules_of([ImCallbackRule(action="replace", words=list(words))])
    patterns = [rf"\b{word}(\s|\d)?" for word in words]
    portions = [patterns[start : start + PATTERNS_A_RULE] for start in range(0, len(patterns), PATTERNS_A_RULE)]
    return rules_of([ImCallbackRule(action="replace", patterns=portion) for portion in portions])


def message(size: int, every_tenth: Sequence[str], numbers: random.Random) -> dict[str, Any]:
    said: list[str] = []
    length = 0
    while length < size:
        forbidden = every_tenth and len(said) % 10 == 0
        said.append(numbers.choice(every_tenth) if forbidden else a_word(numbers).upper())
        length += len(said[-1]) + 1
    text = " ".join(said)[:size]
    element = {"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}
    return {"From_Account": "bob", "To_Account": "al", "MsgBody": [element]}


def a_word(numbers: random.Random) -> str:
    return "".join(numbers.choices(LETTERS, k=numbers.randint(4, 10)))


def microseconds(rules: Sequence[Rule], bodies: Sequence[dict[str, Any]], seconds: float) -> list[float]:
    """Each at least once, however slow they are."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < len(bodies):
        started = time.perf_counter()
        decide(rules, BEFORE_SEND, bodies[len(taken) % len(bodies)])
        taken.append((time.perf_counter() - started) * 1e6)
    return sorted(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each line")
    seconds = parser.parse_args().seconds
    numbers = random.Random(1)
    table = Table("looked for", "message", "fits", "median us", "99 % us")
    for kind in ("words", "patterns"):
        for number in WORDS:
            if kind == "patterns" and not 0 < number <= 1_000:
                continue
            words = [a_word(numbers) + str(each) for each in range(number)]
            rules = rules_for(words, kind)
            for size in BYTES:
                for found in (False, True) if words else (False,):
                    bodies = [message(size, words if found else (), numbers) for _ in range(MESSAGES)]
                    taken = microseconds(rules, bodies, seconds)
                    figures = (f"{each:,.0f}" for each in (statistics.median(taken), taken[int(len(taken) * 0.99)]))
                    fits = "every tenth word" if found else "nothing"
                    table.add_row(f"{number:,} {kind}", f"{size:,} bytes", fits, *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
