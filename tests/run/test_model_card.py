"""The model card, from facts that small runs do not have: a base of the Hub, licences, odd data, doubts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from pipeline_dsl.api import Kind, Licence, MergeProof, Sample, Score
from pipeline_dsl.plan.model import DataFile, StagePlan
from pipeline_dsl.run.card_facts import CardFacts, ExportFacts, card_facts, example_of
from pipeline_dsl.run.finished import open_run
from pipeline_dsl.run.model_card import model_card

PROOF = MergeProof(adapters=("a",), probes=6, max_abs_logit_difference=1e-6, max_kl=1e-9, tolerance=1e-4)


@pytest.fixture
def facts(workshop) -> CardFacts:
    """Those of a run of three phases."""
    workshop.run()
    opened = open_run(workshop.runs, workshop.last.name, workshop.catalog, say=lambda _: None)
    return card_facts(opened, opened.last)


def export(facts: CardFacts, library: str = "transformers", proof: MergeProof | None = PROOF) -> ExportFacts:
    form = replace(facts.plan.model, kind=Kind.EXPORTER, name="merged")
    return ExportFacts(
        form=form, summary="weights", library=library, opening="Open it.", dtype=None, proof=proof
    )


def on_the_hub(facts: CardFacts, licence: Licence | None = None, **plan: object) -> CardFacts:
    base = replace(
        facts.plan.base, name="google/medgemma-4b-it", revision="290cda5eeccbee130f987c4ad74a59ae6f196408"
    )
    return replace(facts, plan=replace(facts.plan, base=base, **plan), licence=licence)


def front(card: str) -> dict[str, object]:
    return yaml.safe_load(card.split("---\n")[1])


@pytest.mark.parametrize(
    ("library", "relation"),
    [("transformers", "merge"), ("peft", "adapter"), ("medrecipe", "adapter"), ("gguf", None)],
)
def test_the_hub_reads_which_base_it_is_of(facts, library, relation):
    found = front(model_card(on_the_hub(facts), export(facts, library)))
    assert found["base_model"] == "google/medgemma-4b-it"
    assert found.get("base_model_relation") == relation
    assert (found["library_name"], found["pipeline_tag"]) == (library, "text-generation")


def test_a_base_that_is_not_on_the_hub_is_not_called_one_of_it(facts):
    card = model_card(facts, export(facts))
    assert "base_model" not in front(card)
    assert "# the base is not on the Hub: toy\n" in card


@pytest.mark.parametrize(
    ("licence", "read", "said"),
    [
        (Licence(name="mit"), {"license": "mit"}, "copyright notice"),
        (
            Licence(name="llama3.2", link="https://www.llama.com/llama3_2/license/", source="its card"),
            {"license": "llama3.2"},
            "“Built with Llama”",
        ),
        (
            Licence(name="health-ai-developer-foundations", link="https://example.org/terms"),
            {
                "license": "other",
                "license_name": "health-ai-developer-foundations",
                "license_link": "https://example.org/terms",
            },
            "Health AI Developer Foundations ask",
        ),
        (None, {}, "nobody said here under what terms"),
    ],
)
def test_the_licence_of_the_base_is_told(facts, licence, read, said):
    card = model_card(on_the_hub(facts, licence), export(facts))
    assert {k: v for k, v in front(card).items() if k.startswith("license")} == read
    notes = card.partition("## Licences")[2]
    assert said in notes
    if licence is not None:
        assert f"`{licence.name}`" in notes
        assert licence.link in notes
        assert licence.source in notes


@pytest.mark.parametrize(
    ("tags", "languages"), [((), None), (("medical",), None), (("Korean", "english", "korean"), ["ko", "en"])]
)
def test_languages_are_those_that_a_tag_names_and_never_guessed(facts, tags, languages):
    assert front(model_card(on_the_hub(facts, tags=tags), export(facts))).get("language") == languages


def test_what_is_not_to_be_believed_is_said(facts):
    bad = Score(
        value=0.5, low=0.4, high=0.6, n=10, protocol="x", invalid="one letter is 100 % of the answers"
    )
    scores = dict(facts.scores) | {("base", "ones"): bad}
    card = model_card(replace(facts, scores=scores), export(facts))
    assert "0.50 \\[0.40, 0.60\\] (!)" in card
    assert "base is not to be believed: one letter is 100 % of the answers" in card


def test_a_task_without_a_score_is_left_out_and_a_run_without_any_says_so(facts):
    assert "The run took no scores." in model_card(replace(facts, scores={}), export(facts))
    some = {key: score for key, score in facts.scores.items() if key[1] == "ones"}
    assert "`twos` through" not in model_card(replace(facts, scores=some), export(facts))


def test_summary_figures_are_told_where_every_phase_of_the_run_led_to_the_stack(facts):
    assert "| ACC |" in model_card(facts, export(facts))
    sibling = replace(facts, phases=facts.phases[1:])
    assert "| ACC |" not in model_card(sibling, export(facts))
    earlier = replace(facts, retention=replace(facts.retention, rows=(*facts.retention.rows, "fourth")))
    assert "| ACC |" not in model_card(earlier, export(facts))


def test_data_says_what_of_it_was_taken_and_from_where(facts):
    files = tuple(
        DataFile(path=f"/secret/place/part-{n}.jsonl", bytes=10, sha256="ab" * 32) for n in range(5)
    )
    data = facts.plan.data["threes"]
    view = replace(
        data.view, part="train", split=(0.8, 0.1, 0.1), filter="chapter == 'I'", limit=100, streaming=True
    )
    plan = replace(facts.plan, data={**facts.plan.data, "threes": replace(data, files=files, view=view)})
    entry = replace(facts.phase.mix[0], limit=5, repeat=3)
    phases = (*facts.phases[:-1], replace(facts.phase, mix=(entry,)))
    card = model_card(replace(facts, plan=plan, phases=phases), export(facts))
    assert (
        "`part-0.jsonl` (10 bytes), `part-1.jsonl` (10 bytes), `part-2.jsonl` (10 bytes) and 2 more" in card
    )
    assert "part `train` of 0.8/0.1/0.1, where `chapter == 'I'`, at most 100" in card
    assert "of these at most 5, each 3 times, as a stream" in card
    assert "/secret" not in card


def test_stages_are_told(facts):
    stage = StagePlan(name="once", template=None, samples=10, until="ones >= 0.5", tasks=(), at_most=None)
    phases = (replace(facts.phases[0], stages=(stage,)), *facts.phases[1:])
    card = model_card(replace(facts, phases=phases), export(facts))
    assert "| `once` | of the data | 10 | ones &#62;= 0.5 |" in card


def test_what_is_not_recorded_is_said_to_be_unknown(facts):
    card = model_card(replace(facts, records={}, environment={}), export(facts, proof=None))
    assert "What it came to is not recorded." in card
    assert "trained with medrecipe on" in card


def test_a_prompt_shows_placeholders_and_where_none_can_be_made_the_form(facts, workshop):
    (question, sample) = facts.questions[0]
    assert sample == Sample(prompt="{text}", completion="")
    card = model_card(replace(facts, questions=((question, None),)), export(facts))
    assert "Template `plain_text`, of the columns `text`." in card


def test_a_template_that_asks_in_either_direction_is_shown_in_one(toys):
    from pipeline_dsl.plan.model import ProviderRef
    from pipeline_dsl.run.asking import Question, _made

    ref = ProviderRef(
        kind=Kind.TEMPLATE, name="dictionary", plugin="pairs", version="1", options={"direction": "both"}
    )
    sample = example_of(Question(ref=ref, template=_made(toys, ref)))
    assert sample.prompt == "word question:\n{text}\n\nshort_answer:\n"


def test_the_device_is_that_of_the_run_wherever_it_is_exported(facts):
    elsewhere = replace(facts, plan=replace(facts.plan, device="cuda:7"))
    assert "cuda:7" not in model_card(elsewhere, export(facts))
