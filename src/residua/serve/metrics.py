"""What Prometheus can read at /metrics, labelled by model and version."""

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_IMAGES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_MODEL = ("model", "version")


class Metrics:
    """The server's counters, in a registry of its own.

    With several worker processes the numbers of all are read from the folder that
    PROMETHEUS_MULTIPROC_DIR names.
    """

    def __init__(self) -> None:
        """All begin at zero."""
        self.shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "residua_requests", "Requests answered.", ("protocol", "route", "code"),
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "residua_request_seconds", "From the first byte of a request to its answer.",
            ("protocol", "route"), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.images = Counter("residua_images", "Pictures answered.", _MODEL, registry=registry)
        self.rejected = Counter(
            "residua_rejected", "Requests and pictures refused, by reason.", ("reason",),
            registry=registry,
        )  # fmt: skip
        self.decoding = Histogram(
            "residua_decode_seconds", "From bytes to a crop, waiting for a thread included.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.waiting = Histogram(
            "residua_queue_seconds", "How long the first picture of a batch waited.", _MODEL,
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.computing = Histogram(
            "residua_infer_seconds", "A run of the network.", _MODEL, buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.batches = Histogram(
            "residua_batch_images", "Pictures of a run of the network.", _MODEL, buckets=_IMAGES,
            registry=registry,
        )  # fmt: skip
        self.in_house = Gauge(
            "residua_images_in_flight", "Pictures let in and not yet answered.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.bytes_in_house = Gauge(
            "residua_bytes_in_flight", "Bytes of requests let in and not yet answered.",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.loading = Gauge(
            "residua_model_load_seconds", "How long loading, comparing and warming up took.",
            _MODEL, registry=registry, multiprocess_mode="max",
        )  # fmt: skip
        self.models = Gauge(
            "residua_model_info", "1 for each model that is served.",
            (*_MODEL, "sha256", "engine", "row"), registry=registry, multiprocess_mode="max",
        )  # fmt: skip

    def render(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        if not self.shared:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
