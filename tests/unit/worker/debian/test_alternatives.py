"""Which alternatives a package's script would install, as far as it says so plainly."""

from __future__ import annotations

import pytest

from worker.debian.alternatives import Alternative, best_alternatives, read_alternatives

AUTOMAKE = """\
#!/bin/sh
set -e
ver=1.16
prio="34"
update-alternatives --install /usr/bin/automake automake \\
	/usr/bin/automake-$ver $prio \\
	--slave /usr/bin/aclocal aclocal /usr/bin/aclocal-${ver} \\
	--slave /usr/share/man/man1/automake.1.gz automake.1.gz \\
	/usr/share/man/man1/automake-$ver.1.gz
"""


def test_reads_names_slaves_and_what_stands_in_variables():
    assert list(read_alternatives(AUTOMAKE)) == [
        Alternative(link="usr/bin/automake", target="usr/bin/automake-1.16", priority=34),
        Alternative(link="usr/bin/aclocal", target="usr/bin/aclocal-1.16", priority=34),
        Alternative(
            link="usr/share/man/man1/automake.1.gz",
            target="usr/share/man/man1/automake-1.16.1.gz",
            priority=34,
        ),
    ]


def test_reads_a_call_in_the_middle_of_others_and_merges_usr():
    script = (
        "if true; then update-alternatives --quiet --install /bin/nc nc /bin/nc.openbsd 50 || true; fi\n"
        "update-alternatives --auto nc\n"
    )
    assert list(read_alternatives(script)) == [
        Alternative(link="usr/bin/nc", target="usr/bin/nc.openbsd", priority=50)
    ]


@pytest.mark.parametrize(
    "words",
    [
        "--install /usr/bin/x x $(find /usr -name x) 10",
        "--install /usr/bin/x x /usr/bin/x-$unknown 10",
        "--install /usr/bin/x x /usr/bin/x-1 many",
        "--install /usr/bin/x x",
        "--install usr/bin/x x /usr/bin/x-1 10",
        "--install /usr/bin/../../x x /usr/bin/x-1 10",
        "--install '/usr/bin/x x /usr/bin/x-1 10",
        "--remove x /usr/bin/x-1",
    ],
)
def test_passes_over_what_it_can_not_read(words):
    assert list(read_alternatives(f"update-alternatives {words}\n")) == []


def test_of_two_offers_the_higher_priority_counts():
    offers = [
        Alternative(link="usr/bin/awk", target="usr/bin/mawk", priority=5),
        Alternative(link="usr/bin/awk", target="usr/bin/gawk", priority=10),
        Alternative(link="usr/bin/awk", target="usr/bin/original-awk", priority=10),
    ]
    assert best_alternatives(offers) == {"usr/bin/awk": "usr/bin/gawk"}
