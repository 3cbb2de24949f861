"""Parts of ``tests/bench/training.py``: one optimizer step with LoRA, as several libraries take it."""
