"""Fuzzes the notation and the recipes written in it. By hand:

    python tests/fuzz/notation.py -runs=100000 -max_len=2000 CORPUS    guided by coverage (pip install atheris)
    python tests/fuzz/notation.py --mutations 100000 [SEED]            damaged texts of every construct

Whatever the text: nothing is raised, every finding has a declared code and a place; a text without errors keeps
its values and comments in its normal form; no input takes more than a second or 200 MB. A breach ends the run and
prints the input.
"""

from __future__ import annotations

import contextlib
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

GUIDED = "--mutations" not in sys.argv
if GUIDED:
    import atheris

    instrumented = atheris.instrument_imports(include=["pipeline_dsl.syntax", "pipeline_dsl.recipe"])
else:
    instrumented = contextlib.nullcontext()
with instrumented:
    from pipeline_dsl.diagnostics import Diagnostic, Source
    from pipeline_dsl.recipe.load import load_recipe
    from pipeline_dsl.syntax.formatting import formatted
    from pipeline_dsl.syntax.nodes import plain
    from pipeline_dsl.syntax.parser import Parsed, parse, parse_value
    from pipeline_dsl.syntax.reading import decode
    from pipeline_dsl.syntax.render import render

TESTS = Path(__file__).parents[1]
PAGES = TESTS.parent / "pipeline_dsl" / "cli" / "pages"
DECLARED = {path.stem for path in PAGES.glob("MR*.md")}
MOST_SECONDS, MOST_MEGABYTES = 1.0, 200
TOLD_EVERY = 1000
MARKS = [
    *"ab1.-_ #\"\\\n\n\n\t:=[]{}()|,$'\r가а\u0301\u200b\u00a0\0",
    "a: ",
    "    ",
    "- ",
    '"""',
    '"""\n',
    "t |a, b|\n",
]
MARKS += [
    "table{a}",
    "[s]",
    "\r\n",
    "${a}",
    "${env:HOME}",
    "1e",
    "extends: x\n",
    "like: a\n",
    "profiles:\n",
    "phases:\n    ",
]


class Watch:
    """Runs inputs and stands for what is promised of each."""

    def __init__(self) -> None:
        self.count = 0
        self.slowest = 0.0
        self.fine = 0
        self.first = megabytes()

    def run(self, data: bytes) -> None:
        start = time.process_time()
        try:
            self.fine += hold(data)
        except Exception:
            print(f"input: {data!r}", file=sys.stderr)
            raise
        seconds = time.process_time() - start
        self.count += 1
        self.slowest = max(self.slowest, seconds)
        assert seconds <= MOST_SECONDS, f"{seconds:.2f} s for {data!r}"
        assert megabytes() - self.first <= MOST_MEGABYTES, (
            f"{megabytes() - self.first:.0f} MB more after {data!r}"
        )
        if self.count % TOLD_EVERY == 0:
            self.tell()

    def tell(self) -> None:
        grown = megabytes() - self.first
        print(
            f"{self.count} inputs, {self.fine} of them without errors: nothing raised; "
            f"slowest {self.slowest * 1000:.0f} ms, memory grew by {grown:.0f} MB in all",
            flush=True,
        )


def megabytes() -> float:
    """The peak of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def hold(data: bytes) -> bool:
    """Assert what is promised of any bytes; whether they are a text without errors."""
    source, found = decode("fuzz.sdn", data)
    stand(found)
    if source is None:
        return False
    parsed = parse(source)
    stand(parsed.diagnostics)
    stand(parse_value(source)[1])
    stand(load_recipe("fuzz.sdn", source=source, environment={}).diagnostics)
    if parsed.ok:
        keep(parsed)
    return parsed.ok


def stand(found: tuple[Diagnostic, ...]) -> None:
    for finding in found:
        assert finding.code in DECLARED, finding
        assert finding.span is not None, finding
        assert finding.span.line >= 1, finding
        assert finding.span.column >= 1, finding


def keep(parsed: Parsed) -> None:
    value = repr(plain(parsed.root))
    text = formatted(parsed)
    again = parse(Source.of("formatted.sdn", text))
    assert again.ok, again.diagnostics
    assert repr(plain(again.root)) == value
    assert [c.text.rstrip(" \t\r") for c in parsed.comments] == [c.text for c in again.comments]
    assert formatted(again) == text
    written = parse(Source.of("rendered.sdn", render(plain(parsed.root))))
    assert written.ok, written.diagnostics
    assert repr(plain(written.root)) == value


def mutate(watch: Watch, count: int, seed: int) -> None:
    """Run texts of every construct and real recipes, each damaged in some places."""
    chance = Random(seed)
    document: Callable[[Random], str] = runpy.run_path(str(TESTS / "syntax" / "documents.py"))["document"]
    recipes = [path.read_text("utf-8") for path in sorted((TESTS.parent / "recipes").glob("*.sdn"))]
    for _ in range(count):
        text = document(chance) if chance.random() < 0.8 else part(chance.choice(recipes), chance)
        for _ in range(chance.choice([0, 1, 1, 2, 3, 6])):
            place = chance.randint(0, len(text))
            inserted = "".join(chance.choice(["", *MARKS]) for _ in range(chance.randint(0, 2)))
            text = text[:place] + inserted + text[place + chance.randint(0, 5) :]
        watch.run(text.encode("utf-8", "surrogatepass"))


def part(text: str, chance: Random) -> str:
    lines = text.splitlines(keepends=True)
    start = chance.randint(0, len(lines))
    return "".join(lines[start : start + chance.randint(1, 40)])


if __name__ == "__main__":
    watch = Watch()
    if GUIDED:
        atheris.Setup(sys.argv, watch.run)
        atheris.Fuzz()
    else:
        numbers = [int(word) for word in sys.argv if word.isdigit()]
        mutate(watch, numbers[0], numbers[1] if len(numbers) > 1 else 0)
