"""The demo's application for any other projects: imports every module of the image's wheels.

Its standard output is one JSON document; its exit status says whether all could be imported.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import sys
from typing import Any


def main() -> int:
    """Import and say."""
    checks: list[dict[str, Any]] = []
    for module, projects in sorted(importlib.metadata.packages_distributions().items()):
        if module.startswith("_") or not module.isidentifier():
            continue
        try:
            loaded = importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises is the finding.
            checks.append(
                {"what": f"import {module}", "held": False, "found": f"{type(error).__name__}: {error}"}
            )
        else:
            place = getattr(loaded, "__file__", None) or "a namespace"
            checks.append({"what": f"import {module} ({', '.join(projects)})", "held": True, "found": place})
    versions = {one.name: one.version for one in importlib.metadata.distributions()}
    json.dump({"checks": checks, "versions": {"Python": platform.python_version(), **versions}}, sys.stdout)
    return 0 if checks and all(one["held"] for one in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
