"""Which internet addresses lead to the public internet, and which back into somebody's own network. Pure.

The registries of IANA for special addresses decide, as the standard library has them:
https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

__all__ = ["as_literal", "is_public"]

TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks that have IPv6 alone write them (RFC 6052)."""
UNICAST = IPv6Network("2000::/3")
"""All that is handed out to anybody, of IPv6."""
TUNNELS = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4, which lead to an IPv4 address inside them; no service is there."""
PLATFORM = IPv4Address("168.63.129.16")
"""Public by its number, but what answers there is the host below a virtual machine of Azure, with its credentials."""


def as_literal(host: str) -> str | None:
    """The host as an address if it is one already; None if it is a name, which has to be looked up.

    Other ways to write an address (`2130706433`, `0x7f.1`) count as names: the lookup turns them into addresses.
    """
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, also where it is an IPv4 address inside one of IPv6.

    Raises:
        ValueError: it is no address.
    """
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        inside = _inside(found)
        if inside is None:
            return found in UNICAST and found.is_global and not any(found in tunnel for tunnel in TUNNELS)
        found = inside
    return found.is_global and not found.is_multicast and found != PLATFORM


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in TRANSLATED else None
