"""Prompt templates: rows to samples."""
