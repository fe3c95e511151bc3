"""Where a message may be sent: to public addresses, by a list of our own, and to what the operator allows.

Libraries differ in what they call global; here an IPv4 address is public unless it is in a reserved
block, and an IPv6 address only within 2000::/3, outside of the blocks that wrap or tunnel another.
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from domain.errors import Invalid

LONGEST_URL = 2000
PORTS = {"https": (443, 8443), "http": (80, 8080)}
_RESERVED = [
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
_UNICAST = ipaddress.ip_network("2000::/3")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.I)
_NAME = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.I
)


class AddressRefused(Exception):
    """The name leads to where no message may go."""


class NameUnknown(Exception):
    """The name leads nowhere."""


def is_public(text: str) -> bool:
    """Whether an address is one of the open Internet."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 6 and address not in _UNICAST:
        return False
    return not any(address in block for block in _RESERVED if block.version == address.version)


@dataclass(frozen=True)
class Outbound:
    """What the operator allows of messages that leave this house."""

    https_only: bool = False
    allowed: frozenset[str] = frozenset()
    """Hosts, or hosts with ports, to which anything may go, wherever they are."""

    def is_allowed(self, host: str, port: int) -> bool:
        shown = f"[{host}]" if ":" in host else host
        return not {shown.lower(), f"{shown.lower()}:{port}"}.isdisjoint(self.allowed)

    def check(self, url: str, field: str = "url") -> str:
        """A URL to which messages may be sent, as far as it shows without asking for its addresses."""
        url = url.strip()
        if not 0 < len(url) <= LONGEST_URL or not url.isascii() or not url.isprintable():
            raise Invalid(f"url has 1 to {LONGEST_URL} printable ASCII characters", field=field)
        if "\\" in url or " " in url:
            raise Invalid("url has a character that no URL has", field=field)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Invalid("url is no URL", field=field) from None
        wanted = ("https",) if self.https_only else ("https", "http")
        if parts.scheme not in wanted or not host:
            raise Invalid(f"url begins with {' or '.join(f'{scheme}://' for scheme in wanted)}", field=field)
        if "@" in parts.netloc or "#" in url:
            raise Invalid("url has neither a user nor a fragment", field=field)
        first, *_ = known = PORTS[parts.scheme]
        port = first if port is None else port
        if self.is_allowed(host, port):
            return url
        if port not in known:
            raise Invalid(f"url has one of the ports {', '.join(map(str, known))}", field=field)
        if not is_public(host) and (":" in host or not _is_name(host)):
            raise Invalid("url names a host on the Internet", field=field)
        return url

    async def address_of(self, host: str, port: int) -> str:
        """An address behind a name, looked up now, to which a message may go.

        A name of which a single address is not public is refused whole.

        Raises:
            AddressRefused, NameUnknown: none may be used; there is none.
        """
        found = await look_up(host, port)
        if not found:
            raise NameUnknown
        if not self.is_allowed(host, port) and not all(is_public(address) for address in found):
            raise AddressRefused
        return found[0]


def _is_name(host: str) -> bool:
    """A name with a domain, whose last label no resolver takes for a number."""
    host = host.rstrip(".")
    last = host.rpartition(".")[2]
    return bool(_NAME.fullmatch(host)) and not _NUMERIC.fullmatch(last)


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order of preference; none where there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]).partition("%")[0] for *_, address in found]
