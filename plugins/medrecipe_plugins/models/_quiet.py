"""Keep the libraries' progress bars and reports out of our output, for the length of one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence transformers' and huggingface_hub's bars and reports inside, restore their settings after."""
    import huggingface_hub.utils as hub
    from transformers.utils import logging

    verbosity, bars, hub_bars_off = (
        logging.get_verbosity(),
        logging.is_progress_bar_enabled(),
        hub.are_progress_bars_disabled(),
    )
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # which turns the hub's on as well
        if hub_bars_off:
            hub.disable_progress_bars()
