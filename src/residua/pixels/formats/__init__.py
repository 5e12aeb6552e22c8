"""One file per picture format: its header read, its metadata left out, its first frame found.

A reader takes the bytes of a file and gives a ``Header``, whose ``content`` is a file of the same
format that holds the first frame and nothing else. So the decoders never see EXIF blocks, colour
profiles, comments, previews or later frames, which is where most of their trouble comes from.
"""
