"""The same small lock in the forms of uv and of PEP 751."""

from __future__ import annotations

from wheelyard.digests import Digest

SDIST, WHEEL, OTHER = Digest.of(b"sdist"), Digest.of(b"wheel"), Digest.of(b"other")
COMMIT = "1f0e" * 10

UV_LOCK = f"""\
version = 1
revision = 3
requires-python = ">=3.9"
resolution-markers = ["python_full_version >= '3.11'", "python_full_version < '3.11'"]

[[package]]
name = "app"
version = "0.1.0"
source = {{ editable = "." }}
dependencies = [
    {{ name = "requests", extra = ["socks"] }},
    {{ name = "numpy", version = "1.26.4", marker = "python_full_version < '3.11'" }},
    {{ name = "numpy", version = "2.4.6", marker = "python_full_version >= '3.11'" }},
    {{ name = "pywin32", marker = "sys_platform == 'win32'" }},
]

[package.optional-dependencies]
video = [{{ name = "clips" }}]

[package.dev-dependencies]
test = [{{ name = "pytest" }}]

[[package]]
name = "requests"
version = "2.32.5"
source = {{ registry = "https://index.example/simple" }}
dependencies = [{{ name = "idna" }}]
sdist = {{ url = "https://x/requests-2.32.5.tar.gz", hash = "{SDIST}", size = 1 }}
wheels = [{{ url = "https://x/requests-2.32.5-py3-none-any.whl", hash = "{WHEEL}", size = 1 }}]

[package.optional-dependencies]
socks = [{{ name = "pysocks" }}]

[[package]]
name = "idna"
version = "3.11"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://x/idna-3.11.tar.gz", hash = "{OTHER}", size = 1 }}

[[package]]
name = "pysocks"
version = "1.7.1"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://x/PySocks-1.7.1.tar.gz", hash = "{OTHER}", size = 1 }}

[[package]]
name = "numpy"
version = "1.26.4"
source = {{ registry = "https://index.example/simple" }}
resolution-markers = ["python_full_version < '3.11'"]
sdist = {{ url = "https://x/numpy-1.26.4.tar.gz", hash = "{OTHER}", size = 1 }}

[[package]]
name = "numpy"
version = "2.4.6"
source = {{ registry = "https://index.example/simple" }}
resolution-markers = ["python_full_version >= '3.11'"]
sdist = {{ url = "https://x/numpy-2.4.6.tar.gz", hash = "{SDIST}", size = 1 }}

[[package]]
name = "pywin32"
version = "311"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "https://x/pywin32-311-cp311-cp311-win_amd64.whl", hash = "{WHEEL}", size = 1 }}]

[[package]]
name = "clips"
version = "1.0"
source = {{ git = "https://git.example.org/clips.git?subdirectory=python&rev=main#{COMMIT}" }}
dependencies = [{{ name = "idna" }}]

[[package]]
name = "pytest"
version = "9.2.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "https://x/pytest-9.2.0-py3-none-any.whl", hash = "{WHEEL}", size = 1 }}]
"""

PYLOCK = f"""\
lock-version = "1.0"
environments = ["sys_platform == 'linux'"]
requires-python = ">=3.9"
extras = ["video"]
dependency-groups = ["test"]
created-by = "tests"

[[packages]]
name = "requests"
version = "2.32.5"
marker = "python_version >= '3.9'"
sdist = {{ name = "requests-2.32.5.tar.gz", url = "https://x/a", hashes = {{ sha256 = "{SDIST.hex}" }} }}
[[packages.wheels]]
url = "https://x/requests-2.32.5-py3-none-any.whl"
hashes = {{ sha256 = "{WHEEL.hex}" }}

[[packages]]
name = "pywin32"
version = "311"
marker = "sys_platform == 'win32'"
[[packages.wheels]]
url = "https://x/pywin32-311-cp311-cp311-win_amd64.whl"
hashes = {{ sha256 = "{WHEEL.hex}" }}

[[packages]]
name = "clips"
marker = "'video' in extras"
[packages.vcs]
type = "git"
url = "https://git.example.org/clips.git"
commit-id = "{COMMIT}"
subdirectory = "python"

[[packages]]
name = "pytest"
version = "9.2.0"
marker = "'test' in dependency_groups and python_version >= '3.10'"
sdist = {{ name = "pytest-9.2.0.tar.gz", url = "https://x/a", hashes = {{ sha256 = "{OTHER.hex}" }} }}

[[packages]]
name = "app"
directory = {{ path = ".", editable = true }}
"""
