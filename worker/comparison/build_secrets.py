"""How apt and pip reach their servers from inside a build: files that the build sees and no layer has."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from wheelyard.upstream.pip_index import PipIndex
from worker.debian.mirror import apt_settings

SECRETS = "/run/secrets"
CA = "ca.crt"
APT = "apt.conf"
PIP = "pip.conf"
_CA_OF_APT = re.compile(r'^(Acquire::https?(?:::[^ ]+)?::CaInfo) ".*";$', re.IGNORECASE)


def write_secrets(index: PipIndex, folder: Path) -> Mapping[str, Path]:
    """Write them; gives each one's file by the id under which a Dockerfile mounts it.

    :param index: that pip installs from.
    :param folder: theirs alone; whoever made it removes it.
    """
    folder.mkdir(mode=0o700)
    found = {APT: folder / APT, PIP: folder / PIP}
    certificates = ""
    if index.ca_bundle and Path(index.ca_bundle).is_file():
        # Debian's own list is in the image; what this machine trusts beside it has to come along.
        shutil.copyfile(index.ca_bundle, folder / CA)
        found[CA] = folder / CA
        certificates = f"{SECRETS}/{CA}"
    found[PIP].write_text(pip_conf(index, certificates), "utf-8")
    found[APT].write_text("".join(f"{_mended(line, certificates)}\n" for line in apt_settings()), "utf-8")
    return found


def pip_conf(index: PipIndex, certificates: str) -> str:
    """The text of a pip.conf for one index.

    :param certificates: path of the file of certificates as the build sees it; empty means pip's own.
    """
    values = {"index-url": index.url, "cert": certificates, "proxy": index.proxy}
    lines = [f"{name} = {value.replace('%', '%%')}" for name, value in values.items() if value]
    return "\n".join(["[global]", "disable-pip-version-check = true", *lines, ""])


def _mended(line: str, certificates: str) -> str:
    match = _CA_OF_APT.match(line.strip())
    return f'{match[1]} "{certificates}";' if match and certificates else line
