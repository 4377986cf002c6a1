"""A front door on loopback, over real Redis, real S3 and a SQLite file."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import secrets
import ssl
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest
import uvicorn

from builder_service.app import create_app
from builder_service.services import Services, open_services
from tests.conftest import BUCKET
from tests.databases import migrated_sqlite
from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest, canonical_json
from wheelyard.index_file import IndexFile, keep_file
from wheelyard.settings import Settings
from wheelyard.wheel_record import WheelRecord

TOKEN = "a-token-of-the-tests"
# Each client would read the machine's certificates anew, and none of them uses these.
_TLS = ssl.create_default_context()


@dataclass(frozen=True, kw_only=True)
class FrontDoor:
    """A running service; `http` carries the token, `guest` does not; `stop` ends it before the test does."""

    url: str
    services: Services
    http: httpx2.Client
    guest: httpx2.Client
    stop: Callable[[], None]


@contextlib.contextmanager
def serving(services: Services) -> Iterator[FrontDoor]:
    """The service in a thread of this process, on a free port."""
    config = uvicorn.Config(
        create_app(services.settings, services=services),
        host="127.0.0.1",
        port=0,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    limit = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the service ended while it started"
        assert time.monotonic() < limit, "the service does not start"
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    def stop() -> None:
        server.should_exit = True
        thread.join(timeout=15)

    bearer = {"authorization": f"Bearer {services.settings.token.get_secret_value()}"}
    try:
        with (
            httpx2.Client(base_url=url, headers=bearer, timeout=30, verify=_TLS, trust_env=False) as http,
            httpx2.Client(base_url=url, timeout=30, verify=_TLS, trust_env=False) as guest,
        ):
            yield FrontDoor(url=url, services=services, http=http, guest=guest, stop=stop)
    finally:
        stop()
        services.ledger.database.close()


@pytest.fixture
def settings_with(tmp_path, s3_settings) -> Callable[..., Settings]:
    """Settings of a service with a database of its own; arguments win."""
    database_url = migrated_sqlite(tmp_path / "jobs.db")

    def make(**fields) -> Settings:
        own = {
            "token": TOKEN,
            "data_dir": tmp_path / "data",
            "database_url": database_url,
            "max_upload_bytes": 4 << 20,
        }
        return Settings(**(s3_settings.model_dump() | own | fields))

    return make


@pytest.fixture
def serve() -> Iterator[Callable[[Settings], FrontDoor]]:
    """Starts a service with other settings; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(settings: Settings) -> FrontDoor:
            return stack.enter_context(serving(open_services(settings)))

        yield start


@pytest.fixture
def front_door(settings_with, redis_url, serve) -> FrontDoor:
    door: FrontDoor = serve(settings_with(redis_url=redis_url))
    return door


@pytest.fixture(scope="module")
def registry_door_with(tmp_path_factory, s3_server, redis_url) -> Iterator[Callable[..., FrontDoor]]:
    """Starts a service for all tests of a module, each of which has repositories of its own."""
    with contextlib.ExitStack() as stack:

        def start(**fields) -> FrontDoor:
            folder = tmp_path_factory.mktemp("registry")
            own = {
                "token": TOKEN,
                "data_dir": folder / "data",
                "database_url": migrated_sqlite(folder / "jobs.db"),
                "redis_url": redis_url,
                "max_upload_bytes": 4 << 20,
            }
            place = s3_server.settings(BUCKET, secrets.token_hex(8)).model_dump()
            return stack.enter_context(serving(open_services(Settings(**(place | own | fields)))))

        yield start


@pytest.fixture(scope="module")
def registry_door(registry_door_with) -> FrontDoor:
    """One that reads are open of."""
    door: FrontDoor = registry_door_with()
    return door


@pytest.fixture
def publish() -> Callable[..., WheelRecord]:
    """Publishes a wheel of one pure module, as a worker does: bytes, record, and a row in the channel."""
    return publish_wheel


def publish_wheel(
    services: Services,
    project: str = "tiny-thing",
    version: str = "1.0",
    channel: str = "default",
    *,
    requires: str = "",
    published_at: float = 1_764_000_000.0,
) -> WheelRecord:
    """Publish a wheel of one pure module, as a worker does: bytes, record, and a row in the channel."""
    name = project.replace("-", "_")
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()
    metadata += b"Requires-Python: >=3.8\n"
    metadata += f"Requires-Dist: {requires}\n".encode() if requires else b""
    body = make_wheel(name, version, metadata)
    services.store.put_blob(body, Digest.of(body))
    services.store.put_blob(metadata, Digest.of(metadata))
    record = WheelRecord(
        inputs=BuildInputs(
            project=project,
            version=version,
            sdist=str(Digest.of(b"sdist of " + body)),
            sdist_filename=f"{name}-{version}.tar.gz",
            toolchain=str(Digest.of(b"toolchain")),
            target="manylinux_2_36_x86_64",
            python_tag="cp311",
            build_wheels={},
            environment={},
            config_settings={},
        ),
        channel=channel,
        filename=f"{name}-{version}-py3-none-any.whl",
        digest=Digest.of(body),
        size=len(body),
        metadata_digest=Digest.of(metadata),
        requires_python=">=3.8",
        requires_dist=(),
        imports=(name,),
        external=(),
        toolchain="debian12-cp311",
        published_at=published_at,
    )
    services.store.put_document(record.document_name, canonical_json(record.to_document()))
    file = keep_file(services.store, IndexFile.of_record(record, channel))
    with services.catalogue.database.transaction() as session:
        services.catalogue.add(session, file)
    return record


def make_wheel(name: str, version: str, metadata: bytes) -> bytes:
    """A wheel that pip and uv install (PEP 427)."""
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": f'VERSION = "{version}"\n'.encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, content in members.items():
        hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={hashed},{len(content)}")
    members[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in members.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return target.getvalue()
