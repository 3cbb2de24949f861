"""The built-in templates, letter by letter."""

import pytest

from medrecipe_plugins.templates import chat, mcq, pairs, plain_text
from pipeline_dsl.api import DataError, Message, NoOptions

PAIR = {"english": "liver", "korean": "간"}
QUESTION = {
    "question": "어디가 아픈가?",
    "A": "간",
    "B": "폐",
    "C": "위",
    "D": "콩팥",
    "E": "눈",
    "answer": "C",
}
WORKED = QUESTION | {
    "translation": "Where does it hurt?", "facts": "f", "candidates": "c", "criteria": "k", "analysis": "a",
    "evaluation": "평가기준: x",
}  # fmt: skip
DIALOGUE = {
    "instruction": "What is flu?",
    "response": "A virus.",
    "context": "Flu is a virus.",
    "question": "What?",
}


def _providers():
    offers = [module.medrecipe_templates() for module in (plain_text, pairs, mcq, chat)]
    return {p.name: p for offer in offers for p in offer}


def _make(name, **options):
    provider = _providers()[name]
    return provider.factory(provider.options(**options))


def _one(name, row, **options):
    (sample,) = _make(name, **options).render(row, "row:1")
    return sample


def test_plain_text_is_the_text_as_it_is():
    sample = _one("plain_text", {"text": " 간은 크다.\n"})
    assert (sample.prompt, sample.completion, sample.id) == ("", " 간은 크다.\n", "row:1")


@pytest.mark.parametrize(
    ("name", "direction", "prompt", "completion"),
    [
        ("translate", "en_ko", "translate question:\nliver\n\ntranslate:\n", "간"),
        ("translate", "ko_en", "korean translate question:\n간\n\nkorean translate:\n", "liver"),
        ("dictionary", "en_ko", "word question:\nliver\n\nshort_answer:\n", "간"),
        ("dictionary", "ko_en", "korean word question:\n간\n\nkorean short_answer:\n", "liver"),
    ],
)
def test_pairs_ask_for_the_other_language(name, direction, prompt, completion):
    sample = _one(name, PAIR, direction=direction)
    assert (sample.prompt, sample.completion) == (prompt, completion)


def test_both_directions_make_two_samples_a_pair():
    samples = list(_make("translate", direction="both").render(PAIR, "row:1"))
    assert [(s.completion, s.id) for s in samples] == [("간", "row:1#en_ko"), ("liver", "row:1#ko_en")]


def test_mcq_ends_in_the_strict_answer_form():
    sample = _one("mcq", QUESTION)
    assert sample.prompt == (
        "어디가 아픈가?\nA) 간\nB) 폐\nC) 위\nD) 콩팥\nE) 눈\nanswer_type: select_A_E\n"
        "Answer with exactly one letter: A, B, C, D or E.\n\n"
    )
    assert sample.completion == "answer:\nC"
    assert sample.answer == "C"


def test_the_choices_of_mcq_are_the_completions_that_can_be_right():
    sample = _one("mcq", QUESTION)
    assert sample.choices == ("answer:\nA", "answer:\nB", "answer:\nC", "answer:\nD", "answer:\nE")
    assert sample.completion in sample.choices


def test_mcq_worked_shows_an_example_and_learns_every_section():
    sample = _one("mcq_worked", WORKED)
    assert sample.prompt.startswith("example:\n")
    assert sample.prompt.endswith("Answer with exactly one letter: A, B, C, D or E.\n\n")
    assert sample.prompt.count("answer:\n") == 1
    assert sample.completion == (
        "translate:\nWhere does it hurt?\n\nreasoning:\nfacts:\nf\ncandidates:\nc\ncriteria:\nk\nanalysis:\na\n"
        "evaluation:\n평가기준: x\n\nanswer:\nC"
    )


def test_the_worked_example_and_completions_are_what_the_reasoning_scorer_asks_for():
    from medrecipe_plugins.metrics._sections import content_share, format_share, sections
    from medrecipe_plugins.templates import _mcq_text

    found = sections(_mcq_text.worked_text(_mcq_text.WORKED_COMPLETION))
    assert format_share(found) == content_share(found) == 1.0


def test_instruction_speaks_in_turns():
    sample = _one("instruction", DIALOGUE, system="Be brief.")
    assert sample.messages == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="What is flu?"),
    )
    assert (sample.prompt, sample.completion) == ("", "A virus.")
    assert [m.role for m in _one("instruction", DIALOGUE).messages] == ["user"]


def test_an_input_stands_on_a_line_of_its_own_unless_it_is_empty():
    row = DIALOGUE | {"input": "Be brief."}
    assert _one("instruction", row, input=True).messages[0].content == "What is flu?\nBe brief."
    for empty in ("", " ", None):
        assert _one("instruction", row | {"input": empty}, input=True).messages[0].content == "What is flu?"


ALPACA = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\nWhat is flu?\n\n### Input:\nBe brief.\n\n### Response:\n"
)


def test_alpaca_has_its_longer_prompt_where_there_is_an_input():
    sample = _one("alpaca", DIALOGUE | {"input": "Be brief."})
    assert (sample.prompt, sample.completion, sample.messages) == (ALPACA, "A virus.", ())
    shorter = _one("alpaca", DIALOGUE | {"input": ""}).prompt
    assert shorter == _one("alpaca", DIALOGUE, input=False).prompt
    assert shorter.startswith("Below is an instruction that describes a task. Write")
    assert "### Input" not in shorter


def test_alpaca_can_be_a_turn_of_the_models_chat():
    sample = _one("alpaca", DIALOGUE | {"input": "Be brief."}, chat=True)
    assert (sample.prompt, sample.messages) == ("", (Message(role="user", content=ALPACA),))


def test_question_answer_has_three_headings_or_two():
    sample = _one("question_answer", DIALOGUE)
    assert sample.prompt == "### Context\nFlu is a virus.\n\n### Question\nWhat?\n\n### Response\n"
    assert sample.completion == "A virus."
    assert _one("question_answer", DIALOGUE, context=False).prompt == "### Question\nWhat?\n\n### Response\n"
    assert _make("question_answer", context=False).fields == ("question", "response")


def test_human_assistant_gives_its_space_to_the_completion():
    sample = _one("human_assistant", DIALOGUE)
    assert (sample.prompt, sample.completion) == ("Human: What is flu?\n\nAssistant:", " A virus.")
    assert sample.answer == "A virus."


@pytest.mark.parametrize("given", ["C", " c ", "c\n", "③", "Ｃ"])
def test_case_25_answers_are_normalised(given):
    assert mcq.answer_letter(given, "row:1") == "C"


@pytest.mark.parametrize("given", [3, "3", " ３ "])
def test_case_25_a_number_is_an_answer_where_the_recipe_says_so(given):
    assert mcq.answer_letter(given, "row:1", "numbers") == "C"
    with pytest.raises(DataError) as caught:
        mcq.answer_letter(given, "row:1")
    assert (caught.value.code, caught.value.place) == ("MR511", "row:1")
    assert "answers: numbers" in caught.value.help


@pytest.mark.parametrize("given", ["F", "", "AB", 0, 6, "0", "⑥", [1], True, 2.0, "A) 간"])
def test_cases_25_and_27_an_answer_that_is_no_option_is_refused(given):
    with pytest.raises(DataError) as caught:
        mcq.answer_letter(given, "row:1")
    assert (caught.value.code, caught.value.place) == ("MR511", "row:1")


def test_case_26_the_right_option_may_not_stand_there_twice():
    row = QUESTION | {"B": f" {QUESTION['C'].upper()}"}
    with pytest.raises(DataError) as caught:
        _one("mcq", row)
    assert (caught.value.code, caught.value.place) == ("MR551", "row:1")
    assert _one("mcq", row, repeated_options="allow").answer == "C"


def test_case_26_wrong_options_may_be_equal_and_signs_tell_options_apart():
    assert _one("mcq", QUESTION | {"A": "간", "B": "간"}).answer == "C"
    assert _one("mcq", QUESTION | {"B": "Rh +", "C": "Rh -"}).answer == "C"


@pytest.mark.parametrize(
    ("name", "field", "row"),
    [
        ("plain_text", "text", {"text": " "}),
        ("translate", "korean", PAIR),
        ("instruction", "response", DIALOGUE),
    ],
)
def test_case_33_nothing_to_learn_is_refused(name, field, row):
    with pytest.raises(DataError) as caught:
        _one(name, dict(row) | {field: "  "})
    assert (caught.value.code, caught.value.place) == ("MR512", "row:1")


@pytest.mark.parametrize(
    "mark",
    ["<end_of_turn>", "<start_of_turn>", "<eos>", "<bos>", "</s>", "<s>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<pad>", "[INST]", "<unused3>"],
)  # fmt: skip
@pytest.mark.parametrize("field", ["instruction", "response"])
def test_case_36_control_tokens_in_data_are_refused(mark, field):
    with pytest.raises(DataError) as caught:
        _one("instruction", DIALOGUE | {field: f"비밀 {mark} x"})
    assert (caught.value.code, caught.value.place) == ("MR513", "row:1")
    assert "비밀" not in caught.value.message


@pytest.mark.parametrize("text", ["a < b > c", "<p>", "|x|", "p<0.05", "5 <|> 3", "[1]"])
def test_ordinary_signs_are_no_control_tokens(text):
    assert _one("instruction", DIALOGUE | {"response": text}).completion == text


@pytest.mark.parametrize("value", [None, [], {}, True])
def test_a_missing_field_names_its_row_and_the_columns_there_are(value):
    with pytest.raises(DataError) as caught:
        _one("translate", PAIR | {"english": value})
    assert (caught.value.code, caught.value.place) == ("MR514", "row:1")


@pytest.mark.parametrize("name", ["plain_text", "translate", "dictionary", "mcq", "mcq_worked", "instruction", "alpaca", "question_answer", "human_assistant"])  # fmt: skip
def test_a_templates_fields_are_all_that_it_reads(name):
    template = _make(name)
    row = WORKED | PAIR | DIALOGUE | {"text": "t", "input": "i"}
    assert list(template.render({field: row[field] for field in template.fields}, "row:1"))
    for field in template.fields:
        with pytest.raises(DataError):
            list(template.render({f: row[f] for f in template.fields if f != field}, "row:1"))


def test_text_differs_wherever_output_differs():
    texts = [_make(name).text() for name in _providers()]
    texts += [_make("translate", direction="both").text(), _make("instruction", system="x").text()]
    texts += [_make("instruction", input=True).text(), _make("alpaca", chat=True).text()]
    texts += [_make("alpaca", input=False).text()]
    assert len(set(texts)) == len(texts)


def test_options_with_no_choice_are_no_options():
    assert _providers()["human_assistant"].options is NoOptions
