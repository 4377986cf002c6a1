"""The settings of one process, read once at its start from `WHEELYARD_…` variables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from wheelyard.errors import InputError


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "wheelyard"


class Settings(BaseSettings):
    """Everything that differs between one machine and many. Frozen; nothing else reads the environment."""

    model_config = SettingsConfigDict(env_prefix="WHEELYARD_", frozen=True, extra="ignore")

    url: str = Field("", description="Address of the service that the client talks to.")
    token: SecretStr = Field(
        SecretStr(""),
        description="Token that the client sends; the service's own one, which may do everything.",
    )
    public_reads: bool = Field(
        True,
        description="Whether everybody may read pages, files, jobs and logs, or the scope read is needed.",
    )
    oidc_rules: str = Field(
        "", description="Whose ID tokens are exchanged: path of a TOML file, or JSON; empty means nobody's."
    )

    data_dir: Path = Field(default_factory=_default_data_dir, description="Folder of the one-machine stack.")
    host: str = Field("127.0.0.1", description="Address that the service listens on.")
    port: int = Field(8765, ge=1, le=65535, description="TCP port that the service listens on.")
    public_url: str = Field("", description="Address that clients see; empty means http://host:port.")

    min_free_disk: int = Field(5 << 30, ge=0, description="Free bytes that `up` wants in its data folder.")
    database_url: str = Field("", description="SQLAlchemy address; empty means SQLite in the data folder.")
    redis_url: str = Field("", description="Redis-protocol server; empty means that `up` starts one.")
    store_url: str = Field(
        "", description="s3://BUCKET/PREFIX or file:///FOLDER; empty means that `up` starts S3."
    )
    s3_endpoint: str = Field("", description="Address of the S3 server; empty means AWS.")
    s3_region: str = Field("us-east-1", description="S3 region.")
    s3_access_key: str = Field("", description="S3 access key id; empty means boto3's own chain.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="S3 secret key.")
    s3_profile: str = Field("", description="Profile of the AWS files that credentials come from.")
    s3_path_style: Literal["auto", "path", "virtual"] = Field(
        "auto", description="Where the bucket stands in addresses; auto means in the path with an endpoint."
    )
    s3_sse: Literal["", "AES256", "aws:kms"] = Field(
        "", description="What S3 encrypts with: AES256 or aws:kms; empty leaves it to the bucket."
    )
    s3_sse_kms_key: str = Field("", description="Key id for aws:kms; empty means the account's own.")
    serve_files: Literal["stream", "redirect"] = Field(
        "stream", description="Whether a file's address streams its bytes or redirects to a presigned one."
    )

    run_images: bool = Field(
        False,
        description="Whether who has the scope build may pull run/TOOLCHAIN/PROJECT, which is then made.",
    )
    run_wait_seconds: float = Field(
        55.0,
        ge=0,
        le=3600,
        description="Seconds that such a pull waits for the image before it is told to come again.",
    )

    toolchain: str = Field("debian12-cp311", description="Toolchain for requests that name none.")
    toolchains_dir: Path | None = Field(
        None, description="Folder of more toolchain files; a name there wins."
    )
    recipes_dir: Path | None = Field(
        None,
        description="Folder of the team's recipes, laid over the shipped ones; `up` has one in its own.",
    )
    image_policy: Path | None = Field(
        None, description="TOML file with what must hold of every image; a request can't loosen it."
    )
    image_registry: str = Field(
        "", description="Registry that toolchains given by reference are pulled from."
    )
    debian_mirror: str = Field("", description="Debian mirror; empty means the one that apt uses.")
    index_url: str = Field("", description="Upstream package index; empty means pip's configured one.")
    git_hosts: str = Field(
        "",
        description="Patterns of hosts that git sources may come from, with commas; empty means none.",
    )
    upstream_page_seconds: int = Field(
        600, ge=0, description="Seconds for which the upstream index is not asked again for a project's page."
    )

    layers_ahead: bool = Field(
        False, description="Whether a wheel's image layer is made when the wheel is built, as a batch job."
    )
    engine: Literal["auto", "podman", "docker"] = Field("auto", description="Container engine.")
    compile_slots: int = Field(
        0, ge=0, description="Compiles that one worker runs at the same time; 0 means as many as fit."
    )
    compile_jobs: int = Field(
        0, ge=0, description="Parallel jobs inside one compile; 0 means as many as it can ever have cores."
    )
    worker_cores: float = Field(
        0, ge=0, description="Cores that a worker may use; 0 means what the machine or its cgroup has."
    )
    worker_memory: int = Field(
        0, ge=0, description="Bytes that a worker's builds may use together; 0 means most of what there is."
    )
    build_memory: int = Field(8 << 30, ge=1 << 28, description="Memory of one build container, in bytes.")
    build_disk: int = Field(12 << 30, ge=1 << 28, description="Size of a build container's tmpfs, in bytes.")
    build_pids: int = Field(4096, ge=64, description="Processes that one build container may have.")
    build_timeout: int = Field(7200, ge=1, description="Time that one compile may take, in seconds.")
    max_build_memory: int = Field(
        64 << 30, ge=0, description="Most memory that a request may ask for, in bytes."
    )
    max_build_disk: int = Field(64 << 30, ge=0, description="Most disk that a request may ask for, in bytes.")
    max_build_timeout: int = Field(
        86400, ge=0, description="Longest compile that a request may ask for, in seconds."
    )
    resolve_timeout: int = Field(900, ge=1, description="Time that one resolver step may take, in seconds.")
    max_wheel_bytes: int = Field(1 << 30, ge=1, description="Largest wheel that is accepted, in bytes.")
    max_upload_bytes: int = Field(2 << 30, ge=1, description="Largest upload that is taken, in bytes.")
    max_log_bytes: int = Field(64 << 20, ge=1 << 16, description="Longest log that is kept, in bytes.")
    resolve_max_age: int = Field(3600, ge=0, description="Seconds for which a lock answers an equal request.")

    metrics_host: str = Field("127.0.0.1", description="Address that a worker's own numbers are served on.")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65520,
        description="Port of a worker's own numbers, or the first free one of the 15 after it; 0 means none.",
    )
    otel_endpoint: str = Field(
        "", description="OpenTelemetry collector for traces, OTLP over HTTP; empty means no traces."
    )

    lease_seconds: float = Field(30.0, gt=0, description="Time after which a silent worker loses its job.")
    drain_seconds: float = Field(
        10.0,
        ge=0,
        description="Time that running jobs have when a worker is told to stop; then they go back.",
    )
    relay_seconds: float = Field(2.0, gt=0, description="Pause between two rounds of the relay.")
    max_attempts: int = Field(3, ge=1, description="Tries of a job whose infrastructure failed.")

    idempotency_seconds: int = Field(
        86400,
        ge=60,
        description="Seconds for which a repeat with the same Idempotency-Key is answered alike.",
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signs webhooks: whsec_ and base64; empty means that none are taken."
    )
    webhook_hosts: str = Field(
        "", description="Patterns of hosts that webhooks may go to, with commas; empty means public ones."
    )
    webhook_attempts: int = Field(10, ge=1, le=20, description="Tries of one webhook, over about a day.")
    webhook_pause_seconds: float = Field(
        8.0,
        gt=0,
        description="Pause after a webhook's first failed try; each further one is three times as long.",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _is_a_signing_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            from wheelyard.webhooks import signing_key

            try:
                signing_key(value.get_secret_value())
            except InputError as error:
                raise ValueError(f"{error.expected}; {error.do}") from error
        return value

    @property
    def webhook_host_patterns(self) -> tuple[str, ...]:
        """The patterns of `webhook_hosts`, one by one."""
        return tuple(pattern.strip() for pattern in self.webhook_hosts.split(",") if pattern.strip())

    @property
    def git_host_patterns(self) -> tuple[str, ...]:
        """The patterns of `git_hosts`, one by one."""
        return tuple(pattern.strip() for pattern in self.git_hosts.split(",") if pattern.strip())

    @property
    def effective_database_url(self) -> str:
        """The database's address, with the one-machine default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'wheelyard.db'}"

    @property
    def effective_public_url(self) -> str:
        """Address that clients see, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def read_settings(**overrides: object) -> Settings:
    """Read the process's settings once.

    :param overrides: values that win over the environment; None is passed over.
    :raises InputError: a variable has a value that it can't have; the message names the variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks each of them
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "settings"
        raise InputError(
            f"WHEELYARD_{field.upper()} has a value that it can't have",
            expected=first["msg"],
            found=repr(first.get("input")) if "secret" not in field and field != "token" else "(hidden)",
            do="mend or unset that variable",
        ) from error
