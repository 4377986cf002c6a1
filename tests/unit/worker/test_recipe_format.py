"""What the builder itself does to a wheel's bytes is an input of its key, too."""

import hashlib
from importlib.resources import files

from wheelyard.build_key import RECIPE_FORMAT
from wheelyard.digests import canonical_json
from worker.build_container import build_environment

KNOWN = (2, "c8c824ad2fd0584f")
SCRIPTS = ("build_wheel.py", "source_patches.py", "left_out.py", "ccache_folder.py")


def test_whoever_changes_the_builder_thinks_of_the_recipe_format():
    """Where a change can alter a wheel's bytes, raise RECIPE_FORMAT; in any case write the pair here anew."""
    scripts = b"".join((files("worker") / "inside" / name).read_bytes() for name in SCRIPTS)
    found = hashlib.sha256(scripts + canonical_json(build_environment({}, 0))).hexdigest()[:16]
    assert (RECIPE_FORMAT, found) == KNOWN
