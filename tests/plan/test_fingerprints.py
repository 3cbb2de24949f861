from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_dsl.api import DataError, Kind, PlacedRow, Provider, option
from pipeline_dsl.plan.hashing import base_fingerprint, digest, fingerprint, hash_files, verify_files
from pipeline_dsl.registry import build_catalog, installed_plugins

PHASES = ("one", "two", "three")


def prints(plan) -> dict[str, str]:
    return {p.name: p.fingerprint for p in plan.phases}


def changed(before, after) -> tuple[str, ...]:
    """Names of the phases whose fingerprints differ."""
    old, new = prints(before), prints(after)
    return tuple(name for name in PHASES if old[name] != new[name])


def with_hook(recipe: str, *rows: str) -> str:
    return recipe + "hooks |on, every, when, do|\n" + "".join(f"    {row}\n" for row in rows)


def test_every_phase_and_task_has_one_of_its_own(desk):
    plan = desk.plan()
    all_prints = [*prints(plan).values(), *(t.fingerprint for t in plan.tasks)]
    assert all(len(p) == 64 for p in all_prints)
    assert len(set(all_prints)) == len(all_prints)


def test_without_a_base_phases_have_none_and_tasks_do(desk):
    plan = desk.plan(base=None)
    assert set(prints(plan).values()) == {""}
    assert all(t.fingerprint for t in plan.tasks)


def test_a_comment_keeps_it(desk, recipe):
    assert changed(desk.plan(), desk.plan("# about this\n" + recipe.replace("r: 4}", "r: 4}   # rank"))) == ()


def test_moving_a_phase_keeps_its_fingerprint(desk, recipe):
    head, one, two, three = (
        recipe[: recipe.index("    one:")],
        recipe[recipe.index("    one:") : recipe.index("    two:")],
        recipe[recipe.index("    two:") : recipe.index("    three:")],
        recipe[recipe.index("    three:") :],
    )
    moved = desk.plan(head + three + two + one)
    assert [p.name for p in moved.phases] == ["one", "two", "three"]
    assert changed(desk.plan(), moved) == ()


def test_writing_a_default_out_keeps_it(desk, recipe):
    text = recipe.replace(
        "train: {epochs: 1,", "train: {epochs: 1, lr_scheduler: linear, learning_rate: 2e-4,"
    )
    assert changed(desk.plan(), desk.plan(text)) == ()


def test_the_spelling_of_a_number_keeps_it(desk, recipe):
    plans = [
        desk.plan(recipe.replace("epochs: 1,", f"epochs: 1, learning_rate: {n},")) for n in ("2e-4", "0.0002")
    ]
    assert changed(*plans) == ()


def test_moving_and_renaming_the_data_keeps_it(desk, recipe):
    before = desk.plan()
    (desk.folder / "sub").mkdir()
    (desk.folder / "terms.jsonl").rename(desk.folder / "sub" / "words.jsonl")
    after = desk.plan(recipe.replace("path: terms.jsonl", "path: sub/words.jsonl"))
    assert changed(before, after) == ()
    assert before.task("terms").fingerprint == after.task("terms").fingerprint


def test_renaming_the_data_source_keeps_it(desk, recipe):
    text = recipe.replace("terms: {use: jsonl", "glossary: {use: jsonl").replace(
        "terms, dictionary", "glossary, dictionary"
    )
    assert changed(desk.plan(), desk.plan(text)) == ()


def test_mapped_columns_are_part_of_it(desk, recipe):
    desk.rows("terms.jsonl", [{"english": "a", "korean": "b", "en": "c"}])
    plans = [
        desk.plan(recipe.replace("path: terms.jsonl}", f"path: terms.jsonl, columns: {{english: {c}}}}}"))
        for c in ("english", "en")
    ]
    assert changed(*plans) == ("two", "three")


@pytest.mark.parametrize("row", ["iteration_completed, 5, null, log", "epoch_completed, 1, null, checkpoint"])
def test_watching_keeps_it(desk, recipe, row):
    assert changed(desk.plan(), desk.plan(with_hook(recipe, row))) == ()
    once = desk.plan(with_hook(recipe, row))
    other = desk.plan(with_hook(recipe, row.replace(", 5,", ", 7,").replace(", 1,", ", 2,")))
    assert changed(once, other) == ()


def test_evaluating_keeps_it_as_long_as_nothing_stops_by_the_scores(desk, recipe):
    assert changed(desk.plan(), desk.plan(with_hook(recipe, "epoch_completed, 1, null, evaluate"))) == ()


def test_what_stops_training_changes_it(desk, recipe):
    stop = 'epoch_completed, 1, "loss < {}", stop'
    plans = [desk.plan(with_hook(recipe, stop.format(bound))) for bound in (0.1, 0.2)]
    assert changed(desk.plan(), plans[0]) == PHASES
    assert changed(*plans) == PHASES


def test_when_scores_stop_training_how_often_and_how_they_are_taken_counts(desk, recipe):
    stop = 'evaluation_completed, 1, "terms > 0.9", stop'
    plan = desk.plan(with_hook(recipe, stop, "epoch_completed, 1, null, evaluate"))
    seldom = desk.plan(with_hook(recipe, stop, "epoch_completed, 2, null, evaluate"))
    otherwise = desk.plan(
        with_hook(recipe.replace("exact_match", "chrf"), stop, "epoch_completed, 1, null, evaluate")
    )
    assert changed(plan, seldom) == PHASES
    assert changed(plan, otherwise) == PHASES


def test_another_partys_log_is_not_taken_for_ours(desk, recipe, plugin):
    action = Provider(name="log", summary="who knows", factory=lambda o: o)
    catalog = build_catalog(entries=[*installed_plugins(), plugin("mini", (Kind.ACTION, action))])
    ours, theirs = (
        desk.plan(with_hook(recipe, f"epoch_completed, 1, null, {name}"), catalog=catalog)
        for name in ("actions/log", "mini/log")
    )
    assert changed(ours, theirs) == PHASES


def test_a_contract_is_judged_anew_and_retrains_nothing(desk, recipe):
    contract = "        retain |task, rise, otherwise|\n            fluency, {}, {}\n    three:"
    mild, strict = (
        desk.plan(recipe.replace("    three:", contract.format(*c)))
        for c in (("9%", "warn"), ("5%", "reject"))
    )
    assert changed(desk.plan(), mild) == ()
    assert changed(mild, strict) == ()


def test_the_content_of_the_data_changes_it_and_that_of_descendants_only(desk, recipe):
    before = desk.plan()
    desk.rows("terms.jsonl", [{"english": "other", "korean": "다른"}])
    assert changed(before, desk.plan()) == ("two", "three")
    desk.rows("texts.jsonl", [{"text": "other"}])
    assert changed(before, desk.plan()) == PHASES


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("terms, dictionary, 3", "terms, translate, 3", ("two", "three")),
        ("terms, dictionary, 3", "terms, dictionary, 2", ("two", "three")),
        ("terms, dictionary, 1", "terms, translate, 1", ("three",)),
        ("first: {use: lora, r: 2}", "first: {use: lora, r: 3}", PHASES),
        ("second: {use: lora, r: 4}", "second: {use: lora, r: 5}", ("two", "three")),
        ("third: {use: lora, r: 8}", "third: {use: lora, r: 9}", ("three",)),
        ("            first, merge\n            second, train", "            first, freeze\n            second, train", ("two", "three")),
        ("epochs: 1", "epochs: 2", PHASES),
        ("seed: 7", "seed: 8", PHASES),
        ("    three:\n", "    three:\n        seed: 9\n", ("three",)),
        ("    two:\n", "    two:\n        seed: 9\n", ("two", "three")),
        ("use: embedded}", "use: embedded, dtype: bfloat16}", PHASES),
        ("{use: jsonl, path: terms.jsonl}", "{use: jsonl, path: terms.jsonl, limit: 2}", ("two", "three")),
    ],
)  # fmt: skip
def test_meaning_changes_it_and_that_of_descendants_only(desk, recipe, old, new, expected):
    assert old in recipe
    assert changed(desk.plan(), desk.plan(recipe.replace(old, new))) == expected


def test_the_text_of_an_own_template_is_part_of_it(desk, recipe):
    text = recipe.replace("terms, dictionary, 1", "terms, mine, 1") + (
        'templates:\n    mine: {prompt: "Q: {english}", completion: "{korean}"}\n'
    )
    assert changed(desk.plan(text), desk.plan(text.replace("Q:", "Frage:"))) == ("three",)


def test_the_base_changes_all(desk):
    plan = desk.plan()
    for change in (
        {"weights_sha256": "c" * 64},
        {"tokenizer_sha256": "c" * 64},
        {"revision": "x"},
        {"quantisation": "nf4"},
        {"double_quant": True},
        {"compute_dtype": "bfloat16"},
        {"quantised_by": "bitsandbytes 0.51.0"},
        {"dtype": "bfloat16"},
    ):
        other = replace(plan.base, **change)
        assert changed(plan, desk.plan(base=other)) == PHASES
        assert base_fingerprint(plan) != base_fingerprint(replace(plan, base=other))


def test_where_the_base_is_kept_does_not_count(desk, recipe):
    moved = desk.plan(recipe.replace("use: embedded}", "use: embedded, cache: elsewhere}"))
    assert changed(desk.plan(), moved) == ()
    assert base_fingerprint(desk.plan()) == base_fingerprint(moved)


def test_the_format_of_the_weights_is_part_of_the_base(desk, recipe):
    half = desk.plan(recipe.replace("use: embedded}", "use: embedded, dtype: bfloat16}"))
    assert base_fingerprint(desk.plan()) != base_fingerprint(half)


def test_the_version_of_a_library_changes_all(desk):
    plan = desk.plan()
    newer = fingerprint(replace(plan, libraries={**plan.libraries, "torch": "99.0"}))
    assert changed(plan, newer) == PHASES
    assert base_fingerprint(plan) != base_fingerprint(newer)


def test_the_version_of_a_provider_changes_what_uses_it(desk):
    plan = desk.plan()
    third = replace(plan.adapters["third"], version="2")
    assert changed(plan, fingerprint(replace(plan, adapters={**plan.adapters, "third": third}))) == ("three",)


@pytest.mark.parametrize(("device", "expected"), [("cuda", PHASES), ("cpu", ())])
def test_the_kind_of_device_counts(desk, device, expected):
    assert changed(desk.plan(device="cpu"), desk.plan(device=device)) == expected


def test_the_number_of_a_device_does_not(desk):
    assert changed(desk.plan(device="cuda:0"), desk.plan(device="cuda:3")) == ()


def test_a_bound_on_samples_counts(desk):
    assert changed(desk.plan(), desk.plan(max_samples=3)) == PHASES


def test_a_source_of_a_folder_is_known_by_what_is_in_it(desk, recipe, plugin, tmp_path):
    from dataclasses import dataclass

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        """A folder of texts."""

        folder: str = option(path=True, doc="the folder")
        endings: tuple[str, ...] = option((".txt",), doc="which files")

    class Texts:
        def __init__(self, options):
            from pathlib import Path

            self.folder = Path(options.folder)

        def files(self):
            return sorted(self.folder.iterdir())

        def here(self):
            return True

        def rows(self, start=0):
            files = self.files()[start:]
            return iter([PlacedRow(f"{f.name}:1", {"text": f.read_text(encoding="utf-8")}) for f in files])

    source = Provider(name="texts", summary="a folder", factory=Texts, options=Options)
    catalog = build_catalog(entries=[*installed_plugins(), plugin("mini", (Kind.SOURCE, source))])
    plans = []
    for folder, content in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.txt").write_text(content, encoding="utf-8")
        text = recipe.replace("{use: jsonl, path: texts.jsonl}", f"{{use: texts, folder: {folder}}}")
        plans.append(desk.plan(text, catalog=catalog))
    assert changed(plans[0], plans[1]) == ()
    assert changed(plans[0], plans[2]) == PHASES


def test_a_task_is_known_by_data_template_metric_and_limit(desk, recipe):
    plan = desk.plan()
    for old, new in (("exact_match", "chrf"), ("terms, dictionary, exact", "terms, translate, exact")):
        other = desk.plan(recipe.replace(old, new))
        assert other.task("terms").fingerprint != plan.task("terms").fingerprint
        assert other.task("fluency").fingerprint == plan.task("fluency").fingerprint


def test_the_digest_of_a_value_does_not_hang_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_case_37_data_that_changed_since_it_was_planned_is_refused(desk):
    plan = desk.plan()
    verify_files(plan)
    desk.rows("terms.jsonl", [{"english": "a", "korean": "b"}])
    with pytest.raises(DataError) as caught:
        verify_files(plan)
    assert (caught.value.code, caught.value.exit_code) == ("MR507", 3)
    assert "terms.jsonl" in caught.value.message
    verify_files(plan, {"texts"})


def test_case_38_data_that_cannot_be_read_any_more_is_a_matter_of_data(desk):
    plan = desk.plan()
    (desk.folder / "terms.jsonl").unlink()
    for act in (lambda: verify_files(plan), lambda: hash_files(plan)):
        with pytest.raises(DataError) as caught:
            act()
        assert caught.value.exit_code == 3
