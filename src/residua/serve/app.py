"""The HTTP application: routes of both protocols, the page, the metrics, behind the gate."""

from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from residua.base.version import __version__
from residua.serve.core import Core
from residua.serve.http import rest
from residua.serve.http.document import REFUSED
from residua.serve.http.gate import Gate
from residua.serve.protocol import routes
from residua.serve.refusals import Kind, Refusal, spell_http

_SEEN = ["GET", "HEAD"]  # balancers probe with HEAD
# The page is one file: no script, style or picture comes from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'"
)


class _Documented(FastAPI):
    """An application whose document says that it wants a token, where it does."""

    wants_token = False

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        said = super().openapi()
        if self.wants_token:
            scheme = {"type": "http", "scheme": "bearer"}
            said.setdefault("components", {})["securitySchemes"] = {"token": scheme}
            said["security"] = [{"token": []}]
        return said


def make_app(core: Core) -> ASGIApp:
    """Return the application."""
    app = _Documented(
        title="residua", version=__version__, docs_url=None, redoc_url=None,
        redirect_slashes=False,
        description="Pictures in, classes out. POST a picture to /v1/predict, or speak the Open "
        "Inference Protocol below /v2.",
    )  # fmt: skip
    app.wants_token = bool(core.settings.tokens or core.settings.admin_tokens)
    app.include_router(rest.make_routes(core), responses=REFUSED)  # first, for speed
    app.include_router(routes.make_routes(core), responses=REFUSED)
    _add_pages(app, core)
    app.include_router(rest.make_paddle_route(core), responses=REFUSED)
    _add_refusals(app, core)
    return Gate(app, core)


def _add_pages(app: FastAPI, core: Core) -> None:
    page = files("residua.serve.http").joinpath("page.html").read_text(encoding="utf-8")

    @app.api_route("/", methods=_SEEN, include_in_schema=False)
    async def root() -> HTMLResponse:
        headers = {"content-security-policy": _POLICY, "x-content-type-options": "nosniff"}
        return HTMLResponse(page, headers=headers)

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return Response(status_code=204)

    @app.api_route("/healthz", methods=_SEEN, include_in_schema=False)
    async def health() -> JSONResponse:
        return JSONResponse({"ready": core.ready}, 200 if core.ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(core.metrics.render(), media_type="text/plain; version=0.0.4")


def _add_refusals(app: FastAPI, core: Core) -> None:
    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> JSONResponse:
        core.metrics.rejected.labels(refusal.kind.reason).inc()
        record, headers = spell_http(refusal, request.url.path)
        return JSONResponse(record, refusal.kind.http, headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 404:
            return JSONResponse({"error": f"There is nothing at {request.url.path[:200]}."}, 404)
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return JSONResponse({"error": f"{place}: {first['msg']}."}, Kind.INVALID.http)

    @app.exception_handler(Exception)
    async def fail(_: Request, __: Exception) -> JSONResponse:  # the gate logs it
        return JSONResponse({"error": "The server failed on this request."}, Kind.INTERNAL.http)
