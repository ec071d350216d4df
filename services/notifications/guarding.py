"""Where a notice may be posted: never into this house's own network unless that was allowed on purpose (SSRF).

A name is resolved once; every address it resolves to is checked; the connection goes to a checked address.
"""

import ipaddress
import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override
from yarl import URL

PUBLIC_PORTS = {443, 8443}
LONGEST_URL = 2048
# NAT64, 6to4 and Teredo carry IPv4 addresses inside, and are never a recipient's own.
TUNNELS = tuple(ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
HOUSES = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddressError(OSError):
    """The address may not be posted to."""


class RefusedUrlError(ValueError):
    """The URL may not be an endpoint; the message says why and does not repeat it."""


def may_reach(address: str, *, private: bool) -> bool:
    """Whether a notice may go to this IP address. `private` allows loopback and private ranges (local stacks)."""
    try:
        plain = _unmapped(ipaddress.ip_address(address.split("%", 1)[0]))
    except ValueError:
        return False
    if _never(plain):
        return False
    return plain.is_global or (private and (plain.is_loopback or any(plain in net for net in HOUSES)))


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _never(address: Address) -> bool:
    """Link-local holds the clouds' metadata service; the others are nobody's address."""
    special = address.is_link_local or address.is_multicast or address.is_unspecified
    return special or (address.is_reserved and not address.is_loopback) or any(address in net for net in TUNNELS)


def check_url(url: str, *, private: bool) -> URL:
    """The parsed URL of an endpoint. Raises RefusedUrlError."""
    if len(url) > LONGEST_URL:
        raise RefusedUrlError("is too long")
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
    except ValueError:
        raise RefusedUrlError("is no URL") from None
    if parsed.scheme not in {"https", "http"} or not host:
        raise RefusedUrlError("must be an absolute https URL")
    if parsed.user is not None or parsed.password is not None:
        raise RefusedUrlError("must not hold a user name or password")
    if parsed.fragment:
        raise RefusedUrlError("must not have a fragment")
    if parsed.scheme == "http" and not private:
        raise RefusedUrlError("must be https")
    if port not in PUBLIC_PORTS and not private:
        raise RefusedUrlError("must use port 443 or 8443")
    if _is_literal(host) and not may_reach(host, private=private):
        raise RefusedUrlError("must not point to a private or special address")
    return parsed


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


class GuardedResolver(AbstractResolver):
    """Resolves a name and refuses it if any of its addresses may not be reached.

    All of them, since a name that points both outside and inside is an attack or a mistake. Forms like `0x7f.1` or
    `2130706433` come by here too: the system resolves them to the address that is then checked.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._system = ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        if not all(may_reach(one["host"], private=self._private) for one in found):
            raise RefusedAddressError("resolves to a private or special address")
        return found

    @override
    async def close(self) -> None:
        await self._system.close()


def refused(error: BaseException | None) -> bool:
    """Whether an aiohttp error comes from the guard."""
    seen: Any = error
    while seen is not None:
        if isinstance(seen, RefusedAddressError):
            return True
        seen = getattr(seen, "os_error", None) or seen.__cause__ or seen.__context__
    return False
