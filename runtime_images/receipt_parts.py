"""Whose file each one is: of a wheel, a Debian package, a native, the application, or the rest of a layer."""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from runtime_images.file_tree import FileTree
from runtime_images.installed_projects import APPLICATION, Installed, find_installed
from runtime_images.layer_contents import LayerContents
from runtime_images.layer_facts import LayerFacts
from runtime_images.licence_names import UNSAID
from wheelyard.image_receipt import Part, PartKind
from wheelyard.image_record import ImageRecord
from wheelyard.oci import Layer

Read = tuple[Layer, LayerContents, LayerFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageParts:
    """The parts of an image, and who owns each path.

    :param parts: wheels, packages, natives, application, rests; each by title.
    :param owners: path without a slash at its start, to the title of its part.
    """

    parts: tuple[Part, ...]
    owners: Mapping[str, str]

    def owner(self, path: str) -> str:
        """Title of a path's part; empty where it is none's."""
        return self.owners.get(path, "")

    def kinds(self) -> dict[str, PartKind]:
        """Title to the kind of a part."""
        return {part.title: part.kind for part in self.parts}


def find_parts(record: ImageRecord, layers: Sequence[Read], tree: FileTree) -> ImageParts:
    """Divide the files of an image among those who brought them.

    A path of a wheel's own layer that its RECORD names is the wheel's; one that dpkg's database names, the
    package's; what is below /app or in a native's layer is theirs; the rest is the layer's.

    :param layers: bottom first.
    :param tree: the layers laid on each other.
    """
    installed = find_installed(
        record,
        [(layer, facts) for layer, _contents, facts in layers],
        taken=[_part_of_layer(layer).title for layer, _contents, _facts in layers],
    )
    known = _known_parts(installed, [facts for _layer, _contents, facts in layers])
    claims = _claims(layers, installed, known)
    owners: dict[str, str] = {}
    layer_of: dict[str, int] = {}
    for number, (layer, contents, _facts) in enumerate(layers):
        rest, claimed = _part_of_layer(layer), claims[number]
        for path, entry in contents.entries.items():
            if entry.kind in ("file", "link") and tree.get(path) is entry:
                title = claimed.get(path) or claimed.get(_source_of(path)) or rest.title
                known.setdefault(title, rest)
                owners[path], layer_of[path] = title, number
    of_image = [layer for layer, _contents, _facts in layers]
    return ImageParts(parts=tuple(_sized(known, owners, layer_of, of_image, tree)), owners=owners)


def _known_parts(installed: Sequence[Installed], facts: Sequence[LayerFacts]) -> dict[str, Part]:
    copyrights = {name: said for each in facts for name, said in each.copyrights.items()}
    projects = {one.project.name for one in installed}
    parts: dict[str, Part] = {}
    for one in installed:
        project, pin = one.project, one.pin
        part = Part(
            kind=PartKind.WHEEL,
            name=project.name,
            version=project.version,
            licences=project.licence.names,
            licence=project.licence.expression,
            licence_source=project.licence.source,
            requires=_required(project.requires, projects),
            digest="" if pin is None else str(pin.digest),
            filename="" if pin is None else pin.filename,
            components=project.components,
        )
        parts[part.title] = part
    for package in (package for each in facts for package in each.packages):
        said = copyrights.get(package.name, UNSAID)
        part = Part(
            kind=PartKind.PACKAGE,
            name=package.name,
            version=package.version,
            architecture=package.architecture,
            source=package.source,
            licences=said.names,
            licence=said.expression,
            licence_source=said.source,
        )
        parts[part.title] = part
    return parts


def _required(requires: Iterable[str], projects: Container[str]) -> tuple[str, ...]:
    """Projects of the image that are required without an extra."""
    found = set()
    for line in requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        name = canonicalize_name(requirement.name)
        # An extra's own marker is false without that extra; other markers chose what is in the image.
        if name in projects and "extra ==" not in str(requirement.marker or ""):
            found.add(name)
    return tuple(sorted(found))


def _claims(
    layers: Sequence[Read], installed: Sequence[Installed], known: Mapping[str, Part]
) -> list[Mapping[str, str]]:
    """Path to title, for each layer: a RECORD says nothing of other layers, a package's list does."""
    claimed: dict[str, str] = {}
    for _layer, _contents, facts in layers:
        for package in facts.packages:
            title = f"{package.name} {package.version}"
            own = (
                *package.files,
                f"var/lib/dpkg/status.d/{package.name}",
                f"var/lib/dpkg/status.d/{package.name}.md5sums",
                f"usr/share/doc/{package.name}/copyright",
                f"usr/share/doc/{package.name}",
            )
            claimed |= dict.fromkeys(own, title)
    claimed = {path: title for path, title in claimed.items() if title in known}
    recorded: list[dict[str, str]] = [{} for _ in layers]
    for one in installed:
        recorded[one.layer] |= dict.fromkeys(one.project.files, one.title)
    return [ChainMap(each, claimed) for each in recorded]


def _source_of(path: str) -> str:
    """The Python file of which a path is the bytecode; empty where it is none."""
    folder, cache, name = path.rpartition("/__pycache__/")
    return f"{folder}/{name.partition('.')[0]}.py" if cache and name.endswith(".pyc") else ""


def _part_of_layer(layer: Layer) -> Part:
    """The part that owns what nobody claims in a layer."""
    word, _, rest = layer.title.partition(" ")
    if layer.title == APPLICATION:
        return Part(kind=PartKind.APPLICATION, name=layer.title)
    if word in ("native", "natives") and rest:
        return Part(kind=PartKind.NATIVE, name=rest)
    return Part(kind=PartKind.REST, name=layer.title)


def _sized(
    known: Mapping[str, Part],
    owners: Mapping[str, str],
    layer_of: Mapping[str, int],
    layers: Sequence[Layer],
    tree: FileTree,
) -> Iterable[Part]:
    """The parts with their sizes.

    :param layer_of: path to the number of its layer, from the bottom.
    """
    sizes: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    counts: dict[str, int] = defaultdict(int)
    for path, title in owners.items():
        entry = tree.get(path)
        if entry is not None:
            sizes[title][layer_of[path]] += entry.size
            counts[title] += entry.kind == "file"
    in_layer: dict[int, int] = defaultdict(int)
    for each in sizes.values():
        for number, size in each.items():
            in_layer[number] += size
    # A part whose files other layers replaced, or of which only the database is left, has none.
    for title, part in sorted(known.items(), key=lambda item: (item[1].kind, item[0])):
        own = sizes.get(title)
        if not own:
            if part.digest:
                # A wheel is judged also where others say that its files are theirs.
                yield part
            continue
        largest = max(own, key=lambda number: (own[number], number))
        share = sum(layers[number].size * size // max(in_layer[number], 1) for number, size in own.items())
        yield replace(
            part,
            layer=str(layers[largest].digest),
            files=counts[title],
            unpacked=sum(own.values()),
            compressed=share,
            alone=all(size == in_layer[number] for number, size in own.items()),
        )
