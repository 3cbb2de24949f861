from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_dsl.syntax.codes import Code
from pipeline_dsl.syntax.findings import MAX_FINDINGS

MIB = 1 << 20
BUSY = 5
"""How many times as many CPU seconds a machine takes that does much else; bounds are for one that does not."""


def codes(parsed) -> list[str]:
    return [d.code for d in parsed.diagnostics]


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: " + "[" * 100_000 + "]" * 100_000,
        "a: " + "{a: " * 100_000,
        "a:\n  - " + "[" * 100_000,
        "t |a|\n  " + "[" * 100_000,
        "".join(f"{' ' * depth}a:\n" for depth in range(1400)),
        "".join(f"{' ' * depth}- a:\n" for depth in range(0, 1400, 2)).replace("- a", "x:\n- a", 1),
    ],
    ids=["lists", "closed", "mappings", "item", "cell", "blocks", "items"],
)
def test_fault_11_deep_nesting_is_refused_within_a_second(text: str, read) -> None:
    start = time.process_time()
    parsed = read(text)
    assert time.process_time() - start < 1 * BUSY
    assert Code.TOO_DEEP in codes(parsed)
    assert len(parsed.diagnostics) <= 2


def test_64_levels_of_blocks_and_brackets_are_read_and_65_are_not(read) -> None:
    blocks = "".join(f"{' ' * depth}a:\n" for depth in range(60))
    assert read(f"{blocks}{' ' * 60}b: [[[[]]]]\n").ok
    assert codes(read(f"{blocks}{' ' * 60}b: [[[[[]]]]]\n")) == [Code.TOO_DEEP]


def test_fault_12_a_text_past_one_mebibyte_is_refused(read) -> None:
    start = time.process_time()
    assert codes(read("a: 1\n" * 2 * MIB)) == [Code.TOO_LARGE]
    assert time.process_time() - start < 1 * BUSY


@pytest.mark.parametrize(
    "line",
    [
        "a\n",
        "a: [\n",
        'a: "\n',
        'a: """\n',
        "a {\n",
        "a: {\n",
        "[a]\n",
        "a b: 1\n",
        "- a\n",
        "\t a: 1\n  b: 1\n",
    ],
)
def test_errors_are_counted_up_to_a_limit(line: str, read) -> None:
    text = line * (100_000 // len(line))
    start = time.process_time()
    parsed = read(text)
    assert time.process_time() - start < 2 * BUSY
    assert not parsed.ok
    assert len(parsed.diagnostics) <= MAX_FINDINGS + 1


def test_the_last_finding_says_that_there_may_be_more(read) -> None:
    assert codes(read("a\n" * 1000))[-1] == Code.TOO_MANY


@pytest.mark.parametrize(
    "unit",
    ["key_{}: value\n", "k{0}:\n  - n: {0}\n    m: [1, 2]\n", "x{0} |a, b|\n  {0}, text\n"],
    ids=["entries", "items", "tables"],
)
def test_time_grows_with_the_text_and_not_faster(unit: str, read) -> None:
    def seconds(count: int) -> float:
        text = "".join(unit.format(number) for number in range(count))
        best = 9.0
        for _ in range(2):
            start = time.process_time()
            assert read(text).ok
            best = min(best, time.process_time() - start)
        return best

    assert seconds(2000) < 12 * seconds(500)


def python(program: str) -> str:
    """What a fresh interpreter prints, without the packages that site hooks load."""
    program = f"import sys; sys.path[:0] = {sys.path!r}; {program}"
    command = [sys.executable, "-S", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


STATUS = Path("/proc/self/status")
"""Says a process's own peak; getrusage would begin with what the parent held when it forked."""


@pytest.mark.skipif(not STATUS.exists(), reason="needs the peak of a process from /proc")
def test_too_many_words_are_refused_before_they_fill_the_memory() -> None:
    used = python(
        "from pipeline_dsl.diagnostics import Source; from pipeline_dsl.syntax.parser import parse; "
        "parsed = parse(Source.of('x', 't |a, b|\\n ' + ',' * 1_000_000)); "
        f"peak = next(line for line in open('{STATUS}') if line.startswith('VmHWM')); "
        "print(parsed.diagnostics[0].code, int(peak.split()[1]) // 1024)"
    )
    code, mebibytes = used.split()
    assert code == Code.TOO_LARGE
    assert int(mebibytes) < 200


@pytest.mark.parametrize(
    "text",
    [
        'a: "' + "\\" * MIB,
        "a: x" + " " * 900_000 + "#",
        "a: [x" + " " * 900_000,
        "a: " + "${" * 400_000,
        "a: " + "1_" * 400_000,
    ],
    ids=["backslashes", "spaces", "spaces in brackets", "references", "digits"],
)
def test_no_pattern_takes_more_than_a_moment(text: str, read) -> None:
    start = time.process_time()
    read(text[:MIB])
    assert time.process_time() - start < 2 * BUSY


def test_the_machine_reader_loads_no_grammar() -> None:
    modules = "('lark', 'typing', 'dataclasses', 'pipeline_dsl.syntax.nodes')"
    program = f"import pipeline_dsl.syntax.machine; print([m for m in {modules} if m in sys.modules])"
    assert python(program) == "[]"
