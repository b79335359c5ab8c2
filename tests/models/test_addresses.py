"""Which addresses are public, judged against the registries' own words."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given, strategies as st

from agentgraph.models.addresses import as_literal, is_public

CLOSED = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.2.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *(
        "::/127",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "2001:db8::/32",
        "2001::/32",
        "2002::/16",
        "100::/64",
    ),
]
"""Loopback, private, link-local, shared, multicast, reserved, documentation, tunnels."""
WITHIN_IPV6 = [IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")]


def addresses_of(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    return st.integers(0, network.num_addresses - 1).map(lambda offset: network[offset])


closed = st.sampled_from(CLOSED).flatmap(lambda network: addresses_of(ip_network(network)))


@given(closed)
def test_no_address_of_a_closed_network_is_public(address: IPv4Address | IPv6Address) -> None:
    assert not is_public(str(address))


@given(st.ip_addresses(v=4), st.sampled_from(WITHIN_IPV6))
def test_an_ipv4_address_is_judged_alike_in_whatever_it_is_wrapped(address: IPv4Address, around: IPv6Network) -> None:
    assert is_public(str(around[int(address)])) == is_public(str(address))


@given(st.ip_addresses())
def test_what_is_public_is_global_and_no_multicast(address: IPv4Address | IPv6Address) -> None:
    if is_public(str(address)) and address not in WITHIN_IPV6[0] and address not in WITHIN_IPV6[1]:
        assert address.is_global
        assert not (address.is_multicast)
        assert not (address.is_private)
        assert not (address.is_loopback)
        assert not (address.is_link_local)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"])
def test_an_address_of_a_service_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["168.63.129.16", "fd00:ec2::254", "169.254.169.254", "100.100.100.200", "fe80::1%1"]
)
def test_the_metadata_of_a_cloud_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["example.com", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", ""])
def test_what_only_a_lookup_reads_as_an_address_is_no_literal(host: str) -> None:
    assert as_literal(host) is None
