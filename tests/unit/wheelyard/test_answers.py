from wheelyard.answers import BuildResult, JobAnswer, read_error
from wheelyard.client import problem_error
from wheelyard.errors import BuildFailed, InfrastructureError, InputError, NotFound, WheelyardError


def test_an_error_survives_the_way_through_a_problem():
    error = BuildFailed("it failed", expected="a", found="b", do="c", first_error="x.c:1: error")
    problem = {"type": "/problems/build-failed", "status": 422, "detail": "it failed", **error.to_document()}
    again = problem_error(problem, 422)
    assert type(again) is BuildFailed
    assert again.to_document() == error.to_document()


def test_a_problem_of_an_unknown_kind_is_judged_by_its_status():
    assert type(problem_error({"detail": "x", "kind": "news"}, 422)) is InputError
    assert type(problem_error({"detail": "x", "kind": "news"}, 429)) is InfrastructureError
    assert type(problem_error({"title": "x"}, 503)) is InfrastructureError
    assert problem_error({}, 500).failed == "the service answered 500"


def test_facts_that_bear_the_names_of_fields_do_no_harm():
    error = read_error({"kind": "not-found", "failed": "x", "facts": {"failed": 1, "self": 2, "good": 3}})
    assert type(error) is NotFound
    assert error.facts == {"good": 3}


def test_an_error_of_the_wrong_shape_is_still_one():
    assert isinstance(read_error({"facts": [1, 2], "failed": None}), WheelyardError)


def test_a_job_may_lack_fields():
    job = JobAnswer.from_document({"id": "a", "state": "queued"})
    assert not job.ended
    assert (job.children, job.created_at, job.error) == ((), 0.0, None)


def test_a_failed_job_without_an_error_says_so():
    assert "did not say why" in JobAnswer.from_document({"id": "a", "state": "failed"}).failure().failed


def test_a_build_result_may_lack_what_came_later():
    result = BuildResult.from_document(
        {"wheels": [{"project": "a", "version": "1", "filename": "a.whl", "digest": "0" * 64, "size": 3}]}
    )
    assert not result.wheels[0].hit
    assert result.lock == ""


def test_a_job_took_as_long_as_from_its_first_claim_to_its_end():
    times = {"created": 1.0, "started": 3.0, "ended": 0.0}
    assert JobAnswer.from_document({"id": "a", "state": "building", "times": times}).seconds == 0.0
    ended = JobAnswer.from_document({"id": "a", "state": "succeeded", "times": {**times, "ended": 10.0}})
    assert ended.seconds == 7.0
