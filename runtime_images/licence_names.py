"""Licences by their SPDX identifiers: out of a wheel's METADATA and out of Debian's copyright files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

_WORD = re.compile(r"[A-Za-z0-9.+-]+")
_OPERATORS = frozenset({"AND", "OR", "WITH"})
_CLASSIFIER = "License :: OSI Approved :: "
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "LicenseRef-BSD",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
_SPELLINGS = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd": "LicenseRef-BSD",
    "bsd license": "LicenseRef-BSD",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsl-1": "BSL-1.0",
    "boost": "BSL-1.0",
    "cc0": "CC0-1.0",
    "expat": "MIT",
    "gfdl-1.3+": "GFDL-1.3-or-later",
    "gfdl-1.3": "GFDL-1.3-only",
    "isc": "ISC",
    "mit": "MIT",
    "mit license": "MIT",
    "mit-cmu": "MIT-CMU",
    "hpnd": "HPND",
    "mpl-1.1": "MPL-1.1",
    "mpl-2.0": "MPL-2.0",
    "openssl": "OpenSSL",
    "psf": "PSF-2.0",
    "python": "Python-2.0",
    "the mit license": "MIT",
    "zlib": "Zlib",
}
_GNU = re.compile(r"(AGPL|LGPL|GPL)[- ]?v?(\d)(?:\.(\d))?(\+|-or-later)?", re.IGNORECASE)
_DEBIAN_LINE = re.compile(r"^License: *(\S.*?) *$", re.MULTILINE)
_SEPARATOR = re.compile(r"\s+(?:and|or|and/or)\s+|\s*[,|]\s*|\s+with\s+.*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What something says of its own licence.

    :param names: SPDX identifiers, or `LicenseRef-…` for what has none; sorted, empty where nothing is said.
    :param expression: SPDX expression; empty where nothing is said.
    :param source: where it is said: `License-Expression`, `License`, `classifiers`, `copyright`.
    """

    names: tuple[str, ...] = ()
    expression: str = ""
    source: str = ""


UNSAID = Licence()


def licence_of_metadata(metadata: Message) -> Licence:
    """The licence of a project (core metadata): its expression (PEP 639), else what older fields say."""
    expression = str(metadata.get("License-Expression") or "").strip()
    if expression:
        return Licence(names=identifiers(expression), expression=expression, source="License-Expression")
    # The old field may hold a whole text; a name is short and stands in one line.
    words = str(metadata.get("License") or "").strip()
    known = _spdx(words) if words and len(words) < 60 and "\n" not in words else ""
    if known and not known.startswith("LicenseRef-"):
        return Licence(names=(known,), expression=known, source="License")
    said = sorted(
        {
            _CLASSIFIERS.get(line.removeprefix(_CLASSIFIER)) or _reference(line.rpartition(" :: ")[2])
            for line in metadata.get_all("Classifier") or ()
            if line.startswith(_CLASSIFIER)
        }
    )
    if said:
        return Licence(names=tuple(said), expression=" AND ".join(said), source="classifiers")
    return Licence(names=(known,), expression=known, source="License") if known else UNSAID


def licence_of_copyright(text: str) -> Licence:
    """Every licence that a copyright file names in its machine-readable form (DEP 5).

    A package's files have them one beside the other, so that all hold. A free text names none.
    """
    if "Format:" not in text[:400]:
        return UNSAID
    said = {
        _spdx(name) or _reference(name)
        for line in _DEBIAN_LINE.findall(text)
        for name in _SEPARATOR.split(line)
        if name
    }
    names = tuple(sorted(name for name in said if name))
    return Licence(names=names, expression=" AND ".join(names), source="copyright" if names else "")


def identifiers(expression: str) -> tuple[str, ...]:
    """The licences of an SPDX expression, sorted, without its operators and exceptions."""
    words = _WORD.findall(expression)
    before = ["", *words]
    return tuple(
        sorted(
            {
                word
                for previous, word in zip(before, words, strict=False)
                if word.upper() not in _OPERATORS and previous.upper() != "WITH"
            }
        )
    )


def common_expression(names: Iterable[str]) -> str:
    """One expression over licences that all hold."""
    return " AND ".join(sorted(set(names)))


def _spdx(name: str) -> str:
    """The SPDX identifier of a name as people and Debian write it; empty where it has none here."""
    plain = name.strip()
    known = _SPELLINGS.get(plain.lower(), "")
    if known:
        return known
    gnu = _GNU.fullmatch(plain)
    if gnu:
        end = "or-later" if gnu[4] else "only"
        return f"{gnu[1].upper()}-{gnu[2]}.{gnu[3] or '0'}-{end}"
    return ""


def _reference(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")
    return f"LicenseRef-{plain[:80]}" if plain else ""
