"""medrecipe: a pipeline language for adapting medical language models in phases."""

__version__ = "0.1.0"
