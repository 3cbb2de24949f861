"""The recipes on public data: what a user writes who keeps a recipe and brings other files.

The first recipe's own test is in ``tests/flagship``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline_dsl.cli.main import main

ROOT = Path(__file__).parents[2]
PUBLIC = ROOT.parent / "shared" / "data"
SMALL = "layers: 2, width: 64, heads: 2, kv_heads: 1, mlp_width: 96, pretraining_steps: 2"

MIXED = f"""\
extends: medgemma_korean_mixed.sdn
data:
    sentences: {{path: {PUBLIC}/ud_korean_plain_text/sentences.jsonl, filter: "source == 'gsd'"}}
    sentences_held_out:
        path: {PUBLIC}/ud_korean_plain_text/sentences.jsonl
        filter: "source == 'kaist'"
    pairs: {{path: {PUBLIC}/jhe_ko_en_parallel/dev.jsonl}}
    pairs_held_out: {{path: {PUBLIC}/jhe_ko_en_parallel/eval.jsonl}}
    exam: {{path: {PUBLIC}/kormedmcqa/mcq_reasoning.jsonl, filter: "subject != 'dentist'"}}
    exam_held_out: {{path: {PUBLIC}/kormedmcqa/mcq_reasoning.jsonl, filter: "subject == 'dentist'"}}
# This file has its reasoning in one column, not in sections.
templates:
    worked:
        prompt: "{{question}}\\nA) {{A}}\\nB) {{B}}\\nC) {{C}}\\nD) {{D}}\\nE) {{E}}\\n\\n"
        completion: "reasoning:\\n{{reasoning}}\\n\\nanswer:\\n{{answer}}"
tasks |task, data, template, metric, limit|
    fluency, sentences_held_out, plain_text, perplexity, null
    translation_recall, pairs, {{use: translate, direction: both}}, {{use: chrf, max_new_tokens: 8}}, 8
    exam_recall, exam, mcq, mcq_accuracy, null
    reasoning, exam_held_out, worked, {{use: token_f1}}, null
train: {{max_length: 2000, overflow: drop}}
profiles:
    tiny:
        model: {{{SMALL}, add_tokens: [하였다], add_tokens_from: null}}
        tasks: {{reasoning: {{limit: 4, metric: {{max_new_tokens: 8}}}}}}
        train: {{max_length: 2000}}
        phases:
            translation_exam: {{train: {{epochs: 1}}}}
            reasoning:
                stages: {{full: {{template: worked, samples: 8, until: "reasoning >= 0"}}}}
                train: {{epochs: 2}}
"""
LLAMA = f"""\
extends: llama_medical.sdn
# Four subjects of an exam in place of four specialties; the held-out questions are those of the recipe.
data:
    cardiology:
        path: {PUBLIC}/kormedmcqa/mcq.jsonl
        columns: null
        filter: "subject == 'doctor'"
    oncology: {{filter: "subject == 'nurse'"}}
    neurology: {{filter: "subject == 'pharm'"}}
    emergency_medicine: {{filter: "subject == 'dentist'"}}
tasks |task, data, template, metric, limit|
    cardiology, cardiology, mcq, mcq_accuracy, 12
    oncology, oncology, mcq, mcq_accuracy, 12
    neurology, neurology, mcq, mcq_accuracy, 12
    emergency_medicine, emergency_medicine, mcq, mcq_accuracy, 12
    general_questions, general_questions, mcq, mcq_accuracy, 12
    general_text, general_text, plain_text, perplexity, 12
phases:
    cardiology:
        mix |data, template|
            cardiology, mcq
    oncology:
        mix |data, template|
            oncology, mcq
    neurology:
        mix |data, template|
            neurology, mcq
    emergency_medicine:
        mix |data, template|
            emergency_medicine, mcq
profiles:
    tiny:
        model: {{{SMALL}}}
        train: {{max_steps: 4, warmup_steps: 1, max_length: 1024, overflow: drop}}
"""
PHI4 = f"""\
extends: phi4_medical.sdn
data:
    instructions: {{path: {PUBLIC}/medquad_instruction/medquad.jsonl}}
profiles:
    tiny:
        model: {{{SMALL}}}
        train: {{max_steps: 20, max_length: 1000, overflow: drop}}
"""
MEDIMIND = f"""\
extends: medimind_phi2.sdn
data:
    instructions: {{path: {PUBLIC}/medquad_instruction/medquad.jsonl, limit: 40}}
profiles:
    tiny:
        model: {{{SMALL}}}
        train: {{epochs: 1, max_length: 1000, overflow: drop}}
"""


@pytest.mark.parametrize(
    ("recipe", "samples", "phases"),
    [
        (MIXED, 12, ["plain_text", "translation_exam", "reasoning"]),
        # Its streams look at a thousand samples before the first step, and go through the files for those.
        (LLAMA, 200, ["cardiology", "oncology", "neurology", "emergency_medicine"]),
        (PHI4, 12, ["instructions"]),
        (MEDIMIND, 12, ["instructions"]),
    ],
    ids=["mixed", "llama", "phi4", "medimind"],
)
def test_a_recipe_trains_on_public_data(recipe, samples, phases, tmp_path, monkeypatch, capsys):
    if not PUBLIC.is_dir():
        pytest.skip(f"the public data is not at {PUBLIC}")
    shutil.copytree(ROOT / "recipes", tmp_path, dirs_exist_ok=True)
    (tmp_path / "public.sdn").write_text(recipe, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "public.sdn", "--max-samples", str(samples)]) == 0, capsys.readouterr()
    (retention,) = tmp_path.glob("runs/*/*/retention.json")
    assert json.loads(retention.read_text(encoding="utf-8"))["rows"] == ["base", *phases]
