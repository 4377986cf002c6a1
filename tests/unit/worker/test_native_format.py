"""What the builder itself does to a native's bytes is an input of its key, too."""

import hashlib
from importlib.resources import files

from wheelyard.digests import canonical_json
from wheelyard.native_record import NATIVE_FORMAT
from worker.build_container import build_environment
from worker.native_container import RUN_PATH

KNOWN = (1, "43daeaf8d8ccae12")
SCRIPTS = ("build_native.py", "ccache_folder.py")


def test_whoever_changes_the_builder_thinks_of_the_native_format():
    """Where a change can alter an artifact, raise NATIVE_FORMAT; in any case write the pair here anew."""
    scripts = b"".join((files("worker") / "inside" / name).read_bytes() for name in SCRIPTS)
    environment = canonical_json({**build_environment({}, 0), **RUN_PATH})
    found = hashlib.sha256(scripts + environment).hexdigest()[:16]
    assert (NATIVE_FORMAT, found) == KNOWN
