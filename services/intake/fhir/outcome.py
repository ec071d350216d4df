"""What a FHIR request is answered: an OperationOutcome, in success as in error, and the status that goes with it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from typing_extensions import override

from services.intake.fhir.graph import Issue
from services.intake.message import Outcome, Reason, Verdict
from shared.http import Problem

MEDIA_TYPE = "application/fhir+json"
_CODES = {401: "login", 403: "forbidden", 404: "not-found", 413: "too-long", 415: "not-supported", 503: "transient"}


def operation_outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}


def _issue(issue: Issue) -> dict[str, Any]:
    said: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.text}
    return said | ({"expression": [issue.expression]} if issue.expression else {})


def answer(verdict: Verdict, issues: Sequence[Issue], message_id: str | None) -> Response:
    """200 when it is stored and took effect (or had before), 202 when a person must look, 400 or 422 when refused."""
    headers = {"X-Message-Id": message_id} if message_id else {}
    status, told = _said(verdict, issues)
    return Response(orjson.dumps(operation_outcome(told)), status, headers, MEDIA_TYPE)


def _said(verdict: Verdict, issues: Sequence[Issue]) -> tuple[int, Sequence[Issue]]:
    match verdict.outcome:
        case Outcome.ACCEPTED:
            return 200, [Issue("information", "informational", "", "stored and applied"), *issues]
        case Outcome.DUPLICATE:
            return 200, [Issue("information", "duplicate", "", "known already: it has had its effect")]
        case Outcome.SKIPPED:
            return 200, [Issue("warning", "not-supported", "", f"stored without effect: {verdict.reason}"), *issues]
        case Outcome.HELD:
            return 202, [Issue("warning", "business-rule", "", f"stored, a person will look: {verdict.reason}")]
        case Outcome.REJECTED:
            told = issues or [Issue("error", "invalid", verdict.location, verdict.text)]
            return (400 if verdict.reason is Reason.UNREADABLE_JSON else 422), told


class FhirRoute(APIRoute):
    """A route whose problems are OperationOutcomes too."""

    @override
    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                code = _CODES.get(problem.status, "processing")
                issue = Issue("error", code, "", problem.detail or problem.title)
                body = orjson.dumps(operation_outcome([issue]))
                return Response(body, problem.status, problem.headers, MEDIA_TYPE)
            except RequestValidationError:
                body = orjson.dumps(operation_outcome([Issue("error", "invalid", "", "the address does not fit")]))
                return Response(body, 400, media_type=MEDIA_TYPE)

        return told
