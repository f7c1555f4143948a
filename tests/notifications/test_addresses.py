"""Which addresses may be called: a corpus of those that must not be, and why."""

from __future__ import annotations

import pytest

from notifications.addresses import (
    RefusedAddressError,
    Target,
    check_addresses,
    check_host,
    check_url,
    is_public,
)

CHARACTERS = "characters that do not belong"
NUMBER = "must be a name"
PRIVATE = "private network"
HTTPS = "must begin with https://"
LOGIN = "no user name or password"
PORT = "Only ports 443 and 8443"
NO_ADDRESS = "not an address"

REFUSED = [
    # this machine, written in every way
    ("http://127.0.0.1/", HTTPS),
    ("http://127.1", HTTPS),
    ("https://127.0.0.1/", NUMBER),
    ("https://127.1/", NUMBER),
    ("https://127.0.1/", NUMBER),
    ("https://0/", NUMBER),
    ("https://0.0.0.0/", NUMBER),
    ("https://2130706433/", NUMBER),
    ("https://017700000001/", NUMBER),
    ("https://0177.0.0.1/", NUMBER),
    ("https://0x7f000001/", NUMBER),
    ("https://0x7f.0x0.0x0.0x1/", NUMBER),
    ("https://0x7f.1/", NUMBER),
    ("https://127.0.0.0x1/", NUMBER),
    ("https://127.0.0.1./", NUMBER),
    ("https://[::1]/", NUMBER),
    ("https://[::]/", NUMBER),
    ("https://[::ffff:127.0.0.1]/", NUMBER),
    ("https://[::ffff:7f00:1]/", NUMBER),
    ("https://[0:0:0:0:0:ffff:7f00:1]/", NUMBER),
    ("https://[::127.0.0.1]/", NUMBER),
    ("https://[64:ff9b::7f00:1]/", NUMBER),
    ("https://[fe80::1%25eth0]/", NUMBER),
    ("https://localhost/", NUMBER),
    ("https://LOCALHOST/", NUMBER),
    ("https://localhost./", NUMBER),
    ("https://a.localhost/", PRIVATE),
    ("https://localhost.localdomain/", PRIVATE),
    # private networks and metadata
    ("https://10.0.0.1/", NUMBER),
    ("https://192.168.1.1/", NUMBER),
    ("https://169.254.169.254/latest/meta-data/", NUMBER),
    ("https://metadata.google.internal/", PRIVATE),
    ("https://db.internal/", PRIVATE),
    ("https://printer.local/", PRIVATE),
    ("https://router.lan/", PRIVATE),
    ("https://nas.home.arpa/", PRIVATE),
    ("https://1.0.0.127.in-addr.arpa/", PRIVATE),
    ("https://intranet/", NUMBER),
    ("https://x.onion/", PRIVATE),
    # other schemes and none
    ("", HTTPS),
    ("oapi.dingtalk.com", HTTPS),
    ("//oapi.dingtalk.com/", HTTPS),
    ("ftp://oapi.dingtalk.com/", HTTPS),
    ("file:///etc/passwd", HTTPS),
    ("gopher://oapi.dingtalk.com/", HTTPS),
    ("https:oapi.dingtalk.com", HTTPS),
    ("https:/oapi.dingtalk.com/", HTTPS),
    ("https:///oapi.dingtalk.com/", NUMBER),
    ("httpss://oapi.dingtalk.com/", HTTPS),
    # a host that is another one
    ("https://oapi.dingtalk.com@127.0.0.1/", LOGIN),
    ("https://user:password@oapi.dingtalk.com/", LOGIN),
    ("https://@oapi.dingtalk.com/", LOGIN),
    ("https://127.0.0.1\\@oapi.dingtalk.com/", CHARACTERS),
    ("https://127.0.0.1 oapi.dingtalk.com/", CHARACTERS),
    ("https://127.0.0.1\t/", CHARACTERS),
    ("https://oapi.dingtalk.com/\r\nHost: 127.0.0.1", CHARACTERS),
    ("https://oapi.dingtalk.com\x00.evil.com/", CHARACTERS),
    ("https://oapi。dingtalk。com/", CHARACTERS),
    ("https://127。0。0。1/", CHARACTERS),
    ("https://１２７.0.0.1/", CHARACTERS),
    ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", CHARACTERS),
    ("https://оapi.dingtalk.com/", CHARACTERS),
    ("https://oapi.dingtalk.com\u200b/", CHARACTERS),
    ("https://%31%32%37.0.0.1/", NUMBER),
    ("https://oapi..dingtalk.com/", NUMBER),
    ("https://.dingtalk.com/", NUMBER),
    ("https://-a.dingtalk.com/", NUMBER),
    (f"https://{'a' * 64}.com/", NUMBER),
    ("https://[oapi.dingtalk.com]/", NO_ADDRESS),
    ("https://[::1/", NO_ADDRESS),
    # ports
    ("https://oapi.dingtalk.com:22/", PORT),
    ("https://oapi.dingtalk.com:80/", PORT),
    ("https://oapi.dingtalk.com:0/", PORT),
    ("https://oapi.dingtalk.com:/", PORT),
    ("https://oapi.dingtalk.com:6379/", PORT),
    ("https://oapi.dingtalk.com:99999/", NO_ADDRESS),
    ("https://oapi.dingtalk.com:443x/", NO_ADDRESS),
    (f"https://oapi.dingtalk.com/{'a' * 2048}", "too long"),
]

CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:7f00:1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
    "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "not an address", "",
]  # fmt: skip
OPEN = ["8.8.8.8", "1.1.1.1", "203.119.200.1", "101.91.0.1", "2400:3200::1", "2606:4700::1111"]


def test_the_corpus_is_a_corpus() -> None:
    assert len({url for url, _ in REFUSED}) >= 60


@pytest.mark.parametrize(("url", "reason"), REFUSED)
def test_an_address_is_refused_by_its_text(url: str, reason: str) -> None:
    with pytest.raises(RefusedAddressError, match=reason):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://oapi.dingtalk.com/", Target("oapi.dingtalk.com", 443, "/")),
        ("HTTPS://OAPI.DingTalk.com", Target("oapi.dingtalk.com", 443, "/")),
        ("https://a.example.org:8443/x?y=%2B#z", Target("a.example.org", 8443, "/x?y=%2B")),
        ("https://xn--fiqs8s.xn--fiqs8s/", Target("xn--fiqs8s.xn--fiqs8s", 443, "/")),
    ],
)
def test_an_ordinary_address_passes(url: str, target: Target) -> None:
    assert check_url(url) == target


@pytest.mark.parametrize(
    "url",
    ["https://example.org/", "https://oapi.dingtalk.com.example.org/", "https://dingtalk.com/"],
)
def test_a_built_in_calls_its_own_host_only(url: str) -> None:
    with pytest.raises(RefusedAddressError, match="not called from here"):
        check_url(url, hosts={"oapi.dingtalk.com"})


@pytest.mark.parametrize("address", CLOSED)
def test_a_private_or_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    assert check_addresses(["8.8.8.8", "8.8.8.8", "1.1.1.1"]) == ["8.8.8.8", "1.1.1.1"]
    with pytest.raises(RefusedAddressError, match=PRIVATE):
        check_addresses(["8.8.8.8", "127.0.0.1"])
    with pytest.raises(RefusedAddressError, match="not known"):
        check_addresses([])


def test_a_mail_server_is_a_name_on_the_internet() -> None:
    assert check_host("SMTP.example.org") == "smtp.example.org"
    for name in ("10.0.0.1", "localhost", "mail.internal", "mail", "[::1]", ""):
        with pytest.raises(RefusedAddressError):
            check_host(name)
