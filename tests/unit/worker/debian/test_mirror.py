"""The mirror out of apt's sources."""

import pytest

from wheelyard.errors import InfrastructureError, InputError
from wheelyard.settings import Settings
from worker.debian.mirror import Mirror, find_mirror, parse_deb822, parse_one_line, read_sources

DEB822 = """\
# A comment
Types: deb deb-src
# another, inside
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


@pytest.fixture
def apt(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_reads_every_address_and_suite_of_a_stanza():
    found = list(parse_deb822(DEB822))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian", "bookworm-updates"),
        ("http://mirror.example/debian-security", "bookworm-security"),
    ]
    assert found[0].components == ("main", "contrib")
    assert "BEGIN PGP" in found[2].signed_by


@pytest.mark.parametrize("line", ["Enabled: no", "Enabled: false"])
def test_passes_over_a_disabled_stanza(line):
    assert (
        list(parse_deb822(f"Types: deb\n{line}\nURIs: http://x/debian\nSuites: sid\nComponents: main")) == []
    )


def test_passes_over_a_source_only_stanza():
    assert list(parse_deb822("Types: deb-src\nURIs: http://x/debian\nSuites: sid\nComponents: main")) == []


def test_reads_one_line_sources_with_and_without_options():
    found = list(
        parse_one_line(
            [
                "# deb http://no.example/debian sid main",
                "deb http://one.example/debian/ trixie main non-free # why",
                "deb [arch=amd64 signed-by=/k.gpg] http://two.example/debian trixie main",
                "deb-src http://three.example/debian trixie main",
                "",
            ]
        )
    )
    assert [(source.uri, source.components, source.signed_by) for source in found] == [
        ("http://one.example/debian", ("main", "non-free"), ""),
        ("http://two.example/debian", ("main",), "/k.gpg"),
    ]


def test_finds_the_archive_and_its_security_updates(apt):
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert find_mirror(Settings(), apt) == Mirror(
        main="http://mirror.example/debian", security="http://mirror.example/debian-security"
    )


def test_does_not_take_a_strangers_archive_for_debians(apt):
    (apt / "sources.list").write_text(
        "deb [signed-by=/usr/share/keyrings/stranger.gpg] http://stranger.example/debian bookworm main\n"
        "deb http://stranger.example/apt bookworm stable\n"
        "deb http://stranger.example/node nodistro main\n"
        "deb cdrom:[Debian]/ bookworm main\n"
        "deb http://own.example/debian bookworm main\n"
    )
    assert find_mirror(Settings(), apt) == Mirror(main="http://own.example/debian")


def test_the_setting_wins_and_brings_its_security_archive(apt):
    found = find_mirror(Settings(debian_mirror="http://cache.example:3142/debian/"), apt)
    assert found == Mirror(
        main="http://cache.example:3142/debian", security="http://cache.example:3142/debian-security"
    )


@pytest.mark.parametrize("address", ["cache.example", "http://a b/debian", "http://x/[trusted=yes]"])
def test_refuses_a_setting_that_is_no_address(apt, address):
    with pytest.raises(InputError) as caught:
        find_mirror(Settings(debian_mirror=address), apt)
    assert "WHEELYARD_DEBIAN_MIRROR" in caught.value.failed


def test_says_what_to_do_where_apt_has_no_debian(apt):
    (apt / "sources.list").write_text("deb http://archive.example/ubuntu jammy main\n")
    with pytest.raises(InfrastructureError) as caught:
        find_mirror(Settings(), apt)
    assert "WHEELYARD_DEBIAN_MIRROR" in caught.value.do


def test_missing_configuration_is_no_source(tmp_path):
    assert read_sources(tmp_path / "nothing") == ()


def test_each_source_is_bound_to_debians_keys(tmp_path):
    lines = Mirror(main="http://m/debian", security="http://m/debian-security").sources("trixie")
    assert [line.split("] ")[1] for line in lines] == [
        "http://m/debian trixie main",
        "http://m/debian trixie-updates main",
        "http://m/debian-security trixie-security main",
    ]
    assert all("[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" in line for line in lines)
