"""Policies of images: read from TOML, held against a receipt, each violation with what to do."""

from __future__ import annotations

import pytest

from wheelyard.build_request import BuildRequest
from wheelyard.errors import InputError, from_document
from wheelyard.image_fields import ImageFields
from wheelyard.image_policy import ImagePolicy, policies_of, read_policy, with_service_policy
from wheelyard.image_receipt import Part, PartKind, Receipt, ToolProof
from wheelyard.licence_expression import is_met, licences_in
from wheelyard.listed_files import ListedFile
from wheelyard.policy_check import Judged, PolicyViolated, check_policies, violations_of

NUMPY = Part(
    kind=PartKind.WHEEL, name="numpy", version="2", unpacked=60_000_000, licences=("BSD-3-Clause",),
    licence="BSD-3-Clause", licence_source="License-Expression",
)  # fmt: skip
MOVIEPY = Part(
    kind=PartKind.WHEEL, name="moviepy", version="2", unpacked=1_000_000, licences=("MIT",), licence="MIT",
    licence_source="classifiers", requires=("numpy", "imageio-ffmpeg"),
)  # fmt: skip
FFMPEG = Part(kind=PartKind.WHEEL, name="imageio-ffmpeg", version="1", unpacked=170_000_000)
GLIBC = Part(
    kind=PartKind.PACKAGE, name="libc6", version="2.36", unpacked=5_000_000,
    licences=("GPL-2.0-or-later", "LGPL-2.1-or-later"),
    licence="GPL-2.0-or-later AND LGPL-2.1-or-later", licence_source="copyright",
)  # fmt: skip
PARTS = (NUMPY, MOVIEPY, FFMPEG, GLIBC)


def receipt(**more) -> Receipt:
    fields = {
        "digest": "sha256:" + "0" * 64,
        "image_id": "sha256:" + "1" * 64,
        "toolchain": "debian12-cp311",
        "release": "debian-12",
        "user": "1000:1000",
        "size": 1,
        "unpacked": 1,
        "files": 1,
        "file_bytes": sum(part.unpacked for part in PARTS),
        "layers": (),
        "parts": PARTS,
        "executables": (),
        "elves": (),
        "tools": (
            ToolProof(tool="gcc", names="gcc", by_content=True, found=()),
            ToolProof(tool="sh", names="sh", by_content=True, found=("/usr/bin/sh",)),
        ),
        "setuid": (),
        "capabilities": (),
        "repeated": (),
        "only_for": (),
        "looked_at": {},
    }
    return Receipt(**{**fields, **more})


def judged(*paths, labels=None, user="1000:1000", **more) -> Judged:
    files = [ListedFile(path=path, owner="numpy 2", mode=0o644, size=1, digest="") for path in paths]
    return Judged(receipt=receipt(**more), files=files, labels=labels or {}, user=user)


def found(policy, *paths, **more):
    return [
        (each.rule, each.found) for each in violations_of(ImagePolicy(**policy), judged(*paths, **more), "x")
    ]


def test_an_empty_policy_finds_nothing():
    assert ImagePolicy().is_empty
    assert found({}, "/usr/bin/sh", setuid=("/usr/bin/su",)) == []


@pytest.mark.parametrize(
    ("pattern", "path", "hit"),
    [
        ("*.a", "/usr/lib/libz.a", True),
        ("*.a", "/usr/lib/libz.so", False),
        ("/usr/bin/*", "/usr/bin/deep/er", True),
        ("/usr/bin/*", "/opt/usr/bin/x", False),
        ("numpy/tests/*", "/usr/local/lib/numpy/tests/a/b.py", True),
        ("*/tests/*", "/x/tests/y", True),
        ("secrets.json", "/app/deep/secrets.json", True),
        ("secrets.json", "/app/secrets.json.txt", False),
    ],
)
def test_a_forbidden_file_is_found_by_its_path_or_name(pattern, path, hit):
    assert bool(found({"forbidden_files": [pattern]}, path)) is hit


def test_many_forbidden_files_are_one_violation_with_their_owners():
    (violation,) = violations_of(
        ImagePolicy(forbidden_files=["*.a"]), judged(*(f"/lib/{number}.a" for number in range(9))), "service"
    )
    assert violation.found.endswith("and 4 more")
    assert "numpy 2" in violation.do
    assert violation.whose == "service"


def test_forbidden_projects_are_named_in_any_spelling_with_who_requires_them():
    ((rule, text),) = found({"forbidden_projects": ["Imageio_FFmpeg"]})
    assert rule == "forbidden_projects"
    assert "imageio-ffmpeg 1; moviepy 2 requires it" in text


def test_a_package_s_name_is_no_project_s():
    assert found({"forbidden_packages": ["numpy"], "forbidden_projects": ["libc6"]}) == []
    assert found({"forbidden_packages": ["libc*"]}) == [("forbidden_packages", "libc* forbids libc6 2.36")]


def test_a_tool_that_must_be_absent_is_named_with_its_place():
    assert found({"forbidden_tools": ["*"]}) == [("forbidden_tools", "sh is there: /usr/bin/sh")]


def test_only_allowed_licences_may_hold():
    ((rule, text),) = found({"allowed_licences": ["BSD-*", "GPL-*", "LGPL-*"]})
    assert (rule, text) == ("allowed_licences", "moviepy 2 is under MIT (its classifiers)")


def test_licences_are_the_same_in_any_case():
    assert found({"denied_licences": ["bsd-3-clause"]})[0][0] == "denied_licences"


def test_denied_licences_are_those_of_packages_too_unless_the_policy_looks_at_wheels_only():
    policy = {"denied_licences": ["GPL-*"]}
    assert found(policy) == [("denied_licences", "libc6 2.36 is under GPL-2.0-or-later (its copyright)")]
    assert found({**policy, "licences_of": ["wheel"]}) == []


def test_what_says_nothing_of_its_licence_is_refused_only_where_that_is_asked():
    assert found({"unknown_licences": "allow"}) == []
    assert [rule for rule, _ in found({"unknown_licences": "refuse"})] == ["unknown_licences"]


def test_the_budget_says_by_what_and_the_three_largest():
    ((rule, text),) = found({"size_budget": "200 MB"})
    assert rule == "size_budget"
    assert "236.0 MB, 36.0 MB more than the budget of 200.0 MB" in text
    assert "imageio-ffmpeg 1 (170.0 MB), numpy 2 (60.0 MB), libc6 2.36 (5.0 MB)" in text
    assert found({"size_budget": 236_000_000}) == []


def test_users_labels_and_rights():
    assert found({"users": ["[1-9]*:*"]}, user="0:0") == [("users", "it would run as 0:0")]
    assert found({"users": ["[1-9]*:*"]}) == []
    labels = {"required_labels": {"team": "*", "tier": "prod-*"}}
    assert found(labels, labels={"tier": "dev-1"}) == [
        ("required_labels", "the label team is missing"),
        ("required_labels", "the label tier is 'dev-1'"),
    ]
    assert found(labels, labels={"team": "video", "tier": "prod-1"}) == []
    assert found({"setuid": "refuse"}, capabilities=("/usr/bin/ping",))[0][0] == "setuid"


def test_all_violations_are_told_at_once_and_survive_the_way_to_the_client():
    policies = {
        "service": ImagePolicy(forbidden_tools=["sh"]),
        "request": ImagePolicy(forbidden_projects=["numpy"]),
    }
    with pytest.raises(PolicyViolated) as refusal:
        check_policies(policies, judged(), size_budget=1)
    error = from_document(refusal.value.to_document())
    assert isinstance(error, PolicyViolated)
    assert error.failed == "the image violates 3 rules and is not published"
    assert [(each["rule"], each["whose"]) for each in error.facts["violations"]] == [
        ("forbidden_tools", "service"),
        ("forbidden_projects", "request"),
        ("size_budget", "request"),
    ]


def test_a_request_can_not_loosen_the_policy_of_the_service(tmp_path):
    place = tmp_path / "policy.toml"
    place.write_text('forbidden_tools = ["sh"]\n')
    asked: dict[str, dict[str, list[str]]] = {"request": {}, "service": {"forbidden_tools": []}}
    policies = policies_of(with_service_policy(asked, place))
    with pytest.raises(PolicyViolated):
        check_policies(policies, judged())
    assert with_service_policy(None, None) is None


def test_a_user_or_label_that_violates_is_refused_before_anything_is_built():
    fields = ImageFields.model_validate({"policy": {"required_labels": {"team": "*"}}})
    with pytest.raises(PolicyViolated) as refusal:
        fields.checked_request(BuildRequest(requirements=("numpy",), toolchain="debian12-cp311"))
    assert refusal.value.failed == "the image would violate a rule"


@pytest.mark.parametrize("text", ['size_budget = "9 MB"\n', "[policy]\nsize_budget = 9000000\n"])
def test_the_fields_stand_at_the_top_of_the_file_or_in_a_table(tmp_path, text):
    place = tmp_path / "policy.toml"
    place.write_text(text)
    assert read_policy(place) == ImagePolicy(size_budget=9_000_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("forbiden_files = []", "perhaps you meant forbidden_files"),
        ('forbidden_files = "*.a"', "wrong at forbidden_files"),
        ('setuid = "no"', "wrong at setuid"),
        ('size_budget = "large"', "wrong at size_budget"),
        ("x = ", "is not TOML"),
    ],
)
def test_a_wrong_file_says_where(tmp_path, text, words):
    place = tmp_path / "policy.toml"
    place.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_policy(place)
    assert words in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError) as refusal:
        read_policy(tmp_path / "nowhere.toml")
    assert "nowhere.toml" in refusal.value.failed


def test_the_document_holds_only_what_is_asked():
    policy = ImagePolicy(forbidden_files=["*.a"], size_budget=5)
    assert policy.to_document() == {"forbidden_files": ["*.a"], "size_budget": 5}
    assert policies_of({"request": policy.to_document()}) == {"request": policy}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("MIT", True),
        ("MIT AND Zlib", False),
        ("MIT OR Zlib", True),
        ("Zlib OR (MIT AND ISC)", True),
        ("(MIT AND Zlib) OR Zlib", False),
        ("Zlib AND MIT OR ISC", True),
        ("mit", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        # No expression: all its words have to hold.
        ("MIT AND (ISC", True),
        ("MIT OR (Zlib", False),
        ("", True),
    ],
)
def test_an_expression_is_met_by_one_side_of_or_and_both_of_and(expression, met):
    assert (
        is_met(expression, lambda licence: licence in {"MIT", "ISC", "Apache-2.0 WITH LLVM-exception"}) is met
    )


def test_deep_brackets_do_no_harm():
    assert is_met("(" * 5000 + "MIT" + ")" * 5000, lambda licence: licence == "MIT") in (True, False)
    assert licences_in("MIT or Apache-2.0 WITH LLVM-exception AND MIT") == (
        "MIT",
        "Apache-2.0 WITH LLVM-exception",
    )
