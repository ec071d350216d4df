"""Where a notice may never be posted (SSRF)."""

import pytest
from aiohttp import ClientConnectorError

from services.notifications.guarding import (
    GuardedResolver,
    RefusedAddressError,
    RefusedUrlError,
    check_url,
    may_reach,
    refused,
)

INSIDE = ["127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "::1", "fd00::1"]
NEVER = [
    *(
        "0.0.0.0",  # noqa: S104  (to be refused)
        "169.254.169.254",
        "169.254.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
    ),
    *("fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "not-an-address", ""),
]


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_public_addresses_may_be_reached(address: str) -> None:
    assert may_reach(address, private=False)


@pytest.mark.parametrize("address", [*INSIDE, "::ffff:127.0.0.1", "::ffff:10.0.0.1", "100.64.0.1", "192.0.2.1"])
def test_inside_addresses_only_where_that_was_allowed(address: str) -> None:
    assert not may_reach(address, private=False)


@pytest.mark.parametrize("address", [*INSIDE, "::ffff:127.0.0.1"])
def test_local_stacks_may_use_loopback_and_private_addresses(address: str) -> None:
    assert may_reach(address, private=True)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("private", [True, False])
def test_some_are_never_reached(address: str, *, private: bool) -> None:
    assert not may_reach(address, private=private)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "https://example.org:22/hook",
        "https://user@example.org/hook",
        "https://user:secret@example.org/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest",
        "ftp://example.org/",
        "file:///etc/passwd",
        "/relative",
        "https://",
        "https://example.org/#part",
        "https://example.org:99999/",
        "https://example.org/" + "a" * 3000,
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(RefusedUrlError):
        check_url(url, private=False)


@pytest.mark.parametrize("url", ["https://example.org/hook", "https://example.org:8443/hook?a=b"])
def test_urls_that_may_be_endpoints(url: str) -> None:
    assert str(check_url(url, private=False)) == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/hook", "http://localhost:9000/"])
def test_a_local_stack_may_post_to_itself(url: str) -> None:
    assert check_url(url, private=True).host in {"127.0.0.1", "localhost"}


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://u:p@127.0.0.1/"])
def test_even_a_local_stack_refuses(url: str) -> None:
    with pytest.raises(RefusedUrlError):
        check_url(url, private=True)


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "017700000001"])
async def test_what_a_name_resolves_to_is_what_is_checked(host: str) -> None:
    with pytest.raises(RefusedAddressError):
        await GuardedResolver(private=False).resolve(host, 443)


def test_a_refusal_is_recognised_inside_aiohttps_error() -> None:
    error = ClientConnectorError(None, RefusedAddressError("no"))  # type: ignore[arg-type]
    assert refused(error)
    assert not refused(ClientConnectorError(None, OSError("no")))  # type: ignore[arg-type]
