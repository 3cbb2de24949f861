"""``stages`` as they are read: forms of writing, bounds, names."""

from __future__ import annotations

import pytest


def staged(small: str, *rows: str, columns: str = "stage, template, samples, until, at_most") -> str:
    """The recipe with stages in its last phase."""
    return with_block(small, f"stages |{columns}|\n" + "".join(f"            {r}\n" for r in rows))


def with_block(small: str, block: str) -> str:
    return small.replace("        retain |", f"        {block}        retain |")


def stages(loaded):
    assert loaded.recipe is not None, loaded.diagnostics
    assert loaded.diagnostics == ()
    return loaded.recipe.phases[-1].stages


def told(loaded) -> list[tuple[str, str]]:
    return [(d.code, d.span.text) for d in loaded.diagnostics]


def test_a_stage_has_what_its_row_says(load, small):
    full, normal = stages(
        load(staged(small, 'full, mcq, 500, "fluency < 9 for 2", 0.5', "normal, null, null, null, null"))
    )
    assert (full.name.name, full.template.name, full.samples, full.at_most) == ("full", "mcq", 500, 0.5)
    assert (full.until.text, full.until.repeats) == ("fluency < 9 for 2", 2)
    assert (normal.template, normal.samples, normal.until, normal.at_most) == (None, None, None, None)


def test_a_block_of_blocks_means_the_same(load, small):
    block = "stages:\n            full: {samples: 500, at_most: 20}\n            normal: {}\n"
    full, normal = stages(load(with_block(small, block)))
    assert (full.name.name, full.samples, full.at_most) == ("full", 500, 20)
    assert isinstance(full.at_most, int)
    assert normal.name.name == "normal"


def test_a_phase_without_them_has_none(load, small):
    assert stages(load(small)) == ()


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (("full, 0.5", "full, null"), ("MR203", "full")),
        (('"a/b", 0.5', "normal, null"), ("MR204", '"a/b"')),
        (("null, 0.5", "normal, null"), ("MR206", "null")),
        (("full, 0", "normal, null"), ("MR331", "0")),
        (("full, -0.5", "normal, null"), ("MR331", "-0.5")),
        (("full, 1.5", "normal, null"), ("MR331", "1.5")),
        (("full, 1.0", "normal, null"), ("MR331", "1.0")),
        (("full, half", "normal, null"), ("MR330", "half")),
        (("full, true", "normal, null"), ("MR330", "true")),
        (("full, null", "normal, null"), ("MR423", "full")),
        (("full, 0.5", "more, 0.5", "rest, null"), ("MR424", "rest")),
        (("full, 0.5", "more, 0.6"), ("MR424", "more")),
    ],
)
def test_what_cannot_be_a_stage_is_told(load, small, rows, finding):
    assert told(load(staged(small, *rows, columns="stage, at_most"))) == [finding]


@pytest.mark.parametrize("bounds", [("0.7", "0.2", "0.1"), ("0.1", "0.2", "0.7"), ("300", "0.9", "null")])
def test_shares_may_come_to_all_of_the_phase(load, small, bounds):
    rows = [f"s{n}, {bound}" for n, bound in enumerate(bounds)]
    assert len(stages(load(staged(small, *rows, columns="stage, at_most")))) == 3


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ('full, 0, "fluency < 9", 0.5', "MR331"),
        ("full, many, null, 0.5", "MR330"),
        ("full, 5, fluency, 0.5", "MR422"),
        ("full, 5, 7, 0.5", "MR330"),
        ('full, 5, "fluency <", 0.5', "MR421"),
    ],
)
def test_cells_are_of_their_type(load, small, row, code):
    text = staged(small, row, "normal, null, null, null", columns="stage, samples, until, at_most")
    assert [d.code for d in load(text).diagnostics] == [code]


def test_an_unknown_column_is_told(load, small):
    found = load(staged(small, "full, 0.5", "normal, null", columns="stage, at_mos"))
    assert {d.code for d in found.diagnostics} == {"MR201"}
