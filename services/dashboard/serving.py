"""Style sheet, script and mark: kept by browsers for a year, since their address names their content."""

from os import PathLike
from pathlib import Path

from starlette import staticfiles
from starlette.responses import Response
from starlette.types import Scope
from typing_extensions import override


class StaticFiles(staticfiles.StaticFiles):
    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)

    @override
    def file_response(
        self, full_path: str | PathLike[str], stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer
