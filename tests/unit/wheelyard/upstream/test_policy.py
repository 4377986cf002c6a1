"""Which of upstream's files a channel shows, and which it never does."""

import pytest

from wheelyard.channels import Channel, UpstreamKinds, UpstreamPolicy
from wheelyard.digests import Digest
from wheelyard.upstream.listing import ListedFile, Listing, read_filename
from wheelyard.upstream.policy import shown_files, uploaded_at

NOW = 1_764_000_000.0  # 2025-11-24T16:00:00Z
SDIST, WHEEL = "demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"


def listed(filename, **fields):
    kind, version = read_filename("demo", filename)
    given = {"digest": Digest.of(filename.encode()), "url": f"https://index.example.org/{filename}"}
    return ListedFile(filename=filename, kind=kind, version=version, **(given | fields))


def shown(*files, owned=False, **fields):
    channel = Channel(name="default", **({"upstream": UpstreamPolicy.ALL} | fields))
    listing = Listing(project="demo", files=files)
    return [file.filename for file in shown_files(listing, channel, owned=owned, now=NOW)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"upstream": UpstreamPolicy.OFF}, []),
        ({"upstream": UpstreamPolicy.ALL}, [SDIST, WHEEL]),
        ({"upstream": UpstreamPolicy.LISTED}, []),
        ({"upstream": UpstreamPolicy.LISTED, "projects": ("other",)}, []),
        ({"upstream": UpstreamPolicy.LISTED, "projects": ("Demo",)}, [SDIST, WHEEL]),
        ({"kinds": UpstreamKinds.WHEELS}, [WHEEL]),
        ({"kinds": UpstreamKinds.SDISTS}, [SDIST]),
    ],
)
def test_a_channel_shows_what_its_policy_says(fields, expected):
    assert shown(listed(SDIST), listed(WHEEL), **fields) == expected


def test_a_name_that_the_team_owns_is_never_taken_from_upstream():
    for policy in UpstreamPolicy:
        assert shown(listed(SDIST), listed(WHEEL), owned=True, upstream=policy, projects=("demo",)) == []


def test_what_can_not_be_verified_or_read_is_not_offered():
    assert shown(listed(WHEEL, digest=None)) == []
    assert shown(listed("demo-1.0.exe"), listed("other-1.0.tar.gz"), listed("demo-x.tar.gz")) == []


@pytest.mark.parametrize(
    "filename",
    ["demo-1.0-py3-none-a/b.whl", "demo-1.0-py3-none-a b.whl", 'demo-1.0-py3-none-a"b.whl',
     f"demo-1.0-py3-none-{'a' * 300}.whl", "demo-1.0-py3-none-a\x00.whl"],
)  # fmt: skip
def test_a_name_that_fits_into_no_address_is_not_offered(filename):
    assert read_filename("demo", filename)[0] == "wheel"
    assert shown(listed(filename)) == []


@pytest.mark.parametrize(
    ("uploaded", "expected"),
    [
        ("2025-11-23T15:59:59Z", [WHEEL]),
        ("2025-11-23T16:00:00.000000Z", [WHEEL]),
        ("2025-11-23T16:00:01Z", []),
        ("2025-11-23T17:00:00+01:00", [WHEEL]),
        ("2025-11-23T16:00:00", [WHEEL]),
        ("2030-01-01T00:00:00Z", []),
        ("", []),
        ("yesterday", []),
    ],
)
def test_a_file_waits_out_the_cooldown(uploaded, expected):
    assert shown(listed(WHEEL, uploaded=uploaded), min_age=86400) == expected


def test_without_a_cooldown_a_file_of_unknown_age_is_shown():
    assert shown(listed(WHEEL, uploaded="")) == [WHEEL]


def test_reads_the_time_of_an_upload():
    assert uploaded_at(listed(WHEEL, uploaded="2025-11-24T16:00:00Z")) == NOW
    assert uploaded_at(listed(WHEEL, uploaded="soon")) is None
