"""The server: pictures in, classes out, bounded in everything.

Read in this order: ``settings``, ``refusals``, ``house`` (how much work is let in), ``batcher``
(pictures that wait together are computed together), ``model`` and ``repository`` (loading,
swapping, draining), ``pictures`` (bytes to answers). On these stand the protocols: ``rest``
(/v1/predict) and ``protocol/`` (the Open Inference Protocol over HTTP and gRPC), with ``gate`` in
front (tokens, sizes, clients that leave), and ``app`` and ``run`` put them together.
"""
