"""What a command says of what a job made."""

from wheelyard.answers import JobAnswer
from wheelyard.cli.results import write_result


def test_a_build_is_said_to_have_taken_what_it_waited_for_too(capsys):
    document = {
        "id": "a",
        "state": "succeeded",
        "times": {"created": 1.0, "started": 1.0, "ended": 112.0},
        "result": {"wheels": [], "seconds": 15.0},
    }
    write_result(JobAnswer.from_document(document))
    assert "0 wheels, 0 B, 0 from the cache, 1:51" in capsys.readouterr().out
