"""The notation: text to tree and back. Import the submodules; this package loads nothing by itself."""
