"""A form's file is handed on as it comes, however the form is cut into pieces; a part is never taken for the whole."""

import pytest
from fastapi import Request

from shared.http import Problem, upload_of

FILE = b"MSH|^~\\&|A\r\nPID|1||X\r\n--almost\r\n\r\nOBX|" + bytes(range(256)) * 9


def form(file: bytes | None = FILE, *, after: bool = False, end: bytes = b"--\r\n", name: str = "file") -> bytes:
    feed = b'--b\r\nContent-Disposition: form-data; name="feed"\r\n\r\nst-\xc3\xa9\r\n'
    content = b""
    if file is not None:
        head = (
            f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="day 1.hl7"\r\nContent-Type: x/y\r\n\r\n'
        )
        content = head.encode() + file + b"\r\n"
    return (content + feed if after else feed + content) + b"--b" + end


def asked(body: bytes, step: int, content_type: str = "multipart/form-data; boundary=b") -> Request:
    pieces = [body[at : at + step] for at in range(0, len(body), step)]

    async def receive() -> dict[str, object]:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}, receive)


async def taken(body: bytes, step: int = 64) -> tuple[str, bytes, dict[str, str], int]:
    """Name, content, fields, and the longest piece."""
    async with upload_of(asked(body, step)) as sent:
        pieces = [piece async for piece in sent.content]
    return sent.name, b"".join(pieces), sent.fields, max(map(len, pieces), default=0)


@pytest.mark.parametrize("step", [1, 2, 7, 64, 10_000])
@pytest.mark.parametrize("after", [False, True])
async def test_a_file_comes_whole_in_any_pieces(step: int, after: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    name, content, fields, longest = await taken(form(after=after), step)
    assert (name, content, fields) == ("day 1.hl7", FILE, {"feed": "st-é"})
    assert longest <= max(step, 16)


async def test_what_stands_before_the_file_is_known_before_it() -> None:
    async with upload_of(asked(form(), 16)) as sent:
        assert sent.fields == {"feed": "st-é"}


async def test_an_empty_file_is_a_file() -> None:
    assert (await taken(form(b"")))[1] == b""


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (form(None), "no-file"),
        (form(end=b""), "unreadable-form"),
        (form()[:200], "unreadable-form"),
        (form()[:20], "unreadable-form"),
        (b"nothing of the kind", "unreadable-form"),
        (form(name="other"), "unreadable-form"),
        (form()[:-5] + form(), "unreadable-form"),
        (form(name="feed").replace(b"; filename", b"; x") + b"", "no-file"),
        (form().replace(b"st-\xc3\xa9", b"x" * (1 << 20) + b"x"), "field-too-long"),
    ],
)
async def test_what_is_no_form_with_one_whole_file_is_refused(body: bytes, slug: str) -> None:
    with pytest.raises(Problem) as refused:
        await taken(body)
    assert refused.value.slug == slug


async def test_a_form_without_a_boundary_is_refused() -> None:
    with pytest.raises(Problem):
        async with upload_of(asked(form(), 64, "multipart/form-data")):
            pass
