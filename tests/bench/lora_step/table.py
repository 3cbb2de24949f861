"""Figures of a row as a table."""

from __future__ import annotations

import statistics
from typing import Any

from lora_step.shapes import SAMPLES_A_STEP

TOLERANCE = 0.01
"""Relative difference of losses of the same samples."""


def agree(row: dict[str, Any]) -> bool:
    """Whether all settings have the same mean loss over the run."""
    losses = [run["loss"] for runs in row["runs"].values() for run in runs]
    return max(losses) - min(losses) <= TOLERANCE * min(losses)


def ratios(row: dict[str, Any], name: str, over: str = "E") -> list[float]:
    """How many times the label tokens a CPU second ``over`` has of another, round by round."""
    pairs = zip(row["runs"][over], row["runs"][name], strict=True)
    return [mine["labels_a_cpu_s"] / other["labels_a_cpu_s"] for mine, other in pairs]


def text_of(row: dict[str, Any]) -> str:
    """A line a setting: medians over rounds, ratios with their spread."""
    head = (
        f"{row['row']}: {row['data']} data, {row['samples']} samples of {row['mean_length']:.0f} tokens, "
        f"{row['mean_labels']:.1f} learned"
    )
    lines = [
        head,
        "   CPU s/16 samples  labels/CPU s  peak MB  over loaded    loss  first step   E is faster [least, most]",
    ]
    tokens_a_step = SAMPLES_A_STEP * row["mean_length"]
    for name, runs in row["runs"].items():
        mid = {
            key: statistics.median(run[key] for run in runs) for key in runs[0] if key != "documents_cross"
        }
        line = (
            f"{name:3} {mid['cpu_s_a_token'] * tokens_a_step:14.3f} {mid['labels_a_cpu_s']:13.1f} {mid['peak_mb']:8.0f} "
            f"{mid['peak_mb'] - mid['loaded_mb']:12.0f} {mid['loss']:8.4f} {mid['first_loss']:11.4f}"
        )
        if name != "E" and "E" in row["runs"]:
            found = ratios(row, name)
            line += f"   {statistics.median(found):6.2f} x  [{min(found):.2f}, {max(found):.2f}]"
        lines.append(line)
    crossing = {
        run["documents_cross"] for runs in row["runs"].values() for run in runs if "documents_cross" in run
    }
    if crossing:
        lines.append(f"TRL's packs: attention crosses documents: {'yes' if crossing == {True} else 'no'}")
    lines.append(f"losses agree to 1 %: {'yes' if agree(row) else 'NO'}")
    if "floor" in row:
        floor = row["floor"]
        lines.append(
            f"floor: {floor['cpu_s'] / floor['tokens'] * tokens_a_step:.3f} CPU s/16 samples for the matrix "
            f"products of E ({floor['gflop'] / floor['cpu_s']:.0f} GFLOP/s)"
        )
    return "\n".join(lines) + "\n"
