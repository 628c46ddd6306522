"""Addresses that no camera may have, in every way to write them; redirects; content types."""

from __future__ import annotations

import ipaddress

import pytest

from tocsin.core.errors import ConfigError, SourceProtocolError
from tocsin.sources.addresses import is_no_camera, refuse_no_camera
from tocsin.sources.asking import content_type, http_url, redirected


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "metadata.google.internal",
        "fd00:ec2::254",
        "::",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "ff02::1",
    ],
)
def test_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="no camera may have"):
        refuse_no_camera(host, "camera yard")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.9",
        "192.168.1.64",
        "203.0.113.7",
        "::1",
        "fd12:3456::7",
        "cam.example",
        "169.254.7.9",
        "fe80::1%eth0",
    ],
)
def test_taken(host: str) -> None:
    refuse_no_camera(host, "camera yard")


def test_a_mapped_address_of_a_camera_is_one() -> None:
    assert not is_no_camera(ipaddress.ip_address("::ffff:192.168.1.64"))


@pytest.mark.parametrize(
    ("url", "location", "to"),
    [
        ("http://cam/a", "/b", "http://cam/b"),
        ("http://cam/a?x=1", "b?y=2#top", "http://cam/b?y=2"),
        ("http://cam/a", "http://CAM:80/b", "http://CAM:80/b"),
        ("http://cam:8080/a", "https://cam/b", "https://cam/b"),
        ("http://cam/a", "https://cam:8443/b", "https://cam:8443/b"),
        ("https://cam/a", "https://cam:443/b", "https://cam:443/b"),
    ],
)
def test_redirects_that_are_followed(url: str, location: str, to: str) -> None:
    assert redirected(url, location, "") == to


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://cam/a", "http://cam/a"),
        ("http://cam/a", "http://cam:8080/a"),
        ("https://cam/a", "https://cam:8443/a"),
        ("http://cam/a", "http://cam.evil.example/a"),
        ("http://cam/a", "http://evil.example\\@cam/a"),
        ("http://cam/a", "http://x:y@cam/a"),
        ("http://cam/a", "//169.254.169.254/latest"),
        ("http://cam/a", "file:///etc/passwd"),
        ("http://cam/a", "data:image/jpeg;base64,AAAA"),
        ("http://cam/a", "http://cam:99999/"),
        ("http://cam/a", ""),
    ],
)
def test_redirects_that_are_not(url: str, location: str) -> None:
    with pytest.raises(SourceProtocolError):
        redirected(url, location, "")


@pytest.mark.parametrize(
    ("value", "kind", "boundary"),
    [
        ("image/jpeg", "image/jpeg", ""),
        ("Image/JPEG; charset=x", "image/jpeg", ""),
        ('multipart/x-mixed-replace; boundary="--my"', "multipart/x-mixed-replace", "--my"),
        ("multipart/x-mixed-replace;Boundary=my", "multipart/x-mixed-replace", "my"),
        ("", "", ""),
        (";;=;boundary", "", ""),
    ],
)
def test_content_types(value: str, kind: str, boundary: str) -> None:
    assert content_type(value) == (kind, boundary)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "ftp://h/",
        "http://u:secret@h/",
        "http://h:0/",
        "http://h:77777/",
        "http://[::1/",
        "http:///x",
        "http://169.254.169.254/",
    ],
)
def test_addresses_that_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        http_url(url, "camera yard")
    assert "secret" not in str(caught.value)
