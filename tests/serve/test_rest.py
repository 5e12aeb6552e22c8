"""/v1/predict and its relatives, asked of a real server, beside ``Classifier.predict``."""

import base64

import pytest

from residua.predict.classifier import Classifier
from serve.running import form


@pytest.fixture(scope="module")
def expected(served_bundle, photos):
    """What prediction in this process says of the same bytes."""
    classifier = Classifier(served_bundle, engine="openvino", threads=1)
    return [each.to_dict() for each in classifier.predict(photos)]


def alike(record, expected):
    assert record["class_ids"] == expected["class_ids"]
    assert record["label_names"] == expected["label_names"]
    assert record["scores"] == pytest.approx(expected["scores"], abs=2e-5)


def test_a_picture_as_the_body(server, photos, expected):
    answer = server.ask("POST", "/v1/predict", photos[0])
    assert answer.status == 200
    assert (answer.json["model"], answer.json["version"]) == ("net", "1")
    alike(answer.json["predictions"][0], expected[0])


def test_a_form_of_several_with_a_bad_one_among_them(server, photos, expected):
    body, headers = form(("a.png", photos[0]), ("b.txt", b"no picture"), ("c.png", photos[2]))
    answer = server.ask("POST", "/v1/predict", body, headers)
    assert answer.status == 200
    first, bad, last = answer.json["predictions"]
    alike(first, expected[0])
    alike(last, expected[2])
    assert (first["filename"], bad["filename"]) == ("a.png", "b.txt")
    assert bad["reason"] == "not-an-image"
    assert "class_ids" not in bad


def test_a_form_that_is_cut_short_is_refused_and_loses_nothing_silently(server, photos):
    body, headers = form(("a.png", photos[0]), ("b.png", photos[1]))
    whole = server.ask("POST", "/v1/predict", body + b"an epilogue\r\n", headers)
    assert len(whole.json["predictions"]) == 2
    for cut in (body[:-30], body[: len(body) // 2]):
        answer = server.ask("POST", "/v1/predict", cut, headers)
        assert answer.status == 400
        assert "cut short" in answer.json["error"]


def test_a_part_without_a_file_name_is_told(server, photo):
    body, headers = form(("a.png", photo))
    body = body.replace(b'; filename="a.png"', b"").replace(b"application/octet-stream", b"text/x")
    answer = server.ask("POST", "/v1/predict", body[:300] + body[-40:], headers)
    assert answer.status == 400
    assert "has no file name" in answer.json["error"]


def test_json_with_base64_in_either_form(server, photos, expected):
    texts = [base64.b64encode(each).decode() for each in photos[:3]]
    images = [texts[0], {"b64": texts[1], "name": "two"}, f"data:image/png;base64,{texts[2]}"]
    answer = server.post_json("/v1/predict", {"images": images, "top_k": 2})
    assert answer.status == 200
    for record, wanted in zip(answer.json["predictions"], expected, strict=False):
        alike(record, {name: wanted[name][:2] for name in ("class_ids", "label_names", "scores")})
    assert answer.json["predictions"][1]["filename"] == "two"


def test_many_pictures_keep_their_order(server, photos, expected):
    body, headers = form(*((str(i), photos[i % 12]) for i in range(40)))
    answer = server.ask("POST", "/v1/predict?top_k=1", body, headers)
    for place, record in enumerate(answer.json["predictions"]):
        assert record["class_ids"] == expected[place % 12]["class_ids"][:1]
        assert record["filename"] == str(place)


def test_what_the_address_asks_for(server, photo):
    answer = server.ask("POST", "/v1/predict?top_k=3&threshold=0.999&model=net&version=1", photo)
    assert answer.json["predictions"][0]["class_ids"] == []


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "said"),
    [
        ("/v1/predict", b"no picture", "image/png", 415, "not-an-image"),
        ("/v1/predict", b"", "image/png", 400, "no body"),
        ("/v1/predict?model=cat", b"x", "image/png", 404, "There is no model 'cat'"),
        ("/v1/predict?version=9", b"x", "image/png", 404, "no version '9'"),
        ("/v1/predict?top_k=0", b"x", "image/png", 400, "top_k"),
        ("/v1/predict?topk=1", b"x", "image/png", 400, "topk"),
        ("/v1/predict?timeout=1e9", b"x", "image/png", 400, "timeout"),
        ("/v1/predict", b"{", "application/json", 400, "JSON"),
        ("/v1/predict", b'{"images": ["%%"]}', "application/json", 400, "base64"),
        ("/v1/predict", b'{"images": []}', "application/json", 400, "no picture"),
        ("/v1/predict", b'{"images": [{}]}', "application/json", 400, "b64 or url"),
        ("/v1/predict", b"--x", "multipart/form-data; boundary=y", 400, ""),
        ("/v1/predict", b"--x", "multipart/form-data", 400, "form"),
        ("/v1/nowhere", b"", "image/png", 404, "nothing at"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_in_words(server, path, body, kind, status, said):
    answer = server.ask("POST", path, body, {"Content-Type": kind})
    assert answer.status == status, answer.body
    assert said in answer.body.decode()


def test_addresses_are_not_fetched(server):
    body = {"images": [{"url": "https://169.254.169.254/latest/meta-data"}]}
    answer = server.post_json("/v1/predict", body)
    assert answer.status == 403
    assert answer.json["predictions"][0]["reason"] == "forbidden"


def test_paddle_serving_clients_are_understood(server, photos, expected):
    texts = [base64.b64encode(each).decode() for each in photos[:1]]
    answer = server.post_json("/net/prediction", {"key": ["image"], "value": texts})
    assert answer.json["err_no"] == 0
    assert answer.json["key"] == ["label", "prob"]
    label, prob = answer.json["value"]
    assert label == str(expected[0]["label_names"][:1])
    assert float(prob.strip("[]")) == pytest.approx(expected[0]["scores"][0], abs=2e-5)
    bad = server.post_json("/net/prediction", {"key": ["image"], "value": ["AAAA"]})
    assert bad.json["err_no"] != 0
    assert bad.json["err_msg"]


def test_where_the_evidence_lies(server, served_bundle, photo):
    """The mean of the map plus the bias is the logit (CAM's equation 2), by torch."""
    import torch

    from residua.pixels.graph import Normalize
    from residua.pixels.prepare import prepare
    from residua.zoo.load import load_network

    answer = server.ask("POST", "/v1/explain?class_id=3", photo)
    assert answer.status == 200, answer.body
    found, preprocess = answer.json, served_bundle.manifest.preprocess
    crop = torch.from_numpy(prepare(photo, preprocess)[None])
    with torch.inference_mode():
        images = Normalize(preprocess.mean, preprocess.std)(crop)
        logit = load_network(served_bundle)(images)[0, 3]
    values = [value for line in found["map"] for value in line]
    assert sum(values) / len(values) + found["bias"] == pytest.approx(float(logit), abs=1e-3)
    left, top, width, height = found["box"]
    assert left == pytest.approx((1 - width) / 2, abs=0.01)
    assert top == pytest.approx((1 - height) / 2, abs=0.01)
    assert server.ask("POST", "/v1/explain?class_id=99", photo).status == 400


def test_the_page_and_the_descriptions(server):
    page = server.ask("GET", "/")
    assert page.status == 200
    assert b"Drop photos here" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]
    paths = server.ask("GET", "/openapi.json").json["paths"]
    assert "/v1/predict" in paths
    assert "/v2/models/{name}/infer" in paths


def test_the_figures(server, photo):
    before = server.ask("GET", "/metrics").body.decode()
    server.ask("POST", "/v1/predict", photo)
    server.ask("POST", "/v1/predict", b"no picture")
    after = server.ask("GET", "/metrics").body.decode()

    def read(text, name):
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    for name, more in (
        ('residua_images_total{model="net",version="1"}', 1),
        ('residua_rejected_total{reason="not-an-image"}', 1),
        ('residua_requests_total{code="200",protocol="http",route="/v1/predict"}', 1),
    ):
        assert read(after, name) == read(before, name) + more
    assert 'residua_model_info{engine="openvino fp32 on the processor",model="net"' in after


def test_every_bad_image_has_its_reason(server, photo, shared_data):
    paths = sorted(path for path in (shared_data / "bad-images").iterdir() if path.is_file())
    assert len(paths) > 10
    for path in paths:
        answer = server.ask("POST", "/v1/predict", path.read_bytes())
        if not path.stat().st_size:
            assert answer.status == 400
            continue
        assert answer.status in {200, 413, 415, 422}, (path.name, answer.body)
        [record] = answer.json["predictions"]
        assert (answer.status == 200) == ("class_ids" in record), path.name
    body, headers = form(*((path.name, path.read_bytes()) for path in paths[:60]), ("z", photo))
    answer = server.ask("POST", "/v1/predict", body, headers)
    assert answer.status == 200
    assert "class_ids" in answer.json["predictions"][-1]


def test_a_put_is_understood_as_curl_sends_it(server, photos, expected):
    answer = server.ask("PUT", "/v1/predict?top_k=5", photos[0])
    assert answer.status == 200
    alike(answer.json["predictions"][0], expected[0])


def test_what_a_form_says_wins_over_the_address(server, photos):
    body, headers = form(("a.png", photos[0]))
    end = b"--between-the-parts--\r\n"
    field = b'--between-the-parts\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n2\r\n'
    body = body.removesuffix(end) + field + end
    answer = server.ask("POST", "/v1/predict?top_k=4", body, headers)
    assert len(answer.json["predictions"][0]["class_ids"]) == 2


def test_explain_takes_json_with_a_class(server, photos):
    image = base64.b64encode(photos[0]).decode()
    answer = server.post_json("/v1/explain", {"images": [image], "class_id": 3})
    assert answer.status == 200
    assert answer.json["class_id"] == 3
    assert server.post_json("/v1/explain", {"images": [image] * 2}).status == 400
    assert server.post_json("/v1/explain", {"images": [image], "top_k": 3}).status == 400


def test_base64_with_broken_lines(server, photos, expected):
    text = base64.encodebytes(photos[0]).decode()
    answer = server.post_json("/v1/predict", {"images": [text]})
    alike(answer.json["predictions"][0], expected[0])


@pytest.mark.parametrize("path", ["/", "/healthz", "/v2/health/live", "/v2/health/ready"])
def test_head_is_answered_as_balancers_ask(server, path):
    answer = server.ask("HEAD", path)
    assert answer.status == 200
    assert answer.body == b""
