"""The HTTP application: every `endpoints` file that exists is served, and all but a short list needs a caller.

A file is a resource: `execution/endpoints/orders.py` answers `/api/v1/orders`; nothing is registered anywhere.
"""

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

import tidegate
from tidegate.domain.errors import Conflict
from tidegate.kit.http import PROBLEM_RESPONSES, add_manners, current_caller

PREFIX = "/api/v1"
# Who may ask without having logged in; whatever is not in this list needs a caller.
PUBLIC = frozenset(
    {
        ("GET", f"{PREFIX}/setup"),
        ("POST", f"{PREFIX}/setup"),
        ("POST", f"{PREFIX}/sessions"),
        ("POST", f"{PREFIX}/tokens"),
    }
)
_ENDPOINTS = "endpoints"
_PATTERNS = ("**/endpoints.py", "**/endpoints/*.py")
_PARAMETER = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Resource:
    """One endpoints file."""

    noun: str  # as the URL writes it
    module: str
    router: APIRouter


class RouteClash(Conflict):
    """Two files answer the same request; neither is served."""

    code = "app.route_clash"


def create_app(
    provided: Mapping[type[Any], object],
    *,
    origins: Sequence[str] = (),
    extra: Sequence[APIRouter] = (),
    package: str = tidegate.__name__,
) -> FastAPI:
    """The application over what wiring provides; `origins` are other sites whose pages may call it.

    `extra` routers belong to no stage and guard themselves.
    """
    app = FastAPI(
        title="Tidegate",
        version="1",
        summary="From candle to ledger, and nothing passes the gate that the rules do not let through.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # both pages would load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.provided = provided
    for router in (*routers(discover(package)), *extra):
        app.include_router(router)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type", "idempotency-key", "x-request-id"],
        )
    add_manners(app)
    return app


def discover(package: str = tidegate.__name__) -> list[Resource]:
    """Every `endpoints.py` (of a stage, a venue or a room) and every `endpoints/<noun>.py`, by noun."""
    # The folders are looked at and not imported: a stage without endpoints costs this process nothing.
    root = Path(importlib.import_module(package).__path__[0])
    files = {file for pattern in _PATTERNS for file in root.glob(pattern) if file.stem != "__init__"}
    found = []
    for file in files:
        module = ".".join((package, *file.relative_to(root).with_suffix("").parts))
        name = file.parent.name if file.stem == _ENDPOINTS else file.stem
        found.append(Resource(name.replace("_", "-"), module, importlib.import_module(module).router))
    return sorted(found, key=lambda resource: (resource.noun, resource.module))


def routers(resources: Sequence[Resource]) -> list[APIRouter]:
    """The routers to mount, guarded; `RouteClash` names both files that answer one request."""
    owners: dict[tuple[str, str], str] = {}
    ready = []
    for resource in resources:
        path = f"{PREFIX}/{resource.noun}"
        public, guarded = APIRouter(), APIRouter()
        for route in resource.router.routes:
            assert isinstance(route, APIRoute), f"{resource.module} holds something else than HTTP routes"
            methods = sorted(route.methods or ())
            for method in methods:
                shape = (method, _PARAMETER.sub("{}", path + route.path))
                owner = owners.setdefault(shape, resource.module)
                if owner != resource.module:
                    raise RouteClash(f"{method} {path}{route.path} is answered by {owner} and by {resource.module}.")
            is_public = all((method, path + route.path) in PUBLIC for method in methods)
            (public if is_public else guarded).routes.append(route)
        for half, needed in ((public, []), (guarded, [Depends(current_caller)])):
            if half.routes:
                router = APIRouter()
                router.include_router(
                    half, prefix=path, tags=[resource.noun], dependencies=needed, responses=PROBLEM_RESPONSES
                )
                ready.append(router)
    return ready
