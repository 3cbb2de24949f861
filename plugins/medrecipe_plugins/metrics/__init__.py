"""Scorers: pure functions of what a model did."""
