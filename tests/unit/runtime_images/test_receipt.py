"""Receipts of tiny images: who owns what, what needs what, what is proved, and what is only guessed."""

from __future__ import annotations

import json
import platform
import tarfile
from pathlib import Path

import pytest

from runtime_images.layer_contents import read_contents
from runtime_images.layer_reading import read_facts
from runtime_images.receipt import ReadLayer, keep_receipt, make_receipt
from wheelyard.digests import Digest
from wheelyard.image_receipt import PartKind, Reach, Receipt, files_document, load_receipt
from wheelyard.image_record import ImageRecord, WheelPin
from wheelyard.listed_files import load_files
from wheelyard.oci import Runtime, make_image

MACHINE = platform.machine()
LIB = f"usr/lib/{MACHINE}-linux-gnu"
SITE = "usr/local/lib/python3.11/dist-packages"


class Images:
    """Images out of layers in a short notation, each with its receipt."""

    def __init__(self, store, scratch, tars, put_layer):
        self.store, self.scratch, self.tars, self._put = store, scratch, tars, put_layer
        self.layers = []

    def layer(self, title, members, modes=None):
        tar = self.tars.write(members, modes)
        self.layers.append((tar, self._put(tar, title)))

    def record(self, *wheels: WheelPin) -> ImageRecord:
        layers = tuple(layer for _tar, layer in self.layers)
        image = make_image(layers, Runtime())
        return ImageRecord(
            key=image.digest.hex,
            image_id=image.id,
            config_size=1,
            manifest_digest=image.digest,
            manifest_size=1,
            toolchain="debian12-cp311",
            toolchain_image=str(Digest.of(b"image")),
            layers=layers,
            wheels=wheels,
            workdir="/app",
            user="1000:1000",
            size=sum(layer.size for layer in layers),
            unpacked=sum(layer.unpacked for layer in layers),
        )

    def receipt(self, *wheels: WheelPin) -> Receipt:
        read = [
            ReadLayer(layer=layer, contents=read_contents(tar), facts=read_facts(tar))
            for tar, layer in self.layers
        ]
        return make_receipt(self.record(*wheels), read, MACHINE).receipt


@pytest.fixture
def images(store, scratch, tars, put_layer):
    return Images(store, scratch, tars, put_layer)


def wheel(project, members=None, metadata="", version="1.0"):
    """An installed project's files, with METADATA and RECORD."""
    info = f"{SITE}/{project}-{version}.dist-info"
    files = {f"{SITE}/{path}": content for path, content in (members or {}).items()}
    head = f"Metadata-Version: 2.4\nName: {project}\nVersion: {version}\n{metadata}\n"
    names = [
        *(members or {}),
        f"{project}-{version}.dist-info/METADATA",
        f"{project}-{version}.dist-info/RECORD",
    ]
    record = "".join(f"{name},,\n" for name in names)
    return {**files, f"{info}/METADATA": head.encode(), f"{info}/RECORD": record.encode()}


def package(name, paths, members, version="1-1", copyright_text=None):
    """A Debian package's files and its place in the database."""
    status = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
    sums = "".join(f"{'0' * 32}  {path}\n" for path in paths)
    found = {
        **members,
        f"var/lib/dpkg/status.d/{name}": status.encode(),
        f"var/lib/dpkg/status.d/{name}.md5sums": sums.encode(),
    }
    if copyright_text is not None:
        found[f"usr/share/doc/{name}/copyright"] = copyright_text.encode()
    return found


def module(linker, name, needed=(), **more):
    """A Python extension module."""
    return linker.library("", needed, **more) + b"\0PyInit_" + name.encode() + b"\0"


def part(receipt, title):
    found = receipt.part(title)
    assert found is not None, [each.title for each in receipt.parts]
    return found


def elf(receipt, name):
    (found,) = [each for each in receipt.elves if each.name == name]
    return found


def test_each_file_belongs_to_the_wheel_or_package_that_names_it(images, linker):
    images.layer(
        "base demo",
        {
            **package("libz1", [f"{LIB}/libz.so.1"], {f"{LIB}/libz.so.1": linker.library("libz.so.1")}),
            "etc/passwd": b"root",
        },
    )
    images.layer(
        "ape 1.0 and bee 1.0", {**wheel("ape", {"ape.py": b"1" * 700}), **wheel("bee", {"bee.py": b"2"})}
    )
    images.layer("application", {"app/main.py": b"print()"})
    receipt = images.receipt()
    assert {each.title: each.kind for each in receipt.parts} == {
        "libz1 1-1": PartKind.PACKAGE,
        "base demo": PartKind.REST,
        "ape 1.0": PartKind.WHEEL,
        "bee 1.0": PartKind.WHEEL,
        "application": PartKind.APPLICATION,
    }
    assert part(receipt, "ape 1.0").files == 3
    assert part(receipt, "application").unpacked == len(b"print()")
    assert sum(each.unpacked for each in receipt.parts) == receipt.file_bytes


def test_only_a_part_with_a_layer_of_its_own_is_measured_compressed(images):
    images.layer("ape 1.0 and bee 1.0", {**wheel("ape", {"ape.py": b"1" * 700}), **wheel("bee")})
    images.layer("cow 1.0", wheel("cow", {"cow.py": b"3" * 300}))
    receipt = images.receipt()
    cow = part(receipt, "cow 1.0")
    assert (cow.alone, cow.compressed) == (True, images.layers[1][1].size)
    ape, bee = part(receipt, "ape 1.0"), part(receipt, "bee 1.0")
    assert not ape.alone
    assert not bee.alone
    assert ape.compressed > bee.compressed
    assert 0 <= images.layers[0][1].size - ape.compressed - bee.compressed <= 1


def test_bytecode_of_the_standard_library_is_its_package_s(images):
    source, cache = "usr/lib/python3.11/ast.py", "usr/lib/python3.11/__pycache__/ast.cpython-311.pyc"
    images.layer("base demo", package("libpython", [source], {source: b"1", cache: b"22"}))
    assert part(images.receipt(), "libpython 1-1").files == 4


def test_the_wheel_s_pin_and_its_requirements_stand_in_its_part(images):
    pin = WheelPin(
        project="ape", version="1.0", filename="ape-1.0-py3-none-any.whl", digest=Digest.of(b"ape")
    )
    metadata = 'Requires-Dist: bee>=1\nRequires-Dist: cow; extra == "more"\nRequires-Dist: nowhere\n'
    images.layer("ape 1.0", wheel("ape", {}, metadata))
    images.layer("bee 1.0", wheel("bee"))
    images.layer("cow 1.0", wheel("cow"))
    ape = part(images.receipt(pin), "ape 1.0")
    assert (ape.digest, ape.filename) == (str(pin.digest), pin.filename)
    assert ape.requires == ("bee",)


def test_a_wheel_s_own_sbom_says_what_was_grafted_into_it(images):
    bom = {
        "components": [
            {"name": "ape", "version": "1.0"},
            {"name": "libjpeg", "version": "2", "purl": "pkg:deb/x"},
        ]
    }
    sbom = {f"{SITE}/ape-1.0.dist-info/sboms/auditwheel.cdx.json": json.dumps(bom).encode()}
    images.layer("ape 1.0", {**wheel("ape"), **sbom})
    (component,) = part(images.receipt(), "ape 1.0").components
    assert (component.name, component.version, component.purl) == ("libjpeg", "2", "pkg:deb/x")


def test_follows_needs_from_a_module_to_the_library_at_the_end(images, linker):
    images.layer(
        "base demo",
        {
            f"{LIB}/libone.so.1": linker.library("libone.so.1", ("libtwo.so.2",)),
            f"{LIB}/libtwo.so.2.5": linker.library("libtwo.so.2"),
            f"{LIB}/libtwo.so.2": "libtwo.so.2.5",
            f"{LIB}/libalone.so.3": linker.library("libalone.so.3"),
        },
    )
    images.layer("ape 1.0", wheel("ape", {"ape.so": module(linker, "ape", ("libone.so.1", "libgone.so.9"))}))
    receipt = images.receipt()
    assert elf(receipt, "ape.so").reach is Reach.IMPORTED
    assert elf(receipt, "ape.so").needs == (("libone.so.1", f"/{LIB}/libone.so.1"), ("libgone.so.9", ""))
    two = elf(receipt, "libtwo.so.2.5")
    assert (two.reach, two.by) == (Reach.NEEDED, f"/{LIB}/libone.so.1")
    assert elf(receipt, "libalone.so.3").reach is Reach.NOTHING
    assert [each.name for each in receipt.not_loaded] == ["libalone.so.3"]


def test_a_library_whose_name_stands_in_a_file_is_called_a_guess(images, linker):
    named = {f"{LIB}/lib{name}.so.1": linker.library(f"lib{name}.so.1") for name in ("talk", "find", "dead")}
    images.layer("base demo", {**named, f"{LIB}/libonly.so": linker.library("x") + b"\0libdead.so.1\0"})
    source = b'ctypes.CDLL("libtalk.so.1"); find_library("find")'
    images.layer("ape 1.0", wheel("ape", {"ape.py": source}))
    receipt = images.receipt()
    talk = elf(receipt, "libtalk.so.1")
    assert (talk.reach, talk.by) == (Reach.MENTIONED, f"/{SITE}/ape.py")
    assert elf(receipt, "libfind.so.1").reach is Reach.MENTIONED
    # What nothing leads to tells nothing of others.
    assert elf(receipt, "libdead.so.1").reach is Reach.NOTHING


def test_what_is_opened_by_a_name_that_is_filled_in_is_mentioned(images, linker):
    images.layer("base demo", {f"{LIB}/libGLX_mesa.so.0": linker.library("libGLX_mesa.so.0")})
    images.layer("ape 1.0", wheel("ape", {"ape.so": module(linker, "ape") + b"\0libGLX_%s.so.0\0"}))
    assert elf(images.receipt(), "libGLX_mesa.so.0").reach is Reach.MENTIONED


def test_a_file_for_another_c_library_is_foreign(images, linker):
    musl = linker.library("", (f"libc.musl-{MACHINE}.so.1",))
    images.layer("ape 1.0", wheel("ape", {"musl.so": musl}))
    assert elf(images.receipt(), "musl.so").reach is Reach.FOREIGN


def test_says_what_is_there_for_one_wheel_alone(images, linker):
    libraries = {f"{LIB}/lib{name}.so.1": linker.library(f"lib{name}.so.1") for name in ("gl", "z")}
    images.layer(
        "base demo",
        {
            **package("libgl1", [f"{LIB}/libgl.so.1"], libraries),
            **package("libz1", [f"{LIB}/libz.so.1"], {}),
        },
    )
    images.layer("ape 1.0", wheel("ape", {"ape.so": module(linker, "ape", ("libgl.so.1", "libz.so.1"))}))
    images.layer("bee 1.0", wheel("bee", {"bee.so": module(linker, "bee", ("libz.so.1",))}))
    (only,) = images.receipt().only_for
    assert (only.part, only.packages, only.files) == ("ape 1.0", ("libgl1 1-1",), 1)
    assert only.size == len(libraries[f"{LIB}/libgl.so.1"])


def test_a_shell_is_found_under_another_name_too(images):
    bash = Path("/bin/bash").read_bytes()
    images.layer("base demo", {"usr/bin/harmless": bash, "usr/bin/bash": b""}, {"usr/bin/harmless": 0o755})
    receipt = images.receipt()
    found = {proof.tool: proof.found for proof in receipt.tools}
    assert found["bash"] == ("/usr/bin/harmless",)
    assert found["sh"] == ("/usr/bin/harmless",)
    assert found["gcc"] == ()
    assert receipt.looked_at["programs"] == 1


def test_a_tool_that_may_not_be_run_is_found_by_its_marks(images):
    """The loader starts what it can read, whatever its mode."""
    bash = Path("/bin/bash").read_bytes()
    images.layer("base demo", {"usr/share/innocent": bash}, {"usr/share/innocent": 0o644})
    receipt = images.receipt()
    assert ("/usr/share/innocent",) in [proof.found for proof in receipt.tools]
    (program,) = receipt.executables
    assert not program.can_start


def test_scripts_say_whether_their_interpreter_is_there(images):
    images.layer(
        "base demo",
        {"usr/bin/python3": b"", "usr/bin/one": b"#!/usr/bin/python3 -s\n", "usr/bin/two": b"#!/bin/sh\n"},
        {"usr/bin/one": 0o755, "usr/bin/two": 0o755},
    )
    found = {each.path: (each.interpreter, each.can_start) for each in images.receipt().executables}
    assert found == {"/usr/bin/one": ("/usr/bin/python3 -s", True), "/usr/bin/two": ("/bin/sh", False)}


def test_setuid_files_and_capabilities_are_both_told(images, tmp_path, put_layer):
    path = tmp_path / "rights.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode, headers in (
            ("usr/bin/su", 0o4755, {}),
            ("usr/bin/ping", 0o755, {"SCHILY.xattr.security.capability": "x"}),
        ):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.pax_headers = mode, headers
            tar.addfile(entry)
    images.layers.append((path, put_layer(path, "base rights")))
    receipt = images.receipt()
    assert (receipt.setuid, receipt.capabilities) == (("/usr/bin/su",), ("/usr/bin/ping",))


def test_three_builds_of_one_project_are_found_by_their_names(images, linker):
    filler = bytes(70_000)
    images.layer(
        "ape 1.0", wheel("ape", {"ape.libs/libavcodec-0a1b2c3d.so.59": linker.library("a") + filler})
    )
    images.layer("bee 1.0", wheel("bee", {"bee.libs/libavcodec.so.60": linker.library("b") + filler * 2}))
    images.layer("cow 1.0", wheel("cow", {"bin/ffmpeg-linux-v7": linker.library("c") + filler * 3}))
    (found,) = [each for each in images.receipt().repeated if not each.exact]
    assert found.what == "ffmpeg"
    assert [copy.owner for copy in found.copies] == ["ape 1.0", "bee 1.0", "cow 1.0"]
    assert found.saves == found.copies[0].size + found.copies[1].size


def test_different_libraries_of_two_wheels_are_no_repetition(images, linker):
    filler = bytes(70_000)
    images.layer(
        "ape 1.0", wheel("ape", {"ape.libs/libgfortran-0a1b2c3d.so.5": linker.library("a") + filler})
    )
    images.layer("bee 1.0", wheel("bee", {"bee.libs/libgomp-0a1b2c3d.so.1": linker.library("b") + filler}))
    assert images.receipt().repeated == ()


def test_equal_bytes_in_two_places_are_told_with_what_they_cost(images):
    images.layer("ape 1.0", wheel("ape", {"one.bin": b"x" * 70_000, "two.bin": b"x" * 70_000, "a.py": b""}))
    (found,) = images.receipt().repeated
    assert (found.exact, found.saves) == (True, 70_000)


@pytest.mark.parametrize(
    ("metadata", "names", "source"),
    [
        (
            "License-Expression: MIT OR Apache-2.0 WITH LLVM-exception",
            ("Apache-2.0", "MIT"),
            "License-Expression",
        ),
        ("License: BSD-3-Clause", ("BSD-3-Clause",), "License"),
        (
            "License: see the file\nClassifier: License :: OSI Approved :: MIT License",
            ("MIT",),
            "classifiers",
        ),
        ("Classifier: License :: OSI Approved :: BSD License", ("LicenseRef-BSD",), "classifiers"),
        ("", (), ""),
    ],
)
def test_a_wheel_s_licence_is_read_from_the_best_field_that_says_it(images, metadata, names, source):
    images.layer("ape 1.0", wheel("ape", {}, metadata))
    ape = part(images.receipt(), "ape 1.0")
    assert (ape.licences, ape.licence_source) == (names, source)


def test_a_package_has_every_licence_of_its_copyright_file(images):
    text = (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
        "Files: *\nLicense: GPL-2+ with OpenSSL exception\n\nFiles: x\nLicense: Expat or LGPL-2.1+\n"
    )
    images.layer("base demo", package("demo", [], {}, copyright_text=text))
    demo = part(images.receipt(), "demo 1-1")
    assert demo.licences == ("GPL-2.0-or-later", "LGPL-2.1-or-later", "MIT")
    assert images.receipt().licences()["MIT"] == ("demo 1-1",)


def test_a_free_text_names_no_licence(images):
    images.layer("base demo", package("demo", [], {}, copyright_text="You may do what you like.\n"))
    assert images.receipt().licences() == {"": ("demo 1-1",)}


def test_broken_elf_files_and_documents_do_no_harm(images):
    broken = b"\x7fELF" + b"\xff" * 60
    images.layer(
        "ape 1.0",
        {
            **wheel("ape", {"bad.so": broken, "short.so": b"\x7fELF"}),
            f"{SITE}/ape-1.0.dist-info/sboms/a.json": b"[1, {",
            f"{SITE}/bee-1.0.dist-info/METADATA": b"\xff\xfe",
        },
    )
    receipt = images.receipt()
    # What nobody names in a wheel's own layer is the wheel's.
    assert [(each.title, each.files) for each in receipt.parts] == [("ape 1.0", 6)]
    assert receipt.executables == ()


def test_is_kept_by_the_image_s_digest_and_read_the_second_time(images):
    images.layer("ape 1.0", wheel("ape", {"ape.py": b"1"}))
    record = images.record()
    first = keep_receipt(images.store, record, MACHINE, images.scratch)
    for layer in record.layers:
        images.store.delete_blob(layer.digest)
    assert keep_receipt(images.store, record, MACHINE, images.scratch) == first
    assert load_receipt(images.store, record.manifest_digest) == first
    files = load_files(images.store, record.manifest_digest)
    assert files is not None
    assert files.by_path()[f"/{SITE}/ape.py"].owner == "ape 1.0"


def test_is_made_again_where_the_list_of_files_is_lost(images):
    images.layer("ape 1.0", wheel("ape", {"ape.py": b"1"}))
    record = images.record()
    first = keep_receipt(images.store, record, MACHINE, images.scratch)
    listed = load_files(images.store, record.manifest_digest)
    images.store.delete_document(files_document(record.manifest_digest))
    assert keep_receipt(images.store, record, MACHINE, images.scratch) == first
    assert load_files(images.store, record.manifest_digest) == listed


def test_the_same_image_has_the_same_receipt_in_another_order(images, linker):
    members = wheel("ape", {"b.so": module(linker, "b"), "a.so": module(linker, "a"), "c.py": b"libx.so.1"})
    images.layer("ape 1.0", members)
    first = images.receipt().to_document()
    images.layers.clear()
    images.layer("ape 1.0", dict(reversed(members.items())))
    second = images.receipt().to_document()
    for name in ("digest", "image_id", "layers", "size"):
        first.pop(name)
        second.pop(name)
    for each in (*first["parts"], *second["parts"]):
        each.pop("layer")
        each.pop("compressed")
    assert first == second


def pin_of(project, version="1.0"):
    filename = f"{project}-{version}-py3-none-any.whl"
    return WheelPin(project=project, version=version, filename=filename, digest=Digest.of(project.encode()))


def says(project, licence, folder, version="1.0", record=""):
    """A `.dist-info` that says something of a project."""
    head = f"Name: {project}\nVersion: {version}\nLicense-Expression: {licence}\n"
    return {f"{folder}/METADATA": head.encode(), f"{folder}/RECORD": record.encode()}


AGPL = "License-Expression: AGPL-3.0-only"


@pytest.mark.parametrize("version", ["1.0", "9.0"])
def test_the_application_does_not_speak_for_a_pinned_wheel(images, version):
    images.layer("ape 1.0", wheel("ape", {"ape.py": b"1"}, AGPL))
    theirs = f"../../../../{SITE}"
    record = "".join(
        f"{theirs}/{path},,\n"
        for path in ("ape.py", "ape-1.0.dist-info/METADATA", "ape-1.0.dist-info/RECORD")
    )
    folder = f"app/lib/site-packages/ape-{version}.dist-info"
    images.layer("application", says("ape", "MIT", folder, version, record))
    ape = part(images.receipt(pin_of("ape")), "ape 1.0")
    assert (ape.kind, ape.licences, ape.files) == (PartKind.WHEEL, ("AGPL-3.0-only",), 3)
    assert ape.filename == "ape-1.0-py3-none-any.whl"


def test_the_application_speaks_for_no_project_of_the_base_and_for_no_layer(images):
    images.layer("base demo", wheel("ape", {}, AGPL))
    images.layer("native bee 1.0", {"opt/bee": b"1"})
    site = "app/lib/site-packages"
    images.layer(
        "application",
        {
            **says("ape", "MIT", f"{site}/ape-1.0.dist-info"),
            **says("bee", "MIT", f"{site}/bee-1.0.dist-info", record="x,,\n"),
        },
    )
    receipt = images.receipt()
    assert part(receipt, "ape 1.0").licences == ("AGPL-3.0-only",)
    assert (part(receipt, "bee 1.0").kind, part(receipt, "bee 1.0").licences) == (PartKind.NATIVE, ())


def test_a_wheel_does_not_speak_for_another_one_of_its_group(images):
    images.layer(
        "2 wheels: ape 1.0, bee 1.0",
        {
            **wheel("ape", {"ape.py": b"1"}, AGPL),
            **wheel("bee"),
            **says("ape", "MIT", f"{SITE}/zoo-1.0.dist-info", record=f"/{SITE}/ape.py,,\n"),
        },
    )
    ape = part(images.receipt(pin_of("ape"), pin_of("bee")), "ape 1.0")
    assert (ape.licences, ape.files) == (("AGPL-3.0-only",), 3)


def test_all_holds_that_is_said_of_a_wheel_in_two_places_of_its_group(images):
    members = {
        **wheel("ape", {}, AGPL),
        **says("ape", "MIT) OR (MIT", "usr/local/lib/a/site-packages/ape-1.0.dist-info"),
    }
    images.layer("2 wheels: ape 1.0, bee 1.0", members)
    assert part(images.receipt(pin_of("ape")), "ape 1.0").licence == "AGPL-3.0-only AND MIT"


def test_a_pinned_wheel_whose_metadata_can_not_be_read_says_nothing_and_stays_a_wheel(images):
    images.layer("ape 1.0", {f"{SITE}/ape.py": b"1"})
    images.layer("application", says("ape", "MIT", "app/site-packages/ape-1.0.dist-info"))
    ape = part(images.receipt(pin_of("ape")), "ape 1.0")
    assert (ape.kind, ape.licences, ape.files) == (PartKind.WHEEL, (), 1)
    images.layers.clear()
    images.layer("base demo", {})
    assert part(images.receipt(pin_of("ape")), "ape 1.0").files == 0


@pytest.mark.parametrize(
    "bom",
    [
        b'{"components": {"a": 1}}',
        b'{"components": 1}',
        b"[" * 100_000,
        b'{"components": [{"name": "\\ud800"}]}',
        b'{"components": [{"name": ["a"], "version": {}}]}',
    ],
)
def test_an_sbom_that_is_none_is_passed_over(images, bom):
    images.layer("ape 1.0", {**wheel("ape"), f"{SITE}/ape-1.0.dist-info/sboms/a.json": bom})
    components = keep_receipt(images.store, images.record(), MACHINE, images.scratch).parts[0].components
    assert [one.name for one in components] in ([], ["?"], [""])


def test_a_record_with_a_field_without_end_is_passed_over(images):
    record = {f"{SITE}/ape-1.0.dist-info/RECORD": b"a" * 200_000}
    images.layer("ape 1.0", {**wheel("ape"), **record})
    assert part(images.receipt(), "ape 1.0").files == 2
