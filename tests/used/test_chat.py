"""``medrecipe chat``: a conversation that survives wrong turns and Ctrl-C."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest

from pipeline_dsl.cli.conversation import Conversation
from pipeline_dsl.cli.prepare import Choices
from pipeline_dsl.cli.used_run import open_used_run
from pipeline_dsl.run.writing import Manner, Writers


@pytest.fixture
def chat(used, monkeypatch):
    """Return a function that types lines into a chat."""

    def type_(*lines: str, options: tuple[str, ...] = ()):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return used("chat", "--adapter", "english", *options)

    return type_


def test_each_line_is_answered_until_the_input_ends(chat):
    result = chat("heart", "", "lung")
    assert (result.code, result.out) == (0, "심장\n폐\n")


def test_quit_leaves(chat):
    assert chat("heart", "/quit", "lung").out == "심장\n"


def test_an_adapter_is_switched_without_loading_the_base_again(chat):
    result = chat("heart", "/adapter opposite", "heart", "/adapter words", "heart")
    assert result.out == "심장\n폐\n심장\n"
    assert result.err.count("loading the base") == 1


def test_another_one_answers_beside_it_and_can_be_sent_away(chat):
    result = chat("/compare opposite", "heart", "/compare off", "heart")
    assert result.out == "[opposite]\n폐\n\n[english]\n심장\n\n심장\n"


def test_a_wrong_turn_is_explained_and_the_chat_goes_on(chat):
    result = chat("/adapter nobody", "/template nothing", "hi <eos>", "/dance", "heart")
    assert result.out == "심장\n"
    for word in ("MR265", "MR267", "MR513", "/adapter NAME"):
        assert word in result.err


def test_the_choices_are_listed(chat):
    err = chat("/adapters", "/template").err
    assert "* english  (trained words)" in err
    assert "  base" in err
    assert "dictionary" in err


def test_a_question_of_several_lines_is_sent_by_an_empty_one(chat):
    lines = ["/adapter exam", "Which organ pumps blood?", "A) a", "B) b", "C) c", "D) d", "E) e", "", "/quit"]
    result = chat(*lines, options=("--max-new-tokens", "2"))
    assert result.code == 0
    assert "MR266" not in result.err
    assert result.out.strip()


class _Recorded(Writers):
    """Keeps what is asked."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.asked = []
        self.interrupt_at = None
        self.steps = 0

    def add(self, id, stack, sample, manner):
        self.asked.append((stack.name, sample, manner))
        return super().add(id, stack, sample, manner)

    def step(self):
        self.steps += 1
        if self.steps == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        return super().step()


@pytest.fixture
def talk(used):
    run = open_used_run(Path(used.runs), used.id, Choices(), lambda _: None)
    with _Recorded(run, lambda _: None) as writers:
        yield Conversation(run, writers, Manner(max_new_tokens=40), run.find("replies"), None), writers


def test_turns_are_kept_where_the_template_takes_them(talk, capsys):
    conversation, writers = talk
    conversation.ask("열이 나요")
    conversation.ask("언제까지요?")
    first, second = (sample.prompt for _, sample, _ in writers.asked)
    assert first == "Human: 열이 나요\n\nAssistant:"
    assert second.startswith("Human: 열이 나요\n\nAssistant: ")
    assert second.endswith("Human: 언제까지요?\n\nAssistant:")
    conversation.forget()
    conversation.ask("열이 나요")
    assert writers.asked[-1][1].prompt == first


def test_the_stops_of_the_template_end_an_answer(talk, capsys):
    conversation, writers = talk
    conversation.ask("열이 나요")
    assert writers.asked[0][2].stops == ("\nHuman:",)


def test_ctrl_c_stops_the_answer_and_not_the_chat(talk, capsys):
    conversation, writers = talk
    before = signal.getsignal(signal.SIGINT)
    writers.interrupt_at = 3
    conversation.use("base")
    conversation.ask("열이 나요")
    assert writers.steps == 3
    assert len(writers) == 0, "its place is free"
    assert signal.getsignal(signal.SIGINT) is before
    conversation.use("english")
    conversation.ask("heart")
    assert capsys.readouterr().out.endswith("심장\n")
