"""What editors ask about a recipe, answered over the Language Server Protocol.

Two kinds of knowledge, of different age. ``outline`` reads the lines of the text as it is now, leniently and
in a few milliseconds: where the cursor is, what stands around it. ``analysis`` is everything that
``medrecipe check`` finds, made off the event loop once typing pauses; requests take the newest there is. Only
what must be exact (definitions, references, renaming, fixes) waits for a reading of the very text.

``pygls`` and ``lsprotocol`` are an extra, which this package alone knows.
"""
