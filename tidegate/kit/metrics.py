"""What this process measures about itself, in one registry that `/metrics` prints."""

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

registry = CollectorRegistry()
ProcessCollector(registry=registry)

http_request_seconds = Histogram(
    "tidegate_http_request_seconds",
    "Time from the request's first byte to the end of its answer.",
    ["method", "route", "status"],
    registry=registry,
)


def exposition() -> bytes:
    """All metrics in Prometheus' text format (`CONTENT_TYPE`)."""
    return generate_latest(registry)
