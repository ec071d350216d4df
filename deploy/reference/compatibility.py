"""Whether a contract may follow the ones published before it (BACKWARD_TRANSITIVE, and nothing that readers rely on
goes away): whoever reads with the new models must understand everything written under any earlier version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
# Bounds: a value may lie anywhere between them, so a raised lower bound or a lowered upper one is narrower.
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
FORMS = ("format", "pattern", "multipleOf", "uniqueItems")
WIDER = {"integer": {"integer", "number"}}


@dataclass(frozen=True, slots=True)
class Breach:
    """What breaks readers, and where: a path of property names, `[]` for the items of an array."""

    path: str
    why: str


def breaches(old: Schema, new: Schema) -> list[Breach]:
    """Everything that forbids the contract `new` after `old`. Both are documents of `publishing.contract`."""
    found = list(Comparison(old, new).within("headers", old["headers"], new["headers"]))
    for name, was in old["types"].items():
        now = new["types"].get(name)
        if now is None:
            found.append(Breach(name, "the type was removed"))
            continue
        if was["topic"] != now["topic"]:
            found.append(Breach(name, f"moved from {was['topic']} to {now['topic']}"))
        found += Comparison(old, new).within(name, was["schema"], now["schema"])
    return found


class Comparison:
    """Compares schemas of two documents, following their references; a pair is looked at once (models may nest)."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[int, int]] = set()

    def within(self, path: str, old: Schema, new: Schema) -> Iterator[Breach]:
        was, now = _alternatives(old, self._old), _alternatives(new, self._new)
        for one in was:
            yield from self._covered(path, one, now)

    def _covered(self, path: str, one: Schema, now: list[Schema]) -> Iterator[Breach]:
        """Some alternative of the new schema must take everything that this old alternative allowed."""
        verdicts = [list(self._narrowed(path, one, other)) for other in now if _takes_type(one, other)]
        if not verdicts:
            yield Breach(path, f"no longer takes {one.get('type', 'any value')}")
        elif all(verdicts):
            yield from min(verdicts, key=len)

    def _narrowed(self, path: str, old: Schema, new: Schema) -> Iterator[Breach]:
        pair = (id(old), id(new))
        if pair in self._seen:
            return
        self._seen.add(pair)
        yield from _fewer_values(path, old, new)
        yield from _tighter(path, old, new)
        yield from self._properties(path, old, new)
        if "items" in new:
            yield from self.within(f"{path}[]", old.get("items", {}), new["items"])
        if isinstance(new.get("additionalProperties"), Mapping):
            yield from self.within(f"{path}.*", _open(old), new["additionalProperties"])
        elif new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            yield Breach(path, "is closed to further properties")

    def _properties(self, path: str, old: Schema, new: Schema) -> Iterator[Breach]:
        had, has = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(had.keys() - has.keys()):
            yield Breach(f"{path}.{name}", "was removed, and readers rely on it")
        for name in sorted(needs - needed):
            yield Breach(f"{path}.{name}", "is required now, and older events lack it")
        for name in sorted((needed - needs) & has.keys()):
            yield Breach(f"{path}.{name}", "is optional now, and readers rely on it")
        for name in sorted(had.keys() & has.keys()):
            yield from self.within(f"{path}.{name}", had[name], has[name])


def _alternatives(schema: Schema, document: Schema) -> list[Schema]:
    """A schema as the plain alternatives it stands for: references followed, `anyOf` and lists of types unfolded."""
    if "$ref" in schema:
        return _alternatives(_followed(schema["$ref"], document), document)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return [one for part in schema[union] for one in _alternatives(part, document)]
    types = schema.get("type")
    if isinstance(types, list):
        return [{**schema, "type": one} for one in types]
    return [schema]


def _followed(reference: str, document: Schema) -> Schema:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    schema: Schema = found
    return schema


def _takes_type(old: Schema, new: Schema) -> bool:
    if "type" not in new:
        return True
    return new["type"] in WIDER.get(old.get("type", ""), {old.get("type")})


def _values(schema: Schema) -> set[Any] | None:
    """The only values allowed, or None where there is no such list."""
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None


def _fewer_values(path: str, old: Schema, new: Schema) -> Iterator[Breach]:
    was, now = _values(old), _values(new)
    if now is None:
        return
    if was is None:
        yield Breach(path, "takes only listed values now")
    elif gone := was - now:
        yield Breach(path, f"no longer takes {', '.join(sorted(map(str, gone)))}")


def _tighter(path: str, old: Schema, new: Schema) -> Iterator[Breach]:
    for bound in LOWER_BOUNDS:
        if bound in new and (bound not in old or new[bound] > old[bound]):
            yield Breach(path, f"{bound} is {new[bound]} now")
    for bound in UPPER_BOUNDS:
        if bound in new and (bound not in old or new[bound] < old[bound]):
            yield Breach(path, f"{bound} is {new[bound]} now")
    for form in FORMS:
        if new.get(form) and new[form] != old.get(form):
            yield Breach(path, f"{form} is {new[form]} now")


def _open(schema: Schema) -> Schema:
    found = schema.get("additionalProperties", {})
    return found if isinstance(found, Mapping) else {}
