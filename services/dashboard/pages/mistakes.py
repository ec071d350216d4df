"""What a browser sees instead of a problem document: the way to sign in, or a page that says what is wrong."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from services.dashboard.pages.page import home_of, render_plain
from shared.http import Problem, caller_of
from shared.http.problems import answer, invalid, request_id_of

EXPLAINED = {
    403: "Your role does not open this. Sign in with another one, or go back.",
    404: "It may have been closed and forgotten, or belong to a facility that is not yours.",
    409: "Somebody changed this meanwhile. Look again, then decide.",
    422: "The address or the form holds something that does not fit.",
    503: "Something this page needs does not answer. It is tried again when you reload.",
}


def install_pages_for_problems(app: FastAPI) -> None:
    """Programs go on to get problem documents; who asks for HTML gets a page."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  (registered for this type)
    return await _answer(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return await _answer(request, Problem(error.status_code, headers=error.headers))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return await _answer(request, invalid(error.errors()))


async def _answer(request: Request, problem: Problem) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return answer(problem, request_id_of(request))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse("/login", 303)
    if problem.status == HTTPStatus.FORBIDDEN and request.url.path == "/" and (home := await _own_home(request)):
        return RedirectResponse(home, 303)
    shown = {"problem": problem, "explained": EXPLAINED.get(problem.status, ""), "request_id": request_id_of(request)}
    return render_plain(request, "mistake.html", problem.status, **shown)


async def _own_home(request: Request) -> str | None:
    """The first page of a caller who may not open the board."""
    home = home_of(await caller_of(request))
    return home if home not in {"/", "/login"} else None
