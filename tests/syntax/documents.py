"""Texts with every construct of the notation, as untidy as the grammar allows; made from a source of chance."""

from __future__ import annotations

from random import Random

BARE = [
    "Blue Corp",
    "cuda:0",
    "/abs/p",
    "2.1.0",
    "2026-04-12",
    "user@host",
    "${a.b}",
    "값이 있다",
    "a#b",
    "-x",
    "é",
]
LINE = [*BARE, "loss < 0.01", "note: this", "f(x)", "a = b", "b  c", "-", "https://a.b/c?d=1"]
ALONE = ["exact match", "정확도", "http://a.b/c", "2.1.0", "값", "50%", "-x"]
NUMBERS = ["42", "-7", "1_000", "007", "0.5", "1e-4", "2.5e+10", "-0.0", "true", "null", "nil", "false"]
QUOTED = ['"a, b # c"', r'"\d+ \" \\"', '""', '"한글\\n"', '"[x]"', '"a: b"', '"\t"', '"  "']
KEYS = ["a", "learning_rate", "학습률", "rank.q_proj", "a/b", '"a b"', '"#"', "x-1", "7", "e\u0301"]
COMMENTS = [
    "# why",
    "#",
    "#tight",
    '# "quote',
    "# [bracket",
    "# 한국어 설명",
    "# a: b",
    "#\t",
    "# trailing  ",
]


def document(chance: Random) -> str:
    """One text that reads without an error."""
    return _Author(chance).text()


class _Author:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.unit = chance.choice(["    ", "  ", " ", "   ", "\t"])
        self.count = 0

    def text(self) -> str:
        lines = [*self.idle(""), *self.entries("", 0), *self.idle("")]
        text = "\n".join(lines) + self.chance.choice(["", "\n", "\n\n\n", "  "])
        if self.chance.random() < 0.2:
            text = text.replace("\n", "\r\n")
        return ("\ufeff" if self.chance.random() < 0.1 else "") + text

    def one(self, *options: str) -> str:
        return self.chance.choice(options)

    def idle(self, indent: str) -> list[str]:
        """Blank lines and comments, indented in any way."""
        lines = []
        while self.chance.random() < 0.3:
            gap = self.one("", indent, indent + self.unit, "  ", "\t")
            lines.append(gap + self.one("", *COMMENTS))
        return lines

    def end(self) -> str:
        """What may stand at the end of a line."""
        return (
            self.one("", "", "", " ", "\t", " ", "  ", "\t") + self.one("", *COMMENTS)
            if self.chance.random() < 0.4
            else ""
        )

    def ended(self, lines: list[str]) -> list[str]:
        """The same lines with something at the end of the last, a comment only after white space."""
        end = self.end()
        if end.startswith("#"):
            end = f" {end}"
        return [*lines[:-1], lines[-1] + end]

    def key(self) -> str:
        self.count += 1
        key = self.chance.choice(KEYS)
        return f'{key[:-1]}{self.count}"' if key[0] == '"' else f"{key}{self.count}"

    def entries(self, indent: str, depth: int, first: str | None = None) -> list[str]:
        """Lines of `key: value`; ``first`` is what stands before the first of them in place of ``indent``."""
        lines: list[str] = []
        for number in range(self.chance.randint(1, 4)):
            if number or first is None:
                lines += self.idle(indent)
            lines += self.entry(indent, depth, first if number == 0 and first is not None else indent)
        return lines

    def entry(self, indent: str, depth: int, lead: str) -> list[str]:  # noqa: C901, PLR0911, PLR0912 - one case a form
        inner = indent + self.unit * self.chance.choice([1, 1, 2])
        head = f"{lead}{self.key()}"
        sign = self.one(": ", " : ", " = ", ":  ", "\t=\t", "= ")
        kinds = [
            "plain",
            "plain",
            "plain",
            "null",
            "flow",
            "table",
            "row",
            "typed",
            "tuples",
            "string",
            "text",
        ]
        if lead == indent:
            kinds.append("hash")
        if depth < 4:
            kinds += ["block", "block", "items", "dashes", "values"]
        match self.chance.choice(kinds):
            case "plain":
                return self.ended([f"{head}{sign}{self.one(*LINE[:-3], *NUMBERS, *QUOTED)}"])
            case "null":
                return self.ended([head + sign.strip()])
            case "hash":
                return self.ended([f"{head}{self.one(' =', '=')}#hash"])
            case "flow":
                return self.ended(f"{head}{sign}{self.flow(0)}".split("\n"))
            case "string":
                return self.ended(f'{head}{sign}"one\n  two \n\nthree: x"'.split("\n"))
            case "text":
                return self.ended(
                    [
                        f"{head}{sign}" + line if not n else line
                        for n, line in enumerate(self.block_text(inner))
                    ]
                )
            case "row":
                return self.ended([f"{head} |a,{self.one('', ' ')}b| {self.cell()} ,{self.cell()}"])
            case "tuples":
                return self.ended(
                    f'{head}: table{{f64,  str}} = [(1, a),{self.gap()}(2, {self.gap()}"b",)]'.split("\n")
                )
            case "table":
                columns = self.chance.randint(1, 4)
                names = ",".join(self.key() for _ in range(columns))
                return [*self.ended([f"{head} |{names}|"]), *self.rows(inner, columns)]
            case "typed":
                return [*self.ended([f"{head}: table {{ i32,str }}"]), *self.rows(inner, 2)]
            case "block":
                return [
                    *self.ended([head + sign.strip()]),
                    *self.idle(inner),
                    *self.entries(inner, depth + 1),
                ]
            case "items":
                return [*self.ended([head + sign.strip()]), *self.items(inner, depth + 1)]
            case "dashes":
                return [*self.ended([head + sign.strip()]), *self.items(indent, depth + 1)]
        return [*self.ended([head + sign.strip()]), *self.values(inner)]

    def rows(self, indent: str, columns: int) -> list[str]:
        lines = []
        for _ in range(self.chance.randint(0, 4)):
            cells = [self.cell() for _ in range(columns)]
            if not cells[0]:
                cells[0] = "x"
            row = self.one(",", ", ", " ,  ").join(cells)
            lines += [*self.idle(indent), *self.ended(f"{indent}{row}".split("\n"))]
        return lines

    def cell(self) -> str:
        if self.chance.random() < 0.15:
            return self.flow(1)
        return self.one("", "한국", "a much longer cell", *BARE, *NUMBERS, *QUOTED, '"two\nlines"')

    def items(self, indent: str, depth: int) -> list[str]:
        lines = []
        for _ in range(self.chance.randint(1, 4)):
            lines += self.idle(indent)
            dash = f"{indent}-" + ("\t" if self.unit == "\t" else self.one(" ", "   "))
            kind = self.chance.choice(
                ["plain", "flow", "mapping", "deeper", "null"] if depth < 4 else ["plain", "flow"]
            )
            if kind == "plain":
                lines += self.ended([dash + self.one(*LINE[:-7], *NUMBERS, *QUOTED)])
            elif kind == "flow":
                lines += self.ended(f"{dash}{self.flow(0)}".split("\n"))
            elif kind == "mapping":
                below = f"{indent}\t" if self.unit == "\t" else " " * len(dash)
                lines += self.entries(below, depth + 1, dash)
            elif kind == "deeper":
                inner = indent + self.unit
                lines += [*self.ended([f"{indent}-"]), *self.idle(inner), *self.entries(inner, depth + 1)]
            else:
                lines += self.ended([f"{indent}-"])
        return lines

    def values(self, indent: str) -> list[str]:
        lines = []
        for _ in range(self.chance.randint(1, 4)):
            value = self.one(*ALONE, *NUMBERS, *QUOTED, "[1, 2]", "{a: 1}")
            lines += [*self.idle(indent), *self.ended([f"{indent}{value}"])]
        return lines

    def block_text(self, indent: str) -> list[str]:
        lines = [
            self.one("{question}", "  더 깊이", "", "trailing \\", 'a "b"', "x  ", "\ty", r"\n")
            for _ in range(3)
        ]
        last = self.one(indent + '"""', 'end """', indent + 'say "x" """', f'{indent}path\\ """')
        return ['"""' + self.one("", "  "), *(f"{indent}{line}" for line in lines), last]

    def gap(self) -> str:
        """What may stand between two pieces inside brackets."""
        if self.chance.random() < 0.6:
            return self.one("", " ", "  ")
        return self.one("\n", "\n\n\n\n", "\n      ", " # c\n", "\t# 설명 \n  # more\n\n   ", "\n# own\n")

    def flow(self, depth: int) -> str:
        kinds = ["list", "braces"] if depth < 3 else []
        kind = self.chance.choice([*kinds, *(["plain"] * 3 if depth else [])])
        if kind == "plain":
            return self.one(*BARE, *NUMBERS, *QUOTED)
        count = self.chance.randint(0, 4)
        if kind == "list":
            parts = [self.flow(depth + 1) for _ in range(count)]
        else:
            parts = [
                f"{self.key()}{self.one(': ', '=', ' = ', ':')}{self.flow(depth + 1)}" for _ in range(count)
            ]
        inside = f"{self.gap()},{self.gap()}".join(parts)
        if kind == "list" and parts and self.chance.random() < 0.1:
            inside += f"{self.gap()},#hash"
        comma = f"{self.gap()}," if parts and self.chance.random() < 0.3 else ""
        opening, closing = "[]" if kind == "list" else "{}"
        return f"{opening}{self.gap()}{inside}{comma}{self.gap()}{closing}"
