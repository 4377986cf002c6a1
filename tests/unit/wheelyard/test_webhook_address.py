"""Addresses that a service may be sent to: public ones by https, or those that its administrator lists."""

import pytest

from wheelyard.errors import InputError
from wheelyard.webhook_address import check_public, read_webhook_address

LISTED = ("*.internal", "127.0.0.1", "ci.example.org")


def test_a_public_address_is_taken_and_pinned_with_its_name_kept():
    address = read_webhook_address("https://Hooks.example.org/a/b?c=d#e", ())
    assert (address.host, address.port, address.target) == ("hooks.example.org", 443, "/a/b?c=d")
    assert address.pinned("203.0.113.7") == "https://203.0.113.7:443/a/b?c=d"
    assert address.pinned("2001:db8::1") == "https://[2001:db8::1]:443/a/b?c=d"
    assert address.authority == "hooks.example.org"
    assert read_webhook_address("https://h.example.org:8443", ()).authority == "h.example.org:8443"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "//example.org/",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://user:word@example.org/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://example.org/a b",
        "https://example.org/\r\nhost: x",
        "https://example.org\\@127.0.0.1/",
        "https://ex\u00e4mple.org/",
        "https://[::1",
        "http://example.org/",
        "https://localhost/",
        "https://a.localhost./",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://0.0.0.0/",
    ],
)
def test_what_is_no_public_https_address_is_refused(url):
    with pytest.raises(InputError, match="the webhook's address is not taken"):
        read_webhook_address(url, ())


@pytest.mark.parametrize(
    "url", ["http://build.internal/x", "http://127.0.0.1:9000/", "https://CI.example.org/hook"]
)
def test_a_listed_host_may_be_private_and_plain(url):
    assert read_webhook_address(url, LISTED).listed


@pytest.mark.parametrize(
    "url", ["https://example.org/", "https://internal/", "https://x.internal.example.org/"]
)
def test_with_a_list_no_other_host_is_taken(url):
    with pytest.raises(InputError, match="not one that this service may send to"):
        read_webhook_address(url, LISTED)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0",
        "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_also_among_public_ones(ip):
    with pytest.raises(InputError, match="not on the public internet"):
        check_public("host.example.org", ["93.184.216.34", ip])


def test_public_addresses_are_public():
    check_public("host", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
