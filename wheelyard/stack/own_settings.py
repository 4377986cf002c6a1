"""The settings of a stack that `wheelyard up` made in its data folder, for programs that work beside it."""

from __future__ import annotations

from pydantic import SecretStr

from wheelyard.settings import Settings
from wheelyard.stack.servers import BUCKET, redis_address
from wheelyard.stack.stack_folder import StackFolder


def with_own_servers(settings: Settings) -> Settings:
    """The settings, where they name no store or no Redis with those of the stack in the data folder.

    Nothing is made or drawn: where no stack ever ran, the settings stay as they are.
    """
    folder = StackFolder(settings.data_dir.absolute())
    ports = folder.last_ports()
    if ports is None or not (folder.root / "secrets.json").is_file():
        return settings
    drawn = folder.secrets()
    filled: dict[str, object] = {}
    if not settings.store_url and not settings.s3_endpoint:
        filled |= {
            "store_url": f"s3://{BUCKET}",
            "s3_endpoint": f"http://127.0.0.1:{ports.s3}",
            "s3_region": "us-east-1",
            "s3_access_key": drawn.s3_access_key,
            "s3_secret_key": SecretStr(drawn.s3_secret_key),
        }
    if not settings.redis_url:
        filled["redis_url"] = redis_address(ports, drawn.redis_password)
    return settings.model_copy(update=filled)
