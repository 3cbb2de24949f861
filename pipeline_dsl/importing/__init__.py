"""Configs of other tools as recipes. Import the submodules; this package loads nothing by itself."""
