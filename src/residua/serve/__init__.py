"""The server: pictures in, classes out, bounded in everything.

Read in this order: ``settings`` and ``refusals``; ``models`` (loading, swapping, draining; pictures
that wait together are computed together); ``admission`` (who and how much is let in); ``answering``
(bytes to answers); ``core`` puts these together. On it stand the doors, ``http`` and ``protocol``
(the Open Inference Protocol over HTTP and gRPC); ``app``, ``run`` and ``workers`` open them.
"""
