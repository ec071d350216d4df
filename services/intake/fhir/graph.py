"""The resources of one request, found by reference; what is wrong in them is told by FHIRPath."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from services.intake.fhir.resources import Entry, Reference, Resource

R = TypeVar("R", bound=Resource)
_QUOTING = {"value_error", "literal_error", "string_pattern_mismatch"}


class Issue(NamedTuple):
    """One OperationOutcome.issue. `text` names no value of the sender's."""

    severity: str
    code: str
    expression: str
    text: str


class UnreadableError(Exception):
    """The request can't be read; `issues` say where."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(issues[0].code)
        self.issues = tuple(issues)


class Found(NamedTuple):
    """A resource as sent, and its FHIRPath in the request."""

    content: Mapping[str, Any]
    path: str

    @property
    def type(self) -> str:
        return str(self.content.get("resourceType", ""))


class Graph:
    """Resolves `urn:uuid:…`, absolute, relative (`Patient/1`) and contained (`#p`) references."""

    def __init__(self, root: Found, entries: Sequence[Entry] = ()) -> None:
        self._by_url: dict[str, Found] = {}
        self._by_id: dict[str, Found] = {}
        self._read: dict[str, Resource] = {}
        for number, entry in enumerate(entries):
            self._add(Found(entry.resource, f"{root.path}.entry[{number}].resource"), entry.full_url)
        if not entries:
            self._add(root, None)

    def _add(self, found: Found, url: str | None) -> None:
        if url:
            self._by_url.setdefault(url, found)
        key = f"{found.type}/{found.content.get('id')}"
        self._by_id.setdefault(key, found)
        contained = found.content.get("contained")
        for number, one in enumerate(contained if isinstance(contained, list) else ()):
            if isinstance(one, dict):
                self._by_url.setdefault(f"#{one.get('id')}", Found(one, f"{found.path}.contained[{number}]"))

    def find(self, reference: Reference | None) -> Found | None:
        said = (reference.reference if reference else None) or ""
        return self._by_url.get(said) or self._by_id.get("/".join(said.split("/")[-2:]) if "/" in said else said)

    def kind_of(self, reference: Reference) -> str | None:
        """What kind of resource is referred to: as sent along, as said, or as its address says."""
        found = self.find(reference)
        parts = (reference.reference or "").split("/_history/")[0].split("/")
        return found.type if found else reference.type or (parts[-2] if len(parts) > 1 else None)

    def get(self, reference: Reference | None, model: type[R]) -> R | None:
        """The resource that is referred to, if it was sent along and is of that type."""
        found = self.find(reference)
        if found is None or found.type != model.__name__:
            return None
        # Read once, however often it is referred to.
        known = self._read.get(found.path)
        if not isinstance(known, model):
            known = self._read[found.path] = read_resource(found, model)
        return known


def read_resource(found: Found, model: type[R]) -> R:
    """Raises UnreadableError with an issue for each wrong element."""
    try:
        return model.model_validate(found.content)
    except ValidationError as error:
        raise UnreadableError([_issue(found.path, one) for one in error.errors(include_url=False)[:20]]) from None


def _issue(path: str, error: Any) -> Issue:
    place = path
    for part in error["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
    kind = str(error["type"])
    if kind == "missing":
        return Issue("error", "required", place, "is required")
    said = "is no value that is allowed here" if kind in _QUOTING else str(error["msg"]).split(",", 1)[0]
    return Issue("error", "value", place, said)


def logical_id(reference: Reference | None) -> str | None:
    """`123` of `Patient/123` or of an absolute URL; None for what means something in this request alone."""
    said = (reference.reference if reference else None) or ""
    if not said or said.startswith(("#", "urn:")):
        return None
    parts = said.split("/_history/")[0].split("/")
    return parts[-1] if len(parts) > 1 and parts[-1] else None
