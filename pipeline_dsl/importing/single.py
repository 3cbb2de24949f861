"""A draft with one phase, which is what a config of every tool but one comes to."""

from __future__ import annotations

from pipeline_dsl.importing.draft import Block, Draft, Line, PhaseDraft, Said
from pipeline_dsl.importing.mixing import Mixture

ADAPTER = "lora"
PHASE = "sft"


def single_phase(
    *,
    top: Block,
    model: Block,
    adapter: Block,
    templates: dict[str, Block],
    mixture: Mixture,
    train: Block,
    hooks: tuple[Line, ...],
) -> Draft:
    """Put the parts of one training together: a new adapter on the base."""
    return Draft(
        top=top,
        model=model,
        adapters={ADAPTER: _without_null(adapter)},
        data=mixture.data,
        templates=templates,
        tasks=mixture.tasks,
        train=_without_null(train, keep=("save_total_limit",)),
        phases=(
            PhaseDraft(
                name=PHASE,
                task=mixture.steering,
                stack=((ADAPTER, "train"),),
                mix=mixture.mix,
                hooks=hooks,
            ),
        ),
    )


def _without_null(block: Block, keep: tuple[str, ...] = ()) -> Block:
    """The same without options that say nothing; one with a remark stays, for the remark."""
    return {key: said for key, said in block.items() if said.value is not None or said.remark or key in keep}


def top_of(name: str, seed: int | None, tool: str) -> dict[str, Said]:
    """The first lines of a recipe."""
    top = {"recipe": Said(value=name)}
    if seed is not None:
        top["seed"] = Said(value=max(seed, 0))
    else:
        top["seed"] = Said(value=42, remark=f"the recipe's default; the config of {tool} says none")
    return top
