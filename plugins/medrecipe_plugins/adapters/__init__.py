"""Kinds of adapters: ``lora``."""
