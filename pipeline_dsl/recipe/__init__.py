"""From syntax to a Recipe: extends, profiles, like, ``--set``, interpolation, what needs no plugin."""
