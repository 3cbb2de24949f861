"""Finished runs over HTTP. See ``README.md``. Only ``cli/serve.py`` imports it, when it is called."""
