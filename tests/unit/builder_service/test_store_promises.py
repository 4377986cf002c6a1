"""What the readiness says of the store, tried once and in the background."""

from __future__ import annotations

from builder_service.store_promises import StorePromises
from wheelyard.errors import StoreUnavailable
from wheelyard.store.contract import Promise


def test_broken_promises_are_named_with_what_they_cost_and_tried_once(until):
    asked = []

    def check():
        asked.append(1)
        return (Promise(name="a"), Promise(name="b", found="it can't", costs="no redirects"))

    promises = StorePromises(check)
    assert promises.broken() == {}
    until(lambda: promises.broken() == {"b": "it can't; no redirects"})
    promises.broken()
    assert len(asked) == 1


def test_a_store_that_is_out_is_tried_again(until):
    answers = [StoreUnavailable("out"), (Promise(name="b", found="it can't", costs="much"),)]

    def check():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    promises = StorePromises(check)
    until(lambda: promises.broken() == {"b": "it can't; much"})
