"""Forms in which a trained stack leaves medrecipe."""
