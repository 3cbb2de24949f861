"""Bases to adapt: real checkpoints (``causal_lm``) and small ones built on the spot (``embedded``)."""
