"""What PEFT says on its own and no user of ours can act on, kept quiet in one place."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

EXPECTED = (
    "`is_gradient_checkpointing` is deprecated",  # PEFT asks transformers by the old name
    "Using Rank-Stabilized LoRA with rank_pattern",  # about a conversion that _saving does itself
)


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Keep the expected warnings quiet inside; all others pass."""
    with warnings.catch_warnings():
        for text in EXPECTED:
            warnings.filterwarnings("ignore", message=text)
        yield


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import PEFT inside: it imports bitsandbytes, which reports on kernels for quantised models."""
    logger = logging.getLogger("bitsandbytes")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
