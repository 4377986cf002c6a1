"""What the builder itself does to a native's bytes is an input of its key, too."""

import hashlib
from importlib.resources import files

from wheelyard.digests import canonical_json
from wheelyard.native_record import NATIVE_FORMAT
from worker.build_container import build_environment
from worker.native_container import RUN_PATH

KNOWN = (1, "a30aa4c9aace92c9")


def test_whoever_changes_the_builder_thinks_of_the_native_format():
    """Where a change can alter an artifact, raise NATIVE_FORMAT; in any case write the pair here anew."""
    script = (files("worker") / "inside" / "build_native.py").read_bytes()
    environment = canonical_json({**build_environment({}, 0), **RUN_PATH})
    found = hashlib.sha256(script + environment).hexdigest()[:16]
    assert (NATIVE_FORMAT, found) == KNOWN
