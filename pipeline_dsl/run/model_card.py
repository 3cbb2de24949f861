"""The model card of an exported stack: ``README.md``, with the front matter that the Hub reads.

Every line is from the record of the run or from the export; what is not known is left out, or said so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline_dsl.api.records import ModelIdentity, Sample
from pipeline_dsl.run.asking import Question
from pipeline_dsl.run.card_facts import CardFacts, ExportFacts
from pipeline_dsl.run.card_scores import proofs, retention, scores
from pipeline_dsl.run.card_training import data_names, training
from pipeline_dsl.run.licences import front_matter, licence_notes
from pipeline_dsl.run.markdown import code, codes, fenced, inert, scalar, table

Json = dict[str, Any]
_LANGUAGES = {
    "korean": "ko", "english": "en", "japanese": "ja", "chinese": "zh", "german": "de", "french": "fr",
    "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl", "russian": "ru", "arabic": "ar",
    "hindi": "hi", "vietnamese": "vi", "thai": "th", "indonesian": "id", "turkish": "tr", "polish": "pl",
}  # fmt: skip
"""Languages by the tags that name them; nothing else says in which language a model was trained."""
_LIMITS = """\
- This is no medical device and gives no medical advice. Nobody reviewed it for use with patients; what it
  writes can be wrong in ways that sound right.
- Its scores are those of the table, on those data and in those prompts; of anything else nothing is known.
- In training and in scoring it was asked in the forms above. Asked otherwise it is another model.
- Training on medical text does not remove what the base got wrong, and can make it forget: see the retention
  figures."""


def model_card(facts: CardFacts, export: ExportFacts) -> str:
    """Return the whole card."""
    sections = [
        ("Open it", export.opening),
        ("Ask it", _asking(facts)),
        ("Base", _base(facts)),
        ("Training", training(facts)),
        ("Scores", scores(facts)),
        ("Retention", retention(facts)),
        ("Proof of merge", proofs(facts, export.proof, export.dtype)),
        ("Environment", _environment(facts)),
        ("Licences", licence_notes(_identity(facts).name, facts.licence, data_names(facts))),
        ("Use and limits", _LIMITS),
    ]
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections)
    return f"{_front_matter(facts, export)}\n\n{_introduction(facts, export)}\n\n{body}\n"


def _front_matter(facts: CardFacts, export: ExportFacts) -> str:
    lines = [
        *_relation(_identity(facts), export),
        f"library_name: {scalar(export.library)}",
        "pipeline_tag: text-generation",
        *_list("language", [_LANGUAGES[tag] for t in facts.plan.tags if (tag := t.lower()) in _LANGUAGES]),
        *front_matter(facts.licence),
        *_list("tags", ["medrecipe", *facts.plan.tags]),
    ]
    return "\n".join(["---", *lines, "---"])


def _relation(base: ModelIdentity, export: ExportFacts) -> list[str]:
    """What the Hub shows as the base. The name of a folder would lead to another model there."""
    if not base.revision:
        return [f"# the base is not on the Hub: {scalar(base.name)}"]
    known = {"peft": "adapter", "medrecipe": "adapter", "transformers": "merge"}.get(export.library)
    relation = [f"base_model_relation: {known}"] if known else []
    return [f"base_model: {scalar(base.name)}", *relation]


def _list(key: str, texts: list[str]) -> Iterator[str]:
    if texts:
        yield f"{key}:"
        yield from (f"- {scalar(text)}" for text in dict.fromkeys(texts))


def _introduction(facts: CardFacts, export: ExportFacts) -> str:
    version = facts.environment.get("medrecipe")
    by = f"medrecipe {inert(version)}" if version else "medrecipe"
    rejected = (
        "\n\n**The phase broke its retention contract and was rejected**: see what it promised to keep."
        if facts.stack.rejected
        else ""
    )
    return (
        f"# {inert(facts.plan.recipe)}: {inert(facts.phase.name)}\n\n"
        f"What the phase {code(facts.phase.name)} of the recipe {code(facts.plan.recipe)} left, trained with "
        f"{by} on {code(_identity(facts).name)} in the run {code(facts.run)}. The form is "
        f"{code(export.form.name)}: {inert(export.summary)}. Everything below is from the "
        f"run's own record; `export.json` has the hash of every file.{rejected}"
    )


def _asking(facts: CardFacts) -> str:
    texts = [_question(question, sample) for question, sample in facts.questions]
    return "\n\n".join(texts)


def _question(question: Question, sample: Sample | None) -> str:
    title = f"Template {code(question.name)}"
    before = f", or before {codes([json.dumps(s, ensure_ascii=False) for s in question.stops])}"
    stops = f" An answer ends at an end mark of the model{before if question.stops else ''}."
    if sample is None:
        return (
            f"{title}, of the columns {codes(question.fields)}.{stops}\n\n{fenced(question.template.text())}"
        )
    if sample.messages:
        turns = "\n".join(f"{m.role}: {m.content}" for m in sample.messages)
        return f"{title}, as turns of the model's own chat template.{stops}\n\n{fenced(turns)}"
    return f"{title}.{stops}\n\n{fenced(sample.prompt)}"


def _base(facts: CardFacts) -> str:
    base = _identity(facts)
    rows = [
        ["name", code(base.name)],
        [
            "revision",
            code(base.revision) if base.revision else "none: a folder, or built where it was trained",
        ],
        ["architecture", code(base.architecture)],
        ["number format", code(base.dtype)],
        ["bits", code(f"{base.quantisation} {base.quantised_by}") if base.quantisation else "not quantised"],
        ["sha256 of weights", code(base.weights_sha256)],
        ["sha256 of tokenizer", code(base.tokenizer_sha256)],
        ["sha256 of chat template", code(base.chat_template_sha256) if base.chat_template_sha256 else "none"],
    ]
    return table(("base", ""), rows)


def _environment(facts: CardFacts) -> str:
    known = facts.environment
    libraries = {**(known.get("libraries") or facts.plan.libraries)}
    rows = [[inert(name), code(version)] for name, version in libraries.items() if version]
    if known.get("python"):
        rows.insert(0, ["python", code(known["python"])])
    rows += [["device", code(facts.device)], ["number format", code(_identity(facts).dtype)]]
    rows.append(["seed of the run", code(facts.plan.seed)])
    return table(("trained with", ""), rows)


def _identity(facts: CardFacts) -> ModelIdentity:
    if facts.plan.base is None:
        msg = "an opened run has a base"
        raise ValueError(msg)
    return facts.plan.base
