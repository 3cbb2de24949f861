"""How well `medrecipe check` tells single mistakes: found, at their line, with what to write.

python tests/bench/mistakes.py [--count N] [--seed N] [--json] [--show KIND]

Each mistake is one change of one of the project's recipes, of a kind that people make, chosen by the seed. A change
that leaves what the text says as it is, or makes another valid name, is no mistake and is drawn anew. Names are not
changed where a recipe declares them: there the uses are as likely wrong. A mistake counts as *named* where a help, a
message or a fix holds the word that stood there, or a fix gives the recipe back as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_dsl.api.options import schema_of
from pipeline_dsl.cli.prepare import Choices, Prepared, in_text_order
from pipeline_dsl.cli.profiles import with_other_profiles
from pipeline_dsl.diagnostics import Diagnostic, Source, Span
from pipeline_dsl.plan.check import check_recipe
from pipeline_dsl.recipe.bind import TASK_COLUMNS, TOP_KEYS
from pipeline_dsl.recipe.contracts import RETAIN_COLUMNS
from pipeline_dsl.recipe.load import load_recipe
from pipeline_dsl.recipe.phases import HOOK_COLUMNS, MIX_COLUMNS, PHASE_KEYS, STACK_COLUMNS
from pipeline_dsl.registry import Catalog, build_catalog
from pipeline_dsl.syntax.nodes import Entry, Mapping, Node, Scalar, Sequence, Style, Table, plain
from pipeline_dsl.syntax.parser import parse
from pipeline_dsl.syntax.repairs import fixed

ROOT = Path(__file__).parents[2]
RECIPES = sorted(p for p in (ROOT / "recipes").glob("*.sdn") if p.name != "base.sdn")
TARGETS = {"found": 1.0, "at_line": 0.95, "named": 0.75}
DECLARING = ("adapters", "data", "templates", "tasks", "phases", "profiles")


@dataclass(frozen=True)
class Change:
    """One mistake: the text with it, the lines that it is on, the word that stood there."""

    text: str
    lines: frozenset[int]
    word: str


@dataclass(frozen=True)
class Original:
    """A recipe as it is."""

    path: Path
    text: str
    root: Mapping
    names: frozenset[str]
    """Every name that means something in it."""

    def replaced(self, span: Span, new: str, word: str | None = None) -> Change:
        text = self.text[: span.start] + new + self.text[span.end :]
        return Change(text, frozenset({span.line}), span.text if word is None else word)


Maker = Callable[[Original, random.Random], Iterator[Change]]


def values(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Entry | None, Scalar]]:
    """Every single value with its path and, where it stands directly under a key, that entry."""
    match node:
        case Mapping():
            for entry in node:
                inner = (*path, entry.key.name)
                if isinstance(entry.value, Scalar):
                    yield inner, entry, entry.value
                else:
                    yield from values(entry.value, inner)
        case Sequence(items=items):
            for item in items:
                yield from ([(path, None, item)] if isinstance(item, Scalar) else values(item, path))
        case Table():
            for row in node.rows:
                for column, cell in zip(node.columns, row.items, strict=True):
                    where = (*path, column.name)
                    yield from ([(where, None, cell)] if isinstance(cell, Scalar) else values(cell, where))


def entries(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """Every entry with the path that it stands under."""
    match node:
        case Mapping():
            for entry in node:
                yield path, entry
                yield from entries(entry.value, (*path, entry.key.name))
        case Sequence(items=items):
            for item in items:
                yield from entries(item, path)
        case Table():
            for row in node.rows:
                for cell in row.items:
                    yield from entries(cell, path)


def tables(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Table]]:
    if isinstance(node, Mapping):
        for entry in node:
            if isinstance(entry.value, Table):
                yield (*path, entry.key.name), entry.value
            yield from tables(entry.value, (*path, entry.key.name))


def slip(word: str, names: frozenset[str], rng: random.Random) -> str | None:
    """The word with one slip of a hand, if that is no name itself."""
    for _ in range(20):
        at = rng.randrange(len(word))
        ways = [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + rng.choice("aeiorst") + word[at + 1 :],
            word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        ]
        found = rng.choice(ways)
        if (
            len(found) > 1
            and found not in names
            and found != word
            and re.fullmatch(r"[^\W\d][\w./-]*", found)
        ):
            return found
    return None


def slips(o: Original, rng: random.Random, wanted: Callable[[tuple[str, ...]], bool]) -> Iterator[Change]:
    for path, _, scalar in values(o.root):
        if wanted(path) and isinstance(scalar.value, str) and scalar.style is Style.BARE:
            wrong = slip(scalar.value, o.names, rng)
            if wrong:
                yield o.replaced(scalar.span, wrong)


def key_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    for path, entry in entries(o.root):
        declared = path[-1:] and path[-1] in DECLARING
        if declared or len(entry.key.name) < 3 or entry.key.name == "profiles":
            continue
        if path[:1] == ("profiles",) and len(path) == 1:
            continue
        wrong = slip(entry.key.name, o.names, rng)
        if wrong:
            yield o.replaced(entry.key.span, wrong)


def provider_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    yield from slips(o, rng, lambda p: p[-1] in {"use", "template", "metric", "do"})


def adapter_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    yield from slips(o, rng, lambda p: p[-1] == "adapter" or p[-1] == "like")


def data_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    yield from slips(o, rng, lambda p: p[-1] == "data")


def task_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    yield from slips(o, rng, lambda p: p[-1] == "task" and p[0] == "phases")


def event_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    yield from slips(o, rng, lambda p: p[-1] == "on")


def role_typo(o: Original, rng: random.Random) -> Iterator[Change]:
    yield from slips(o, rng, lambda p: p[-1] in {"role", "otherwise"})


def condition_name(o: Original, rng: random.Random) -> Iterator[Change]:
    for path, _, scalar in values(o.root):
        if path[-1] in {"when", "until"} and isinstance(scalar.value, str):
            for match in re.finditer(r"[a-z_]{4,}", scalar.span.text):
                wrong = slip(match[0], o.names, rng)
                if wrong:
                    start = scalar.span.start + match.start()
                    yield o.replaced(Span(scalar.span.source, start, start + len(match[0])), wrong)


def numbers(o: Original) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    for path, _, scalar in values(o.root):
        if isinstance(scalar.value, int | float) and not isinstance(scalar.value, bool):
            yield path, scalar


def wrong_type(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, scalar in numbers(o):
        yield o.replaced(scalar.span, rng.choice(["many", "true", "[1, 2]", "high"]))


def quoted_number(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, scalar in numbers(o):
        yield o.replaced(scalar.span, f'"{scalar.span.text}"')


def odd_number(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, scalar in numbers(o):
        text = scalar.span.text
        if text.startswith("0."):
            yield o.replaced(scalar.span, text[1:])
        elif text[0] != "-":
            yield o.replaced(scalar.span, f"+{text}")


def out_of_range(o: Original, rng: random.Random) -> Iterator[Change]:
    for path, scalar in numbers(o):
        if path[-1] != "weight" and scalar.value:
            yield o.replaced(scalar.span, f"-{scalar.span.text}")


def bad_weight(o: Original, rng: random.Random) -> Iterator[Change]:
    for path, scalar in numbers(o):
        if path[-1] == "weight":
            yield o.replaced(scalar.span, rng.choice(["0", f"-{scalar.span.text}"]))


def flag_case(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, _, scalar in values(o.root):
        if isinstance(scalar.value, bool):
            word = scalar.span.text
            yield o.replaced(scalar.span, rng.choice([word.capitalize(), word.upper()]))


def lines_of(o: Original) -> Iterator[tuple[int, int, str]]:
    """Lines outside text blocks and brackets: number, offset, text."""
    source = Source.of("x", o.text)
    inside = {
        n
        for _, _, s in values(o.root)
        if "\n" in s.span.text
        for n in range(s.span.line, s.span.end_position[0] + 1)
    }
    for number, start in enumerate(source.line_starts, 1):
        text = source.line(number)
        if text.strip() and not text.lstrip().startswith("#") and number not in inside:
            yield number, start, text


def missing_colon(o: Original, rng: random.Random) -> Iterator[Change]:
    for number, start, line in lines_of(o):
        match = re.match(r"( *[\w./-]+)( *[:=])( |$)", line)
        if match:
            gap = "" if match[3] == "" else " "
            text = o.text[:start] + match[1] + gap + line[match.end() :] + o.text[start + len(line) :]
            yield Change(text, frozenset({number}), match[1].strip() + match[2])


def double_sign(o: Original, rng: random.Random) -> Iterator[Change]:
    for number, start, line in lines_of(o):
        match = re.match(r" *[\w./-]+ *([:=]) ", line)
        if match:
            at = start + match.start(1)
            wrong = rng.choice(["==", ":="])
            yield Change(o.text[:at] + wrong + o.text[at + 1 :], frozenset({number}), match[1])


def bad_indent(o: Original, rng: random.Random) -> Iterator[Change]:
    before = None
    for number, start, line in lines_of(o):
        width = len(line) - len(line.lstrip())
        if width and before is not None and before >= width:
            by = rng.choice([-2, -1, 1, 2] if before == width else [-2, -1])
            text = o.text[:start] + " " * (width + by) + o.text[start + width :]
            yield Change(text, frozenset({number}), line)
        before = width


def tab_indent(o: Original, rng: random.Random) -> Iterator[Change]:
    for number, start, line in lines_of(o):
        width = len(line) - len(line.lstrip())
        if width and number > 1:
            text = o.text[:start] + "\t" * (width // 4) + o.text[start + width :]
            yield Change(text, frozenset({number}), line)


def unclosed_quote(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, _, scalar in values(o.root):
        if scalar.style is Style.QUOTED and "\n" not in scalar.span.text:
            at = scalar.span.end - 1
            yield Change(o.text[:at] + o.text[at + 1 :], frozenset({scalar.span.line}), scalar.span.text)


def unclosed_bracket(o: Original, rng: random.Random) -> Iterator[Change]:
    for number, start, line in lines_of(o):
        match = re.search(r"[\]}](?= *(?: #.*)?$)", line)
        if match:
            at = start + match.start()
            yield Change(o.text[:at] + o.text[at + 1 :], frozenset({number}), match[0])


def row_short(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, table in tables(o.root):
        for row in table.rows:
            if len(row.items) > 1:
                span = Span(row.span.source, row.items[-2].span.end, row.items[-1].span.end)
                yield o.replaced(span, "", row.items[-1].span.text)


def row_long(o: Original, rng: random.Random) -> Iterator[Change]:
    for _, table in tables(o.root):
        for row in table.rows:
            end = row.items[-1].span.end
            yield o.replaced(Span(row.span.source, end, end), ",", row.items[-1].span.text)


def duplicate_key(o: Original, rng: random.Random) -> Iterator[Change]:
    for number, start, line in lines_of(o):
        if re.match(r" *[\w./-]+ *[:=] \S", line):
            end = start + len(line)
            text = f"{o.text[:end]}\n{line}{o.text[end:]}"
            yield Change(text, frozenset({number, number + 1}), line.strip())


def role_order(o: Original, rng: random.Random) -> Iterator[Change]:
    """An adapter that is used before it is made, or made a second time."""
    made: set[str] = set()
    for path, table in tables(o.root):
        if path[0] != "phases" or path[-1] != "stack":
            continue
        names = [c.name for c in table.columns]
        for row in table.rows:
            cells = dict(zip(names, row.items, strict=True))
            adapter, role = plain(cells["adapter"]), cells["role"]
            if plain(role) == "train":
                made.add(str(adapter))
                yield o.replaced(role.span, rng.choice(["continue", "freeze"]))
            elif adapter in made:
                yield o.replaced(role.span, "train")


def waits_for_itself(o: Original, rng: random.Random) -> Iterator[Change]:
    """A phase after one that stands on it."""
    maker: dict[str, Entry] = {}
    phases = o.root.get("phases")
    for entry in phases if isinstance(phases, Mapping) else ():
        stack = entry.value.get("stack") if isinstance(entry.value, Mapping) else None
        for row in stack.as_sequence().items if isinstance(stack, Table) else ():
            adapter, role = str(plain(row.get("adapter"))), plain(row.get("role"))
            if role == "train":
                maker[adapter] = entry
            elif adapter in maker:
                end = o.text.index("\n", maker[adapter].key.span.end)
                text = f"{o.text[:end]}\n        after: [{entry.key.name}]{o.text[end:]}"
                yield Change(text, frozenset({maker[adapter].key.span.line + 1}), "after")


def missing_file(o: Original, rng: random.Random) -> Iterator[Change]:
    for path, _, scalar in values(o.root):
        if path[-1] == "path" and isinstance(scalar.value, str):
            folder, _, name = scalar.value.rpartition("/")
            stem, dot, ending = name.partition(".")
            wrong = slip(stem, frozenset(), rng)
            if wrong and not (o.path.parent / folder / f"{wrong}{dot}{ending}").exists():
                yield o.replaced(scalar.span, f"{folder}/{wrong}{dot}{ending}", name)


KINDS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        key_typo, provider_typo, adapter_typo, data_typo, task_typo, event_typo, role_typo, condition_name,
        wrong_type, quoted_number, odd_number, out_of_range, bad_weight, flag_case, missing_colon, double_sign,
        bad_indent, tab_indent, unclosed_quote, unclosed_bracket, row_short, row_long, duplicate_key, role_order,
        waits_for_itself, missing_file,
    )
}  # fmt: skip


def original(path: Path, catalog: Catalog) -> Original:
    text = path.read_text(encoding="utf-8")
    root = parse(Source.of(str(path), text)).root
    options = {n for o in catalog.offers for n in schema_of(o.provider.options)["properties"]}
    offers = {o.provider.name for o in catalog.offers}
    words = {
        *TOP_KEYS,
        *PHASE_KEYS,
        *TASK_COLUMNS,
        *STACK_COLUMNS,
        *MIX_COLUMNS,
        *HOOK_COLUMNS,
        *RETAIN_COLUMNS,
    }
    declared = {e.key.name for path, e in entries(root) if path and path[-1] in DECLARING}
    cells = {str(s.value) for _, _, s in values(root)}
    return Original(
        path, text, root, frozenset({*options, *offers, *words, *declared, *cells, "use", "like"})
    )


def is_real(change: Change, o: Original) -> bool:
    """Whether the text says something else now, or nothing readable."""
    parsed = parse(Source.of(str(o.path), change.text))
    return bool(parsed.diagnostics) or plain(parsed.root) != plain(o.root)


def findings(path: Path, text: str, catalog: Catalog) -> tuple[Diagnostic, ...]:
    """What `medrecipe check` finds, in its order."""
    loaded = load_recipe(str(path), environment=os.environ, source=Source.of(str(path), text))
    found = loaded.diagnostics
    if loaded.recipe is not None:
        found += check_recipe(loaded.recipe, catalog)[1]
    prepared = Prepared(loaded=loaded, catalog=catalog, plan=None, diagnostics=in_text_order(found))
    return with_other_profiles(prepared, Choices()).diagnostics


def is_named(found: tuple[Diagnostic, ...], change: Change, o: Original) -> bool:
    first = found[0]
    said = " ".join(filter(None, [first.help, first.message, *(f.message for f in first.fixes)]))
    named = re.search(rf"(?<![\w-]){re.escape(change.word)}(?![\w])", said) is not None
    return named or any(fixed(change.text, [fix])[0] == o.text for fix in first.fixes)


def draw(count: int, seed: int, originals: list[Original]) -> Iterator[tuple[str, Original, Change]]:
    """Mistakes of all kinds in turn."""
    rng, kinds, seen = random.Random(seed), list(KINDS), set[str]()
    tries = 0
    made = 0
    while made < count:
        kind = kinds[(made + tries // 40) % len(kinds)]
        o = rng.choice(originals)
        changes = [c for c in KINDS[kind](o, rng) if c.text not in seen]
        rng.shuffle(changes)
        change = next((c for c in changes[:5] if is_real(c, o)), None)
        if change is None:
            tries += 1
            continue
        seen.add(change.text)
        made += 1
        yield kind, o, change


def measure(count: int, seed: int, show: str | None = None) -> dict[str, Any]:
    catalog = build_catalog()
    originals = [original(path, catalog) for path in RECIPES]
    alarms = sum(bool(findings(o.path, o.text, catalog)) for o in originals)
    rows: dict[str, dict[str, int]] = {k: {"made": 0, "found": 0, "at_line": 0, "named": 0} for k in KINDS}
    crashes = 0
    start = time.process_time()
    for kind, o, change in draw(count, seed, originals):
        row = rows[kind]
        row["made"] += 1
        try:
            found = findings(o.path, change.text, catalog)
        except Exception:  # noqa: BLE001 - a crash is what is counted
            crashes += 1
            traceback.print_exc()
            continue
        at_line = bool(found) and found[0].span is not None and found[0].span.line in change.lines
        named = bool(found) and is_named(found, change, o)
        row["found"] += bool(found)
        row["at_line"] += at_line
        row["named"] += named
        if show in {kind, "all"} and not (found and at_line and named):
            told(kind, o, change, found, at_line=at_line, named=named)
    total = {k: sum(r[k] for r in rows.values()) for k in ("made", "found", "at_line", "named")}
    shares = {k: round(total[k] / total["made"], 4) for k in TARGETS}
    seconds = round(time.process_time() - start, 1)
    return {
        "seed": seed,
        "mistakes": total["made"],
        "kinds": rows,
        **shares,
        "false_alarms": alarms,
        "tracebacks": crashes,
        "cpu_seconds": seconds,
    }


def told(
    kind: str, o: Original, change: Change, found: tuple[Diagnostic, ...], *, at_line: bool, named: bool
) -> None:
    number = min(change.lines)
    line = Source.of("x", change.text).line(number)
    print(f"{kind}: {o.path.name}:{number}: {line!r} was {change.word!r}; line {at_line}, named {named}")
    for one in found[:2]:
        place = f"{one.span.source.name.rpartition('/')[2]}:{one.span.line}" if one.span else ""
        print(f"    {one.code} {place}: {one.message} | {one.help} | {[f.message for f in one.fixes]}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--show", metavar="KIND", help="print the mistakes of this kind that are told badly, or all"
    )
    asked = parser.parse_args()
    figures = measure(asked.count, asked.seed, asked.show)
    if asked.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"{'kind':18} {'made':>5} {'found':>6} {'line':>6} {'named':>6}")
        for kind, row in figures["kinds"].items():
            shares = [f"{100 * row[k] / row['made']:.0f} %" if row["made"] else "-" for k in TARGETS]
            print(f"{kind:18} {row['made']:5} {shares[0]:>6} {shares[1]:>6} {shares[2]:>6}")
        shares = [f"{100 * figures[k]:.1f} %" for k in TARGETS]
        print(f"{'all':18} {figures['mistakes']:5} {shares[0]:>6} {shares[1]:>6} {shares[2]:>6}")
        print(
            f"false alarms {figures['false_alarms']}, tracebacks {figures['tracebacks']}, "
            f"{figures['cpu_seconds']} s of CPU"
        )
    reached = all(figures[k] >= share for k, share in TARGETS.items())
    return int(not reached or bool(figures["false_alarms"] or figures["tracebacks"]))


if __name__ == "__main__":
    sys.exit(main())
