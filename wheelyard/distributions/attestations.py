"""Attestations that came with an upload, as the provenance object of its file (PEP 740)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from wheelyard.digests import Digest, canonical_json
from wheelyard.distributions.refusal import Refusal

LONGEST_ATTESTATIONS = 1 << 20
_MOST = 16
_STATEMENT = "https://in-toto.io/Statement/v1"


def provenance_of(text: str, filename: str, digest: Digest, uploader: str, refuse: Refusal) -> bytes:
    """The provenance object of a file: the attestations, after they were found to be about this very file.

    Signatures are not verified: whoever trusts them does so with Sigstore's roots.

    :param text: the form field `attestations`, a JSON array of attestation objects.
    :param uploader: name of the token that brought them.
    :raises ForeignOutputRefused: one can't be read, or is about another file.
    """
    try:
        attestations = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(refuse, "a JSON array (PEP 740)", error) from error
    if not isinstance(attestations, list) or not 0 < len(attestations) <= _MOST:
        raise _wrong(
            refuse, f"a JSON array of 1 to {_MOST} attestations (PEP 740)", type(attestations).__name__
        )
    for attestation in attestations:
        try:
            _check_subject(_statement(attestation), filename, digest, refuse)
        except (KeyError, TypeError, ValueError, binascii.Error, RecursionError) as error:
            raise _wrong(
                refuse, "version 1, verification_material, envelope (PEP 740)", repr(error)
            ) from error
    # PEP 740 wants a publisher; who uploaded it is all that is known of it here.
    publisher = {"kind": "Wheelyard", "claims": None, "token": uploader}
    return canonical_json(
        {
            "version": 1,
            "attestation_bundles": [{"publisher": publisher, "attestations": attestations}],
        }
    )


def _wrong(refuse: Refusal, expected: str, found: object) -> Exception:
    return refuse("its attestations can't be read", expected, found)


def _statement(attestation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The statement that an attestation signs (in-toto, DSSE)."""
    if attestation["version"] != 1:
        raise ValueError(f"version {attestation['version']!r}")
    material, envelope = attestation["verification_material"], attestation["envelope"]
    for value in (material["certificate"], envelope["signature"]):
        if not base64.b64decode(value, validate=True):
            raise ValueError("an empty certificate or signature")
    if not isinstance(material["transparency_entries"], list) or not material["transparency_entries"]:
        raise ValueError("no transparency_entries")
    statement: Mapping[str, Any] = json.loads(base64.b64decode(envelope["statement"], validate=True))
    if statement["_type"] != _STATEMENT or not isinstance(statement["predicateType"], str):
        raise ValueError(f"a statement of type {statement['_type']!r}")
    return statement


def _check_subject(statement: Mapping[str, Any], filename: str, digest: Digest, refuse: Refusal) -> None:
    subjects = statement["subject"]
    if len(subjects) != 1:
        raise ValueError(f"{len(subjects)} subjects")
    name, hashed = subjects[0]["name"], subjects[0]["digest"]["sha256"]
    if (name, hashed) != (filename, digest.hex):
        raise refuse(
            "an attestation is about another file (PEP 740)",
            f"{filename}, {digest}",
            f"{name}, sha256:{hashed}",
        )
