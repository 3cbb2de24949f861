"""Observations made by hand."""

import pytest

from pipeline_dsl.api import Observation, Sample

LETTERS = "ABCDE"
CHOICES = tuple(f"answer:\n{letter}" for letter in LETTERS)


@pytest.fixture
def wrote():
    """What a model wrote where something was expected."""

    def make(text, expected="", *, ended=True):
        return Observation(sample=Sample(prompt="p", completion=expected), text=text, ended=ended)

    return make


@pytest.fixture
def chose():
    """A model that finds one letter the likeliest."""

    def make(letter, answer):
        sample = Sample(prompt="p", completion=f"answer:\n{answer}", answer=answer, choices=CHOICES)
        return Observation(sample=sample, choice_scores=tuple(-1.0 if x == letter else -2.0 for x in LETTERS))

    return make


@pytest.fixture
def answered():
    """What a model wrote to a question."""

    def make(text, answer, *, ended=True):
        sample = Sample(prompt="p", completion=f"answer:\n{answer}", answer=answer, choices=CHOICES)
        return Observation(sample=sample, text=text, ended=ended)

    return make
