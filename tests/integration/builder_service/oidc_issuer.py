"""An OIDC issuer on loopback, with real keys over real HTTP, that says whatever a test wants."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "wheelyard"
REPOSITORY = "acme/app"


class Issuer:
    """Signs ID tokens as GitHub's does. Use it as a context manager; it counts how often it was asked."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.asked: list[str] = []
        self.discovery: dict[str, Any] = {}
        self.broken = False
        self.key_id = ""
        self.rotate()

    def __enter__(self) -> Self:
        issuer = self

        class Door(BaseHTTPRequestHandler):
            def log_message(self, *_args):
                return

            def do_GET(self):
                issuer.asked.append(self.path)
                document = issuer.document(self.path)
                body = json.dumps(document).encode()
                self.send_response(503 if issuer.broken else 200 if document else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def document(self, path: str) -> dict[str, Any]:
        """What it answers at an address."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.discovery}
        if path == "/keys":
            return {"keys": [self._public(name, key) for name, key in self.keys.items()]}
        return {}

    def rotate(self, kind: str = "RSA") -> None:
        """A new key in the place of the old ones."""
        key = (
            rsa.generate_private_key(65537, 2048)
            if kind == "RSA"
            else ec.generate_private_key(ec.SECP256R1())
        )
        self.key_id = uuid.uuid4().hex
        self.keys = {self.key_id: key}

    def public_pem(self) -> bytes:
        """The newest public key, as people put it into files."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.keys[self.key_id].public_key().public_bytes(serialization.Encoding.PEM, form)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a job on the main branch claims; a change to None leaves a claim out."""
        now = int(time.time())
        usual = {
            "iss": self.url, "aud": AUDIENCE, "sub": f"repo:{REPOSITORY}:ref:refs/heads/main",
            "iat": now, "nbf": now, "exp": now + 300, "jti": uuid.uuid4().hex,
            "repository": REPOSITORY, "repository_owner_id": "42", "ref": "refs/heads/main",
            "job_workflow_ref": f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main",
        }  # fmt: skip
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def token(self, **changes: Any) -> str:
        """An ID token with those claims."""
        return self.sign(self.claims(**changes))

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Claims, signed with the newest key."""
        key = self.keys[self.key_id]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(claims, key, algorithm, headers={"kid": self.key_id, **header})

    def _public(self, name: str, key: Any) -> dict[str, Any]:
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        made: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
        return {**made, "kid": name, "alg": algorithm, "use": "sig"}
