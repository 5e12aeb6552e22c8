"""What every protocol of the server works with."""

from dataclasses import dataclass

from residua.serve.admission.house import House
from residua.serve.admission.rate import Rates
from residua.serve.admission.tokens import check_token
from residua.serve.answering.pictures import Answerer
from residua.serve.metrics import Metrics
from residua.serve.models.repository import Place, Repository
from residua.serve.refusals import Kind, Refusal
from residua.serve.settings import Settings


@dataclass(eq=False)
class Core:
    """Settings, figures, what is let in, models, answers; ``draining`` once it is to stop."""

    settings: Settings
    metrics: Metrics
    house: House
    repository: Repository
    answerer: Answerer
    rates: Rates
    draining: bool = False

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.repository.ready and not self.draining


def let_in(authorization: bytes, address: str, core: Core, *, admin: bool) -> None:
    """Check the token and count the request; guesses are counted as their address's.

    Raises Refusal.
    """
    if admin and not core.settings.alone:
        raise Refusal(
            Kind.INVALID,
            "This would reach one worker of several: start with --watch, which all of them heed.",
        )
    try:
        token = check_token(authorization, core.settings, admin=admin)
    except Refusal:
        core.rates.take(b"", address)
        raise
    core.rates.take(token, address)


def make_core(places: list[Place], settings: Settings) -> Core:
    """Return the parts of a server; no model is loaded yet."""
    metrics = Metrics()

    def tell(images: int, size: int) -> None:
        metrics.in_house.set(images)
        metrics.bytes_in_house.set(size)

    house = House(max_images=settings.queue_images, max_bytes=settings.queue_bytes, told=tell)
    repository = Repository(places, settings, metrics)
    answerer = Answerer(settings, house, metrics)
    return Core(settings, metrics, house, repository, answerer, Rates(settings.rate))
