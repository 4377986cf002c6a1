"""What apt is asked, and how its answers are read."""

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError, InputError
from worker.debian.private_apt import Deb, near_names, read_printed, refuse_bad_names

HEX = "0d" * 32


def test_reads_each_package_that_apt_would_fetch():
    lines = [
        (
            f"'http://mirror/pool/main/liby/libyaml/libyaml-dev_0.2.5-1_amd64.deb' "
            f"libyaml-dev_0.2.5-1_amd64.deb 57220 SHA256:{HEX}"
        ),
        "",
        (
            f"'http://mirror/pool/main/f/ffmpeg/libavutil57_5.1.9-0+deb12u1_amd64.deb' "
            f"libavutil57_7%3a5.1.9-0+deb12u1_amd64.deb 391372 SHA256:{HEX}"
        ),
    ]
    assert list(read_printed(lines)) == [
        Deb(name="libyaml-dev", version="0.2.5-1", digest=Digest(HEX), size=57220),
        Deb(name="libavutil57", version="7:5.1.9-0+deb12u1", digest=Digest(HEX), size=391372),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "'http://mirror/x_1_amd64.deb' x_1_amd64.deb 57220 MD5Sum:0d0d",
        "'http://mirror/x_1_amd64.deb' x_1_amd64.deb 57220",
        f"'http://mirror/x.deb' x.deb 57220 SHA256:{HEX}",
        "Reading package lists...",
    ],
)
def test_refuses_an_answer_that_names_no_sha256_of_a_package(line):
    with pytest.raises(InfrastructureError, match="can't be read"):
        list(read_printed([line]))


@pytest.mark.parametrize("name", ["libyaml-dev", "libstdc++6", "g++", "libjpeg62-turbo-dev", "python3.11"])
def test_takes_the_names_of_packages(name):
    refuse_bad_names([name])


@pytest.mark.parametrize(
    "name",
    ["", "x", "libyaml-dev-", "./evil.deb", "libyaml=1", "libyaml/sid", "LibYaml", "-o", "a b", "lib*"],
)
def test_refuses_what_apt_would_take_for_something_else_than_a_name(name):
    with pytest.raises(InputError, match="not the name of a Debian package"):
        refuse_bad_names([name])


def test_names_what_was_perhaps_meant():
    known = ["libyaml-dev", "libyaml-0-2", "libxml2-dev", "yaml-mode", "zlib1g-dev"]
    assert near_names("libyml-dev", known)[0] == "libyaml-dev"
    assert near_names("libqqqqqqqq", known) == []
