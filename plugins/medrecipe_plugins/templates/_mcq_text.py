"""The texts of multiple-choice questions: prompt, answer and worked example."""

from __future__ import annotations

import re
import unicodedata

from pipeline_dsl.api import MedrecipeError

LETTERS = ("A", "B", "C", "D", "E")
REMINDER = "Answer with exactly one letter: A, B, C, D or E."
ANSWER = "answer:\n"

SECTIONS = ("facts", "candidates", "criteria", "analysis", "evaluation")
"""Parts of the reasoning, in their order."""

WORKED_QUESTION = {
    "question": (
        "58세 남자가 2시간 전부터 앞가슴을 쥐어짜는 듯한 통증과 식은땀으로 응급실에 왔다. "
        "심전도에서 II, III, aVF 유도의 ST분절이 올라가 있다. 막힌 혈관은?"
    ),
    "A": "왼앞내림가지",
    "B": "오른관상동맥",
    "C": "폐동맥",
    "D": "온목동맥",
    "E": "콩팥동맥",
}
WORKED_COMPLETION = {
    "translation": (
        "A 58-year-old man came to the emergency room with squeezing chest pain and cold sweat for 2 hours. "
        "ECG shows ST elevation in leads II, III and aVF. Which vessel is blocked?"
    ),
    "facts": "- 58세 남자, 2시간 된 쥐어짜는 앞가슴 통증, 식은땀\n- II, III, aVF 유도의 ST분절 상승",
    "candidates": "- A 왼앞내림가지\n- B 오른관상동맥\n- C 폐동맥\n- D 온목동맥\n- E 콩팥동맥",
    "criteria": "- 심전도 유도의 위치와 혈관의 관류 영역이 맞는가\n- 가슴 통증을 설명하는가",
    "analysis": (
        "- II, III, aVF는 심장의 아래벽을 나타낸다.\n- 아래벽은 대개 오른관상동맥이 맡는다.\n"
        "- 왼앞내림가지가 막히면 V1–V4가 올라간다.\n- C, D, E는 ST분절 상승을 설명하지 못한다."
    ),
    "evaluation": (
        "평가기준: 유도의 위치, 증상의 설명\n점수표: A 1/2, B 2/2, C 0/2, D 0/2, E 0/2\n"
        "근거요약: 아래벽 심근경색이므로 오른관상동맥이 가장 맞다."
    ),
    "answer": "B",
}


_OPTION = re.compile(r"^\s*(?:\(?([A-Ea-e1-5])[).:]|([①-⑤]))\s*(.+)$")
"""A line with an option: ``A) …``, ``(B) …``, ``3. …``, ``④ …``."""


def read_question(text: str) -> dict[str, str]:
    """Return ``question`` and ``A`` to ``E`` of a question as people write it, an option a line.

    Raises:
        MedrecipeError: MR266, there are not exactly five options in their order, or no question above them.
    """
    lines = text.strip().splitlines()
    found = [(i, match) for i, line in enumerate(lines) if (match := _OPTION.match(line))]
    letters = [_letter(match[1] or match[2]) for _, match in found]
    question = "\n".join(lines[: found[0][0]]).strip() if found else ""
    if tuple(letters) != LETTERS or not question or len(lines) != found[-1][0] + 1:
        raise MedrecipeError(
            "this template asks a question with five options",
            help="write the question, and below it five lines: A) … to E) …",
            code="MR266",
        )
    return {"question": question} | {
        letter: match[3] for letter, (_, match) in zip(letters, found, strict=True)
    }


def _letter(mark: str) -> str:
    """``A`` for ``a``, ``1`` or ``①``."""
    mark = unicodedata.normalize("NFKC", mark).upper()
    return mark if mark in LETTERS else LETTERS[int(mark) - 1]


def question_text(fields: dict[str, str]) -> str:
    """The question with its options, the answer's type and the reminder; ends before the completion."""
    options = "\n".join(f"{letter}) {fields[letter]}" for letter in LETTERS)
    return f"{fields['question']}\n{options}\nanswer_type: select_A_E\n{REMINDER}\n\n"


def answer_text(letter: str) -> str:
    """The strict form in which an answer is learned and demanded."""
    return f"{ANSWER}{letter}"


def worked_text(fields: dict[str, str]) -> str:
    """A worked completion: translation, reasoning section by section, answer."""
    reasoning = "\n".join(f"{name}:\n{fields[name]}" for name in SECTIONS)
    return (
        f"translate:\n{fields['translation']}\n\nreasoning:\n{reasoning}\n\n{answer_text(fields['answer'])}"
    )
