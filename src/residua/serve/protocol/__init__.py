"""The Open Inference Protocol v2, over HTTP and gRPC, as KServe, Triton and OVMS speak it.

``tensors`` is what travels, ``inference`` what is done with it, whatever it came by; ``json_form``
and ``messages`` spell both, ``routes`` and ``servicer`` are the two doors.

Sources: kserve/open-inference-protocol (inference_rest.md, inference_grpc.md); Triton's extensions
binary_tensor_data and classification; OVMS's encoded pictures as BYTES.
"""
