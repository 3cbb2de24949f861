"""Files, profiles, ``--set``, ``like``: what lies over what, and where a value came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.recipe.load import Loaded, resolved, why
from pipeline_dsl.recipe.merging import merge
from pipeline_dsl.recipe.model import Recipe
from pipeline_dsl.recipe.origins import LayerKind
from pipeline_dsl.syntax.nodes import Entry, Key, Mapping, Node, Scalar, Sequence, Style, plain

Load = Callable[..., Loaded]
NOWHERE = Span(Source.of("test", ""), 0, 0)


def fine(loaded: Loaded) -> Recipe:
    assert loaded.diagnostics == ()
    assert loaded.recipe is not None
    return loaded.recipe


def test_a_recipe_lies_over_what_it_extends(load: Load, small: str) -> None:
    loaded = load(
        "extends: [base.sdn, more.sdn]\n" + small,
        beside={
            "base.sdn": "seed: 1\nmodel: {dtype: float32, layers: 9}\ntags: [a, b]\n",
            "more.sdn": "seed: 2\ntags: [c]\n",
        },
    )
    recipe = fine(loaded)
    assert recipe.seed == 2
    assert recipe.tags == ("c",)
    assert resolved(loaded)["model"] == {"dtype": "float32", "layers": 2, "use": "tiny"}
    assert [Path(s.name).name for s in loaded.sources] == ["recipe.sdn", "base.sdn", "more.sdn"]


def test_a_value_keeps_the_place_of_the_file_it_stands_in(load: Load, small: str) -> None:
    loaded = load("extends: sub/base.sdn\n" + small, beside={"sub/base.sdn": "plugins: [./mine.py]\n"})
    plugin = fine(loaded).plugins[0]
    assert plugin.name.endswith("/sub/mine.py")
    assert Path(plugin.name).is_absolute()


def test_a_profile_lies_over_the_file_and_a_set_over_the_profile(load: Load, small: str) -> None:
    assert fine(load("seed: 1\n" + small)).seed == 1
    chosen = load("seed: 1\n" + small, profile="tiny")
    assert (fine(chosen).seed, fine(chosen).profile, fine(chosen).profiles) == (7, "tiny", ("tiny",))
    assert fine(load("seed: 1\n" + small, profile="tiny", sets=["seed=9", "seed=10"])).seed == 10


def test_the_default_profile_is_used_unless_another_is_asked_for(load: Load, small: str) -> None:
    text = "default_profile: tiny\n" + small + "    large:\n        seed: 8\n"
    assert fine(load(text)).seed == 7
    assert fine(load(text, profile="large")).seed == 8


def test_like_copies_what_lies_over_its_template(load: Load, small: str) -> None:
    recipe = fine(load(small, sets=["adapters.a.r=99"]))
    assert [plain(d.use.options) for d in recipe.adapters] == [{"r": 99}, {"r": 99}]


def test_a_block_overrides_what_it_is_like_and_chains_follow(load: Load, small: str) -> None:
    text = small.replace(
        "        like: a\n", "        like: a\n        alpha: 1\n    c:\n        like: b\n        r: 2\n"
    )
    recipe = fine(load(text))
    assert [plain(d.use.options) for d in recipe.adapters] == [
        {"r": 8},
        {"r": 8, "alpha": 1},
        {"r": 2, "alpha": 1},
    ]


def test_a_phase_may_be_like_another(load: Load, small: str) -> None:
    text = small.replace(
        "profiles:",
        "    three:\n        like: two\n        stack:\n            - {adapter: b, role: continue}\nprofiles:",
    )
    phase = fine(load(text)).phases[2]
    assert [e.role for e in phase.stack] == ["continue"]
    assert len(phase.mix) == 2


def test_an_unknown_like_is_the_only_finding_about_its_block(load: Load, small: str) -> None:
    found = load(small.replace("like: a", "like: aaa\n        r: 3")).diagnostics
    assert [d.code for d in found] == ["MR230"]


def test_another_provider_in_a_profile_starts_its_options_anew(load: Load, small: str) -> None:
    text = small.replace("        seed: 7", "        model: {use: other, width: 3}")
    model = fine(load(text, profile="tiny")).model
    assert (model.name, plain(model.options)) == ("other", {"width": 3})


TABLE = "tasks |task, data, template, metric, limit|\n    a, d, plain, perplexity, 5\n    b, e, plain, perplexity, null\n"


def test_a_block_over_a_table_changes_its_rows_by_name(load: Load) -> None:
    over = "extends: base.sdn\ntasks:\n    b: {limit: 7}\n    c: {data: d, template: plain, metric: loss}\n"
    loaded = load(over, beside={"base.sdn": TABLE})
    assert resolved(loaded)["tasks"] == [
        {"task": "a", "data": "d", "template": "plain", "metric": "perplexity", "limit": 5},
        {"task": "b", "data": "e", "template": "plain", "metric": "perplexity", "limit": 7},
        {"task": "c", "data": "d", "template": "plain", "metric": "loss", "limit": None},
    ]


def test_a_row_that_is_changed_merges_as_blocks_do(load: Load) -> None:
    table = "tasks |task, data, template, metric|\n    a, d, plain, {use: f1, digits: 3}\n"
    over = "extends: base.sdn\ntasks: {a: {metric: {digits: 4}}}\n"
    changed = resolved(load(over, beside={"base.sdn": table}))["tasks"]
    assert changed == [{"task": "a", "data": "d", "template": "plain", "metric": {"use": "f1", "digits": 4}}]


def test_a_table_over_a_table_replaces_it(load: Load) -> None:
    over = "extends: base.sdn\ntasks |task, data|\n    z, d\n"
    assert resolved(load(over, beside={"base.sdn": TABLE}))["tasks"] == [{"task": "z", "data": "d"}]


def test_rows_without_names_of_their_own_are_replaced(load: Load) -> None:
    hooks = "hooks |on, do|\n    epoch_completed, log\n    epoch_completed, evaluate\n"
    over = "extends: base.sdn\nhooks:\n    epoch_completed: {do: stop}\n"
    assert resolved(load(over, beside={"base.sdn": hooks}))["hooks"] == {"epoch_completed": {"do": "stop"}}


def test_set_reaches_lists_by_index_and_tables_by_name(load: Load, small: str) -> None:
    recipe = fine(
        load(
            small,
            sets=[
                "tasks.recall.limit=5",
                "phases.two.hooks.0.every=3",
                "phases.two.stack.a.role=merge",
                "phases.two.mix.1.repeat=2",
                'phases.two.train.note="a = b"',
            ],
        )
    )
    two = recipe.phases[1]
    assert recipe.tasks[0].limit == 5
    assert two.hooks[0].every == 3
    assert two.stack[0].role == "merge"
    assert two.mix[1].repeat == 2
    assert plain(two.train.options) == {"epochs": 1, "note": "a = b"}


def test_set_makes_blocks_that_are_not_there(load: Load, small: str) -> None:
    assert resolved(load(small, sets=["model.deep.er=[1, 2]"]))["model"] == {
        "use": "tiny", "layers": 2, "deep": {"er": [1, 2]},
    }  # fmt: skip


def test_a_wrong_value_in_set_is_shown_in_the_argument(load: Load, small: str) -> None:
    found = load(small, sets=["seed=x"]).diagnostics
    assert len(found) == 1
    assert found[0].span is not None
    assert (found[0].span.source.name, found[0].span.source.text, found[0].span.column) == (
        "--set",
        "seed=x",
        6,
    )
    broken = load(small, sets=["seed=[1, "]).diagnostics
    assert len(broken) == 1
    assert broken[0].span is not None
    assert broken[0].span.source.text == "seed=[1, "


def test_sets_that_cannot_be_read_are_each_reported(load: Load, small: str) -> None:
    wrong = ["seed", "=3", "a..b=1", "a b=1", ".".join("a" * 40) + "=1", "profiles.tiny.seed=3"]
    assert [d.code for d in load(small, sets=wrong).diagnostics] == ["MR222"] * 5 + ["MR221"]


def test_a_row_that_is_not_unique_has_to_be_set_by_its_index(load: Load, small: str) -> None:
    text = small.replace("e, plain, 1", "d, other, 1")
    assert "more than one row `d`" in load(text, sets=["phases.two.mix.d.weight=1"]).diagnostics[0].message
    assert fine(load(text, sets=["phases.two.mix.0.weight=1"])).phases[1].mix[0].weight == 1


def test_references_keep_the_type_of_a_whole_value_and_write_out_in_text(load: Load, small: str) -> None:
    text = small.replace(
        "    layers: 2",
        "    layers: 2\n    same: ${model.layers}\n    text: n${train.lr}-$${x}\n    all: ${model.list}\n    list: [1, ${adapters.b.r}]",
    )
    text = text.replace("    epochs: 1", "    epochs: 1\n    lr: 2e-4")
    loaded = load(text)
    assert loaded.diagnostics == ()
    assert resolved(loaded)["model"] == {
        "use": "tiny", "layers": 2, "same": 2, "text": "n2e-4-${x}", "all": [1, 8], "list": [1, 8],
    }  # fmt: skip


def test_references_reach_cells_of_tables(load: Load, small: str) -> None:
    text = small.replace("perplexity, 20", "perplexity, ${model.layers}").replace(
        "layers: 2", "layers: ${tasks.recall.limit}"
    )
    assert [d.code for d in load(text).diagnostics] == ["MR241"]
    assert fine(load(small.replace("perplexity, 20", "perplexity, ${model.layers}"))).tasks[0].limit == 2


def test_why_tells_every_layer_that_set_a_value(load: Load, small: str) -> None:
    loaded = load(
        "extends: base.sdn\nseed: 2\n" + small,
        beside={"base.sdn": "seed: 1\n"},
        profile="tiny",
        sets=["seed=9"],
    )
    told = why(loaded, "seed")
    assert told.value == 9
    assert [(s.kind, s.value) for s in told.history] == [
        (LayerKind.FILE, 1), (LayerKind.FILE, 2), (LayerKind.PROFILE, 7), (LayerKind.SET, 9),
    ]  # fmt: skip
    assert [s.span.line for s in told.history] == [1, 2, 44, 1]


def test_why_names_the_template_of_a_copied_value(load: Load, small: str) -> None:
    told = why(load(small), "adapters.b.r")
    assert [(s.kind, s.name, s.value) for s in told.history] == [(LayerKind.LIKE, "a", 8)]


def test_why_shows_a_set_below_the_path(load: Load, small: str) -> None:
    told = why(load(small, sets=["tasks.recall.limit=5"]), "tasks.recall")
    assert [s.path for s in told.history] == ["tasks.0", "tasks.0.limit"]


def test_why_of_an_unknown_path_names_the_nearest(load: Load, small: str) -> None:
    assert why(load(small), "adapters.b.rr").nearest == "adapters.b.r"
    assert why(load(small), "sede").found is False


def test_nothing_is_said_to_be_missing_while_part_of_the_text_is_unreadable(load: Load, small: str) -> None:
    text = small.replace("    d:\n        use: jsonl", "    d:\n        use jsonl [").replace(
        "environment:", "sede: 1\nenvironment:"
    )
    found = [d.code for d in load(text).diagnostics]
    assert [c for c in found if c.startswith(("MR2", "MR3", "MR4"))] == ["MR201"]
    extended = load("extends: gone.sdn\n" + small.replace("    use: tiny\n", "")).diagnostics
    assert [d.code for d in extended] == ["MR210"]


def node_of(value: object) -> Node:
    if isinstance(value, dict):
        return Mapping(tuple(Entry(Key(k, NOWHERE), node_of(v)) for k, v in value.items()), NOWHERE)
    if isinstance(value, list):
        return Sequence(tuple(node_of(v) for v in value), NOWHERE)
    assert isinstance(value, int)
    return Scalar(value, Style.NUMBER, NOWHERE)


LEAVES = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(lambda a, b: a | b, LEAVES, st.dictionaries(st.sampled_from("mno"), inner)),
    max_leaves=6,
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(TREES, TREES, TREES)
def test_merging_is_associative_in_the_resolved_value(a: object, b: object, c: object) -> None:
    x, y, z = (node_of(t) for t in (a, b, c))
    assert isinstance(x, Mapping)
    assert isinstance(y, Mapping)
    assert isinstance(z, Mapping)
    assert plain(merge(merge(x, y), z)) == plain(merge(x, merge(y, z)))
    assert plain(merge(x, x)) == plain(x)
    assert plain(merge(Mapping((), NOWHERE), x)) == plain(x) == plain(merge(x, Mapping((), NOWHERE)))
