from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from pipeline_dsl.api import Kind, MachineError, ModelError, Provider, hookimpl, option
from pipeline_dsl.diagnostics import Source, Span
from pipeline_dsl.plan.choose import choose, make, version_of
from pipeline_dsl.plan.model import ProviderRef
from pipeline_dsl.recipe.model import Use
from pipeline_dsl.registry import build_catalog
from pipeline_dsl.syntax.parser import parse


def provider(name: str, factory=SimpleNamespace, **more) -> Provider:
    return Provider(
        name=name, summary=f"the {name}", factory=lambda options: factory(options=options), **more
    )


def use(name: str, options: str = "") -> Use:
    source = Source.of("recipe.sdn", f"use: {name}")
    return Use(
        name=name, options=parse(Source.of("recipe.sdn", options)).root, span=Span(source, 5, 5 + len(name))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Even:
    """Options that the class itself refuses."""

    count: int = option(2, doc="an even count")

    def __post_init__(self) -> None:
        if self.count % 2:
            msg = "count must be even"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """Options of a type that has no schema."""

    thing: AbstractSet[str] = option(frozenset(), doc="a set")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Options of which some are paths."""

    path: str = option("x", path=True, doc="a file")
    name: str = option("y", doc="a name")


def test_a_name_chooses_its_provider_with_all_of_its_options(plugin):
    catalog = build_catalog(entries=[plugin("mini", (Kind.METRIC, provider("score", options=Files)))])
    chosen, findings = choose(catalog, Kind.METRIC, use("score", "name: z"))
    assert findings == ()
    assert (chosen.ref.kind, chosen.ref.name, chosen.ref.plugin) == (Kind.METRIC, "score", "mini")
    assert chosen.ref.options == {"path": "x", "name": "z"}
    assert chosen.ref.paths == ("path",)
    assert chosen.made.options == Files(name="z")


def test_a_template_is_known_by_its_text(plugin):
    def template(options):
        return SimpleNamespace(fields=(), text=lambda: f"Q: {options.name}")

    catalog = build_catalog(entries=[plugin("mini", (Kind.TEMPLATE, provider("t", template, options=Files)))])
    one, other = (choose(catalog, Kind.TEMPLATE, use("t", f"name: {n}"))[0].ref.content for n in ("a", "b"))
    assert one != other
    assert len(one) == 64


def test_the_same_name_of_another_kind_is_another_thing(plugin):
    catalog = build_catalog(
        entries=[plugin("mini", (Kind.METRIC, provider("log")), (Kind.ACTION, provider("log")))]
    )
    assert choose(catalog, Kind.ACTION, use("log"))[0].ref.kind is Kind.ACTION


def test_an_unknown_name_is_told_with_the_nearest_and_all(plugin):
    catalog = build_catalog(
        entries=[plugin("mini", (Kind.METRIC, provider("accuracy")), (Kind.METRIC, provider("f1")))]
    )
    chosen, (finding,) = choose(catalog, Kind.METRIC, use("acuracy"))
    assert chosen is None
    assert (finding.code, finding.message) == ("MR301", "no plugin offers the metric `acuracy`")
    assert finding.help == "did you mean `accuracy`? installed: accuracy, f1"
    assert finding.span.text == "acuracy"


def test_a_name_of_two_plugins_names_both_and_plugin_slash_name_settles_it(plugin):
    entries = [plugin("left", (Kind.METRIC, provider("f1"))), plugin("right", (Kind.METRIC, provider("f1")))]
    catalog = build_catalog(entries=entries)
    chosen, (finding,) = choose(catalog, Kind.METRIC, use("f1"))
    assert chosen is None
    assert (finding.code, finding.message) == (
        "MR302",
        "the metric `f1` is offered by the plugins `left` and `right`",
    )
    assert finding.help == "write `left/f1` or `right/f1`"
    assert choose(catalog, Kind.METRIC, use("right/f1"))[0].ref.plugin == "right"


def test_a_provider_that_refuses_its_options_does_so_at_their_place(plugin):
    def factory(options):
        raise ModelError("no such architecture", help="take another", place="config.json")

    catalog = build_catalog(entries=[plugin("mini", (Kind.MODEL, provider("m", factory)))])
    chosen, (finding,) = choose(catalog, Kind.MODEL, use("m"))
    assert chosen is None
    assert (finding.code, finding.message) == ("MR450", "no such architecture (config.json)")
    assert (finding.help, finding.span.text) == ("take another", "m")


@pytest.mark.parametrize("count", ["3", "5"])
def test_options_that_their_own_class_refuses_are_a_finding_and_no_crash(plugin, count):
    catalog = build_catalog(entries=[plugin("mini", (Kind.METRIC, provider("even", options=Even)))])
    assert choose(catalog, Kind.METRIC, use("even", "count: 4"))[1] == ()
    chosen, (finding,) = choose(catalog, Kind.METRIC, use("even", f"count: {count}"))
    assert chosen is None
    assert finding.code == "MR308"
    assert finding.message == "the metric `even` of the plugin `mini` refuses its options: count must be even"


def test_a_factory_that_breaks_is_told_under_its_plugins_name(plugin):
    def factory(options):
        raise KeyError("x")

    catalog = build_catalog(entries=[plugin("mini", (Kind.METRIC, provider("m", factory)))])
    (finding,) = choose(catalog, Kind.METRIC, use("m"))[1]
    assert finding.code == "MR308"
    assert "`mini`" in finding.message
    assert "KeyError" in finding.message


def test_options_of_a_type_without_a_schema_are_told_under_the_plugins_name(plugin):
    catalog = build_catalog(entries=[plugin("mini", (Kind.METRIC, provider("m", options=Impossible)))])
    (finding,) = choose(catalog, Kind.METRIC, use("m"))[1]
    assert finding.code == "MR308"
    assert "an option cannot have the type" in finding.message


def test_case_66_a_broken_plugin_is_remembered_and_the_others_work(plugin, failing):
    broken = failing("nice_metrics", ModuleNotFoundError("No module named 'numpy'\nsecond line"))
    catalog = build_catalog(entries=[broken, plugin("mini", (Kind.METRIC, provider("f1")))])
    assert [(p.name, p.reason) for p in catalog.broken] == [
        ("nice_metrics", "ModuleNotFoundError: No module named 'numpy'")
    ]
    assert choose(catalog, Kind.METRIC, use("f1"))[1] == ()


@pytest.mark.parametrize("name", ["nice_metrics/bleu", "nice_metrics", "bleu"])
def test_case_66_asking_for_what_a_broken_plugin_may_offer_tells_its_reason(plugin, failing, name):
    broken = failing("nice_metrics", ImportError("no numpy"))
    catalog = build_catalog(entries=[broken, plugin("mini", (Kind.METRIC, provider("f1")))])
    chosen, (finding,) = choose(catalog, Kind.METRIC, use(name))
    assert chosen is None
    assert finding.code == "MR610"
    assert "`nice_metrics`" in finding.message
    assert finding.message.endswith("`nice_metrics` could not be loaded: ImportError: no numpy")


def test_a_slip_of_a_known_name_is_not_blamed_on_a_broken_plugin(plugin, failing):
    broken = failing("nice_metrics", ImportError("no numpy"))
    catalog = build_catalog(entries=[broken, plugin("mini", (Kind.METRIC, provider("accuracy")))])
    (finding,) = choose(catalog, Kind.METRIC, use("acuracy"))[1]
    assert finding.code == "MR301"
    assert "did you mean `accuracy`?" in finding.help
    assert "nice_metrics: ImportError: no numpy" in finding.reason


def test_what_a_plan_names_is_made_again(plugin):
    catalog = build_catalog(entries=[plugin("mini", (Kind.METRIC, provider("score", options=Files)))])
    ref = choose(catalog, Kind.METRIC, use("score", "name: z"))[0].ref
    assert make(catalog, ref).options == Files(name="z")


def test_what_a_plan_names_and_is_gone_is_told_by_name():
    ref = ProviderRef(kind=Kind.METRIC, name="score", plugin="mini", version="1", options={})
    with pytest.raises(MachineError, match="the metric `mini/score`") as caught:
        make(build_catalog(entries=[]), ref)
    assert (caught.value.code, caught.value.exit_code) == ("MR610", 5)


def test_the_reason_of_a_broken_plugin_that_a_plan_needs_is_told(failing):
    ref = ProviderRef(kind=Kind.METRIC, name="score", plugin="mini", version="1", options={})
    with pytest.raises(MachineError) as caught:
        make(build_catalog(entries=[failing("mini", ImportError("no numpy"))]), ref)
    assert "no numpy" in caught.value.message


def test_options_of_a_plan_that_the_provider_no_longer_has_are_told(plugin):
    catalog = build_catalog(entries=[plugin("mini", (Kind.METRIC, provider("score", options=Files)))])
    ref = ProviderRef(kind=Kind.METRIC, name="score", plugin="mini", version="1", options={"gone": 1})
    with pytest.raises(MachineError, match="the metric `mini/score` no longer takes the options"):
        make(catalog, ref)


def test_the_version_of_a_third_partys_provider_has_its_distributions(plugin):
    entry = plugin("mini", (Kind.METRIC, provider("score", version="3")))
    (offer,) = build_catalog(entries=[entry]).offers
    assert version_of(offer).startswith("3@")


def test_ours_are_known_by_their_own_version_so_that_a_release_retrains_nothing(installed):
    (offer,) = installed.find(Kind.TRAINER, "trainer")
    assert version_of(offer) == offer.provider.version


def test_a_misspelt_hook_is_an_error(plugin):
    @hookimpl
    def medrecipe_metrisc():
        return []

    entries = [
        plugin("typo", medrecipe_metrisc=medrecipe_metrisc),
        plugin("fine", (Kind.METRIC, provider("f1"))),
    ]
    catalog = build_catalog(entries=entries)
    assert [p.name for p in catalog.broken] == ["typo"]
    assert "medrecipe_metrisc" in catalog.broken[0].reason
    assert catalog.names(Kind.METRIC) == ("f1",)
    assert [name for name, _ in catalog.listeners] == ["fine"]


def test_a_hook_with_an_argument_that_there_is_not_is_an_error(plugin):
    @hookimpl
    def medrecipe_run_end(run):
        """Nothing: it is never called."""

    catalog = build_catalog(entries=[plugin("typo", medrecipe_run_end=medrecipe_run_end), plugin("fine")])
    assert [p.name for p in catalog.broken] == ["typo"]
    assert "run" in catalog.broken[0].reason


@pytest.mark.parametrize("offered", [None, ["no provider"], 5])
def test_an_offer_that_is_no_list_of_providers_breaks_its_plugin_alone(plugin, offered):
    @hookimpl
    def medrecipe_metrics():
        return offered

    entries = [
        plugin("odd", medrecipe_metrics=medrecipe_metrics),
        plugin("fine", (Kind.METRIC, provider("f1"))),
    ]
    catalog = build_catalog(entries=entries)
    assert [p.name for p in catalog.broken] == ["odd"]
    assert catalog.names(Kind.METRIC) == ("f1",)


def test_a_source_with_an_option_that_is_a_word_of_the_language_is_broken(plugin):
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        limit: int = option(1, doc="rows")

    source = Provider(name="rows", summary="", factory=lambda _: None, options=Options)
    catalog = build_catalog(entries=[plugin("mine", (Kind.SOURCE, source))])
    assert "the source `rows` has an option `limit`, which is a word" in catalog.broken[0].reason


def test_one_plugin_that_offers_a_name_twice_is_broken(plugin):
    catalog = build_catalog(
        entries=[plugin("twice", (Kind.METRIC, provider("f1")), (Kind.METRIC, provider("f1")))]
    )
    assert "offers the metric `f1` twice" in catalog.broken[0].reason


def test_a_plugin_that_ends_the_interpreter_is_broken_and_no_end(failing):
    catalog = build_catalog(entries=[failing("quitter", SystemExit(3))])
    assert catalog.broken[0].reason == "SystemExit: 3"


def test_two_plugins_of_one_name_are_told_and_the_first_stays(plugin):
    entries = [plugin("same", (Kind.METRIC, provider("f1"))), plugin("same", (Kind.METRIC, provider("f2")))]
    catalog = build_catalog(entries=entries)
    assert catalog.names(Kind.METRIC) == ("f1",)
    assert [p.name for p in catalog.broken] == ["same"]


def test_one_module_under_two_names_is_told_and_the_first_stays(plugin):
    one = plugin("one", (Kind.METRIC, provider("f1")))
    other = plugin("other")
    other._module = one._module
    catalog = build_catalog(entries=[one, other])
    assert catalog.names(Kind.METRIC) == ("f1",)
    assert [p.name for p in catalog.broken] == ["other"]


def test_a_blocked_plugin_is_not_loaded(failing, plugin):
    entries = [failing("bad", ImportError("never asked")), plugin("good", (Kind.METRIC, provider("f1")))]
    assert build_catalog(entries=entries, blocked=["bad"]).broken == ()
    assert build_catalog(entries=entries, blocked=["*"]).plugins == ()


LOCAL = '''
from __future__ import annotations
from dataclasses import InitVar, dataclass
from typing import Literal
from pipeline_dsl.api import Provider, hookimpl, option

@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options with annotations that have to be looked up."""
    word: Literal["a", "b"] = option("a", doc="a choice")
    perhaps: int | None = option(None, doc="a count or nothing")

@hookimpl
def medrecipe_metrics():
    return [Provider(name="local_score", summary="from a file", factory=lambda o: o, options=Options)]
'''


def test_a_local_plugin_is_a_file_like_any_module(tmp_path):
    path = tmp_path / "my-metric.py"
    path.write_text(LOCAL, encoding="utf-8")
    catalog = build_catalog(local=[str(path)], entries=[])
    assert catalog.broken == ()
    chosen, findings = choose(catalog, Kind.METRIC, use("local_score", "word: b"))
    assert findings == ()
    assert chosen.ref.options == {"word": "b", "perhaps": None}
    assert choose(catalog, Kind.METRIC, use("my-metric/local_score"))[0] is not None


def test_a_local_plugin_is_known_by_its_content(tmp_path):
    path = tmp_path / "my_metric.py"
    versions = []
    for text in (LOCAL, LOCAL, LOCAL + "\n# changed\n"):
        path.write_text(text, encoding="utf-8")
        (offer,) = build_catalog(local=[str(path)], entries=[]).offers
        versions.append(version_of(offer))
    assert versions[0] == versions[1] != versions[2]


def test_two_local_plugins_of_one_name_in_two_folders_do_not_mix(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.py").write_text(LOCAL.replace("local_score", folder), encoding="utf-8")
    catalog = build_catalog(local=[str(tmp_path / f / "m.py") for f in ("a", "b")], entries=[])
    assert catalog.names(Kind.METRIC) == ("a",)
    assert catalog.broken[0].module.endswith("b/m.py")


@pytest.mark.parametrize("text", ["raise OSError('no')", "def broken(:", "import no_such_module_anywhere"])
def test_case_66_a_local_plugin_that_cannot_load_is_remembered(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    catalog = build_catalog(local=[str(path)], entries=[])
    assert [p.name for p in catalog.broken] == ["mine"]


def test_a_local_plugin_that_is_not_there_is_remembered(tmp_path):
    catalog = build_catalog(local=[str(tmp_path / "gone.py")], entries=[])
    assert "FileNotFoundError" in catalog.broken[0].reason
