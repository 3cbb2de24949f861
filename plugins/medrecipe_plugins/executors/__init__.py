"""Places where phases run."""
