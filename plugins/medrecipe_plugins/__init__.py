"""The built-in plugins of medrecipe. They use ``pipeline_dsl.api`` and nothing else of the engine."""
