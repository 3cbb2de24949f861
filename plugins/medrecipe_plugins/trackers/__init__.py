"""Listeners that keep a run's history."""
