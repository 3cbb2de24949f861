"""The state of a chat: who answers, through which template, after which turns."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline_dsl.api.records import Message
from pipeline_dsl.cli.answers import open_answers
from pipeline_dsl.run.asking import Question, choose_question, questions_of
from pipeline_dsl.run.finished import FinishedRun, FinishedStack
from pipeline_dsl.run.writing import Manner, Writers, manner_of


class Conversation:
    """Asks one stack of a run, and perhaps another one beside it.

    Args:
        run: the finished run.
        writers: of that run.
        manner: how answers are written.
        stack: who answers first.
        template: the name of the template to ask through; None for the first that takes what people type.
    """

    def __init__(
        self, run: FinishedRun, writers: Writers, manner: Manner, stack: FinishedStack, template: str | None
    ) -> None:
        self._run = run
        self._writers = writers
        self._manner = manner
        self._beside: FinishedStack | None = None
        self._turns: list[Message] = []
        self._change(stack, template)

    def load(self) -> None:
        """Have the base of who answers in memory, and no other one."""
        self._writers.keep(self._stacks)
        self._writers.load(self._stacks)

    def use(self, name: str) -> None:
        """Go on with another stack; the turns so far stay if its template takes turns."""
        self._change(self._run.find(name), None)
        self.load()

    def compare(self, name: str | None) -> None:
        """Have another stack answer beside it; None for none."""
        self._beside = None if name is None else self._run.find(name)
        self.load()

    def choose(self, template: str) -> None:
        """Ask through another template of the phase."""
        self._change(self.stack, template)

    def forget(self) -> None:
        """Forget the turns so far."""
        self._turns.clear()

    def ask(self, text: str) -> None:
        """Show the answer as it comes; Ctrl-C ends it, and it counts as far as it came."""
        sample = self.question.of_text(text, self._turns)
        manner = manner_of(self._manner, self.question.stops)
        stacks = {stack.name: stack for stack in self._stacks}
        for name, stack in stacks.items():
            self._writers.add(name, stack, sample, manner)
        said = self._show(list(stacks))
        if self.question.takes_turns:
            answer = Message(role="assistant", content=said[self.stack.name].strip())
            self._turns += [Message(role="user", content=text), answer]

    def choices(self) -> Iterator[str]:
        """Yield a line for each stack that can answer."""
        for stack in (*self._run.stacks, self._run.base):
            trained = f"  (trained {', '.join(stack.adapters)})" if stack.adapters else ""
            reload = "" if stack.foundation == self.stack.foundation else "  (loads the base anew)"
            broken = "  (broke a retention contract)" if stack.rejected else ""
            yield f"{'*' if stack is self.stack else ' '} {stack.name}{trained}{broken}{reload}"

    def state(self) -> Iterator[str]:
        """Yield what a person should know before typing."""
        beside = f", beside {self._beside.name}" if self._beside else ""
        turns = "earlier turns are kept" if self.question.takes_turns else "each question stands alone"
        yield f"{self.stack.name}{beside} answers through the template {self.question.name}: {turns}"
        if self.many_lines:
            yield f"it asks for {', '.join(self.question.fields)}; an empty line sends what you typed"
        if self.stack.rejected:
            yield f"the phase {self.stack.name} broke a retention contract"

    @property
    def many_lines(self) -> bool:
        """Whether a question has several lines."""
        return len(self.question.fields) > 1

    @property
    def _stacks(self) -> list[FinishedStack]:
        beside = [] if self._beside is None or self._beside.name == self.stack.name else [self._beside]
        return [*beside, self.stack]

    def _change(self, stack: FinishedStack, template: str | None) -> None:
        questions = questions_of(self._run.plan, self._run.catalog, stack.phase)
        self.question: Question = choose_question(questions, template, typed=True)
        self.questions = questions
        self.stack = stack
        if not self.question.takes_turns:
            self._turns.clear()

    def _show(self, names: list[str]) -> dict[str, str]:
        """Show pieces until all answers are whole, or Ctrl-C; return what was shown."""
        said = dict.fromkeys(names, "")
        answers = open_answers(names)
        try:
            with _ctrl_c() as pressed:
                while len(self._writers) and not pressed:
                    for piece in self._writers.step():
                        said[piece.id] += piece.text
                        answers.piece(piece.id, piece)
        finally:
            for name in names:
                self._writers.remove(name)
            answers.close()
        return said


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Collect Ctrl-C inside, so that no step is broken off in its middle."""
    pressed: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
