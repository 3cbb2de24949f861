"""What a model does on samples: likelihoods of completions and choices, greedy texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import torch

from medrecipe_plugins.models._batching import batches, pad
from medrecipe_plugins.models._encoding import continuation_ids, prompt_ids
from medrecipe_plugins.models._generating import generate
from pipeline_dsl.api import DataError, Need, Observation, Prepared, Sample

if TYPE_CHECKING:
    from medrecipe_plugins.models._language_model import TorchCausalLM
    from medrecipe_plugins.models._packed import PackedForward

Ids = list[int]


@contextmanager
def evaluating(
    module: Any, without: Callable[[], AbstractContextManager[Any]] = torch.inference_mode
) -> Iterator[None]:
    """Hold a module in eval mode without gradients, and give every part its own mode back.

    Args:
        module: a model or a part of one.
        without: how there are no gradients; ``torch.no_grad`` where tensors are to serve a training after it.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with without():
            yield
    finally:
        for part, training in modes:
            part.training = training


def observe(
    model: TorchCausalLM, samples: Sequence[Sample], need: Need, max_new_tokens: int
) -> list[Observation]:
    """See what a model does. The end mark counts as a completion's last token."""
    with evaluating(model.module):
        if need is Need.TOKEN_LOSSES:
            return _token_losses(model, samples)
        if need is Need.CHOICES:
            return _choices(model, samples)
        return _completions(model, samples, max_new_tokens)


def _token_losses(model: TorchCausalLM, samples: Sequence[Sample]) -> list[Observation]:
    pairs = [model.encode(sample) for sample in samples]
    for (ids, _), sample in zip(pairs, samples, strict=True):
        _refuse_too_long(model, len(ids), sample)
    losses = _continuation_nll(model, pairs)
    return [
        Observation(sample=sample, nll=nll, tokens=count)
        for sample, (nll, count) in zip(samples, losses, strict=True)
    ]


def _continuation_nll(model: TorchCausalLM, pairs: Sequence[tuple[Ids, int]]) -> list[tuple[float, int]]:
    """Return summed negative log-likelihood (nats) and count of the tokens after each prompt."""
    rows = [Prepared(str(i), ids, max(start, 1)) for i, (ids, start) in enumerate(pairs)]
    packed = model.packing(rows)
    losses = _packed_nll(packed, rows, model) if packed else _padded_nll(model, rows)
    return [(nll, row.label_tokens) for nll, row in zip(losses, rows, strict=True)]


def _packed_nll(packed: PackedForward, rows: Sequence[Prepared], model: TorchCausalLM) -> list[float]:
    found = [0.0] * len(rows)
    with packed.working():
        for pack in packed.packs(rows, model.token_budget, share=True):
            sizes = [row.label_tokens for row in pack.samples]
            for row, own in zip(pack.samples, packed.losses(pack).split(sizes), strict=True):
                found[int(row.id)] = float(own.sum())
    return found


def _padded_nll(model: TorchCausalLM, rows: Sequence[Prepared]) -> list[float]:
    found = [0.0] * len(rows)
    for group in batches([len(row.ids) for row in rows], model.logits_budget):
        taken = [list(rows[i].ids) for i in group]
        starts = [rows[i].start for i in group]
        for i, nll in zip(group, _batch_nll(model, taken, starts), strict=True):
            found[i] = nll
    return found


def _batch_nll(model: TorchCausalLM, rows: Sequence[Ids], starts: Sequence[int]) -> list[float]:
    ids, mask = pad(rows, model.marks.pad, "right", model.device)
    first = min(starts) - 1
    kept = ids.shape[1] - first
    logits = model.module(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits
    targets = ids[:, first + 1 :]
    losses = torch.nn.functional.cross_entropy(
        logits[:, : targets.shape[1]].float().flatten(0, 1), targets.flatten(), reduction="none"
    ).view_as(targets)
    place = torch.arange(first + 1, ids.shape[1], device=ids.device)
    inside = (place >= torch.tensor(starts, device=ids.device)[:, None]) & mask[:, first + 1 :].bool()
    return [float(x) for x in torch.where(inside, losses.double(), 0.0).sum(1)]


def _choices(model: TorchCausalLM, samples: Sequence[Sample]) -> list[Observation]:
    """Score the choices: by one pass where they differ in one last token, else one sequence a choice.

    Tokens with which all choices of a sample begin (``answer:``) count as prompt: the same for each score.
    """
    prompts = [prompt_of(model, sample) for sample in samples]
    choices = [[continuation_ids(model.tokenizer, text) for text in sample.choices] for sample in samples]
    for sample, prompt, options in zip(samples, prompts, choices, strict=True):
        if not options or not all(options):
            raise DataError("a sample has no choices, or an empty one", code="MR532", place=sample.id or None)
        _refuse_too_long(model, len(prompt) + max(len(o) for o in options), sample)
    for i, options in enumerate(choices):
        begun = _begun_alike(options)
        prompts[i] = [*prompts[i], *options[0][:begun]]
        choices[i] = [option[begun:] for option in options]
    letters = [i for i, options in enumerate(choices) if all(len(o) == 1 for o in options)]
    scores = dict(zip(letters, _next_token_scores(model, prompts, choices, letters), strict=True))
    others = [i for i in range(len(samples)) if i not in scores]
    pairs = [([*prompts[i], *option], len(prompts[i])) for i in others for option in choices[i]]
    losses = iter(_continuation_nll(model, pairs))
    for i in others:
        scores[i] = tuple(-next(losses)[0] for _ in choices[i])
    return [Observation(sample=sample, choice_scores=scores[i]) for i, sample in enumerate(samples)]


def _begun_alike(options: Sequence[Ids]) -> int:
    """How many tokens all options begin with, each keeping at least one of its own."""
    most = min(len(option) for option in options) - 1
    return next((k for k in range(most) if len({option[k] for option in options}) > 1), most)


def _next_token_scores(
    model: TorchCausalLM, prompts: Sequence[Ids], choices: Sequence[Sequence[Ids]], wanted: Sequence[int]
) -> list[tuple[float, ...]]:
    """Return log-probabilities of single-token choices after their prompts, in the order of ``wanted``."""
    rows = [Prepared(str(i), [*prompts[i], choices[i][0][0]], len(prompts[i])) for i in wanted]
    packed = model.packing(rows)
    found = dict(
        _packed_choices(packed, rows, choices, model) if packed else _padded_choices(model, rows, choices)
    )
    return [found[i] for i in wanted]


Scores = tuple[int, tuple[float, ...]]
"""Of which sample, and of each of its choices."""


def _packed_choices(
    packed: PackedForward, rows: Sequence[Prepared], choices: Sequence[Sequence[Ids]], model: TorchCausalLM
) -> Iterator[Scores]:
    with packed.working():
        for pack in packed.packs(rows, model.token_budget, share=True):
            for which, logits in packed.logits(pack):
                yield from _chosen(logits, pack.samples[which], choices)


def _padded_choices(
    model: TorchCausalLM, rows: Sequence[Prepared], choices: Sequence[Sequence[Ids]]
) -> Iterator[Scores]:
    for group in batches([row.start for row in rows], model.token_budget):
        members = [rows[k] for k in group]
        ids, mask = pad([row.ids[: row.start] for row in members], model.marks.pad, "right", model.device)
        last = mask.sum(1) - 1
        kept, where = last.unique(return_inverse=True)
        logits = model.module(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits
        yield from _chosen(
            logits[torch.arange(len(members), device=where.device), where].float(), members, choices
        )


def _chosen(
    logits: torch.Tensor, rows: Sequence[Prepared], choices: Sequence[Sequence[Ids]]
) -> Iterator[Scores]:
    scores = logits.log_softmax(-1).cpu()
    for at, row in enumerate(rows):
        sample = int(row.id)
        yield sample, tuple(float(scores[at, option[0]]) for option in choices[sample])


def _completions(model: TorchCausalLM, samples: Sequence[Sample], max_new_tokens: int) -> list[Observation]:
    prompts = [prompt_of(model, sample) for sample in samples]
    for sample, prompt in zip(samples, prompts, strict=True):
        _refuse_too_long(model, len(prompt) + 1, sample)
    found: dict[int, tuple[str, bool]] = {}
    for group in batches([len(p) + max_new_tokens for p in prompts], model.token_budget):
        texts = generate(model, [prompts[i] for i in group], max_new_tokens)
        found |= dict(zip(group, texts, strict=True))
    return [Observation(sample=s, text=found[i][0], ended=found[i][1]) for i, s in enumerate(samples)]


def prompt_of(model: TorchCausalLM, sample: Sample) -> Ids:
    """Return the ids of a sample's prompt, or raise DataError (MR531, MR533)."""
    ids = prompt_ids(model.tokenizer, model.marks, sample)
    if not ids:
        raise DataError(
            "a sample has an empty prompt, after which nothing can be predicted",
            code="MR533",
            place=sample.id or None,
        )
    model.refuse_foreign_ids(ids, sample)
    return ids


def _refuse_too_long(model: TorchCausalLM, length: int, sample: Sample) -> None:
    if length > model.max_positions:
        raise DataError(
            f"a sample has {length} tokens, but the model has {model.max_positions} positions",
            help="shorten it, or drop it with overflow: drop",
            code="MR530",
            place=sample.id or None,
        )
