"""Whether a kept build environment meets the constraints of a request."""

import pytest

from wheelyard.locks import Lock, Pin
from worker.node_draft import meets

LOCK = Lock(
    pins=(
        Pin(project="cython", version="3.2.1", files=()),
        Pin(project="ninja", version="1.13rc1", files=()),
    ),
    text="",
)


@pytest.mark.parametrize(
    ("constraints", "met"),
    [
        ((), True),
        (("cython==3.2.1",), True),
        (("Cython<3.2",), False),
        (("ninja>=1.12",), True),
        (("numpy==1.0",), True),
        (("numpy==1.0", "cython==3.1.0"), False),
    ],
)
def test_a_kept_environment_holds_where_no_constraint_forbids_it(constraints, met):
    assert meets(LOCK, constraints) is met
