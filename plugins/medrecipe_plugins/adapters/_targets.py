"""Which linear layers an adapter sits on, and how many parameters that makes. Without torch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pipeline_dsl.api import ModelError, ModelShape, NewRows

if TYPE_CHECKING:
    from medrecipe_plugins.adapters.lora import Options

_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_OUTPUT = ("lm_head", "embed_out")


def count(options: Options, shape: ModelShape) -> int:
    """Return the number of trained parameters from real module shapes."""
    skipped = left_out(options, shape.skipped)
    names = targeted(resolve(options, shape.linears, skipped), shape.linears, skipped)
    ranks = rank_of(options, names)
    total = new_row_parameters(shape.new_rows, options.train_new_tokens)
    for name in names:
        linear = shape.linears[name]
        total += ranks[name] * (linear.d_in + linear.d_out) + (linear.d_out if options.use_dora else 0)
    return total


def new_row_parameters(rows: NewRows | None, wanted: Literal[True, False, "input"]) -> int:
    """Return the number of parameters in the rows of added tokens that are trained.

    Raises:
        ModelError: MR474, no tokens are added, or PEFT cannot train the rows of this output layer.
    """
    if not wanted:
        return 0
    if rows is None:
        raise ModelError(
            "train_new_tokens is set, but no tokens are added to this model",
            help="give the model add_tokens or add_tokens_from, or leave train_new_tokens out",
            code="MR474",
        )
    if rows.head == "biased" and wanted != "input":
        raise ModelError(
            "the output layer of this model has biases, which PEFT leaves out where it trains rows",
            help="write train_new_tokens: input, which trains the rows of the embeddings alone",
            code="MR474",
        )
    tables = 2 if rows.head == "own" and wanted != "input" else 1
    return rows.tokens * rows.width * tables


def left_out(options: Options, skipped: Sequence[str]) -> Sequence[str]:
    """Return the parts of a model on which no adapter sits: those that see, unless they are asked for.

    Raises:
        ModelError: MR460, they are asked for and the model has none.
    """
    if not options.vision_tower:
        return skipped
    if not skipped:
        raise ModelError(
            "vision_tower is set, but this model has none", help="leave vision_tower out", code="MR460"
        )
    return ()


def resolve(options: Options, linears: Iterable[str], skipped: Sequence[str]) -> list[str]:
    """Return the sorted target names for PEFT's ``target_modules``; ModelError where one matches nothing."""
    names = [n for n in linears if not _inside(n, skipped)]
    wanted = options.target_modules
    if wanted == "all-linear":
        found = {_leaf(n) for n in names} - set(_OUTPUT)
    elif wanted is None:
        found = {_leaf(n) for n in names if _leaf(n.rpartition(".")[0]) in _ATTENTION}
    else:
        for target in wanted:
            if not any(_matches(target, n) for n in names):
                raise _no_match(target, names)
        found = set(wanted)
    if not found:
        raise ModelError(
            "no attention projections are found in this model",
            help=f"name them: target_modules = [{', '.join(_candidates(names))}]",
            code="MR460",
        )
    return sorted(found)


def targeted(targets: Collection[str], linears: Iterable[str], skipped: Sequence[str]) -> list[str]:
    """Return the full names of the linear layers that targets match, as PEFT matches them."""
    return [n for n in linears if not _inside(n, skipped) and any(_matches(t, n) for t in targets)]


def excluded(targets: Collection[str], linears: Iterable[str], skipped: Sequence[str]) -> str | None:
    """Return the pattern for PEFT's ``exclude_modules``, None where there is nothing to leave out."""
    if not any(_inside(n, skipped) and any(_matches(t, n) for t in targets) for n in linears):
        return None
    return "|".join(rf"{re.escape(prefix)}\..*" for prefix in skipped)


def rank_of(options: Options, names: Sequence[str]) -> dict[str, int]:
    """Return the rank of each targeted module; ModelError where a pattern matches none of them."""
    _refuse_idle_patterns("alpha_pattern", options.alpha_pattern or {}, names)
    patterns = options.rank_pattern or {}
    _refuse_idle_patterns("rank_pattern", patterns, names)
    return {n: next((rank for p, rank in patterns.items() if _fits(p, n)), options.r) for n in names}


def _refuse_idle_patterns(option: str, patterns: Mapping[str, int], names: Sequence[str]) -> None:
    for pattern, value in patterns.items():
        if value < 1:
            raise ModelError(
                f"{option} gives {pattern!r} the value {value}, which is not positive", code="MR460"
            )
        try:
            idle = not any(_fits(pattern, n) for n in names)
        except re.error as error:
            raise ModelError(
                f"{option} has {pattern!r}, which is no regular expression: {error}", code="MR460"
            ) from error
        if idle:
            raise _no_match(pattern, names, option)


def _fits(pattern: str, name: str) -> bool:
    """Match as PEFT's ``get_pattern_key`` does: a regular expression for the end of a module's name."""
    return re.match(rf"(.*\.)?({pattern})$", name) is not None


def _matches(target: str, name: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _inside(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == p or name.startswith(f"{p}.") for p in prefixes)


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


def _candidates(names: Iterable[str]) -> list[str]:
    return sorted({_leaf(n) for n in names} - set(_OUTPUT))


def _no_match(target: str, names: Sequence[str], option: str = "target_modules") -> ModelError:
    candidates = _candidates(names)
    near = difflib.get_close_matches(target, candidates, n=1)
    return ModelError(
        f"{option} has {target!r}, which matches no linear layer of this model"
        + (f"; did you mean {near[0]}?" if near else ""),
        help=f"its linear layers are {', '.join(candidates)}",
        code="MR460",
    )
