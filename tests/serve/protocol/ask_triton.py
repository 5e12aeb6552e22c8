"""Ask a server with NVIDIA's own client, as its users do; print what it said as JSON.

    PYTHON ask_triton.py HTTP_PORT GRPC_PORT TOKEN PICTURE… < crops.npy

For a Python that has tritonclient, which wants other versions than residua does.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http


def ask(kind, client, model, crops, pictures, headers):
    found = {
        "live": client.is_server_live(headers=headers),
        "ready": client.is_server_ready(headers=headers),
        "model ready": client.is_model_ready(model, headers=headers),
    }
    if kind is over_grpc:
        found["metadata"] = client.get_model_metadata(model, headers=headers, as_json=True)
        found["index"] = client.get_model_repository_index(headers=headers, as_json=True)["models"]
    else:
        found["metadata"] = client.get_model_metadata(model, headers=headers)
        found["index"] = client.get_model_repository_index(headers=headers)

    def infer(values, datatype, output):
        tensor = kind.InferInput("image", values.shape, datatype)
        tensor.set_data_from_numpy(values)
        return client.infer(
            model, [tensor], outputs=output and [output], headers=headers, request_id="42"
        )

    answer = infer(crops, "UINT8", None)
    found["tensors"] = answer.as_numpy("probabilities").tolist()
    encoded = np.array(pictures, dtype=np.object_)
    wanted = kind.InferRequestedOutput("probabilities", class_count=2)
    labels = infer(encoded, "BYTES", wanted).as_numpy("probabilities")
    found["labels"] = [[text.decode() for text in row] for row in labels]
    try:
        infer(np.array([b"no picture"], dtype=np.object_), "BYTES", None)
    except Exception as error:  # noqa: BLE001  # the client's own kind
        found["refusal"] = str(error)
    return found


def main():
    http_port, grpc_port, token, *paths = sys.argv[1:]
    crops = np.load(io.BytesIO(sys.stdin.buffer.read()))
    pictures = [Path(path).read_bytes() for path in paths]
    headers = {"authorization": f"Bearer {token}"} if token else {}
    found = {}
    for kind, port in ((over_http, http_port), (over_grpc, grpc_port)):
        client = kind.InferenceServerClient(f"127.0.0.1:{port}")
        found[kind.__name__] = ask(kind, client, "net", crops, pictures, dict(headers))
        client.close()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
