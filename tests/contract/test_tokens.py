"""Access tokens in the database, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from tests.asked_statements import asked_statements
from wheelyard.access_token import Scope
from wheelyard.errors import Conflict, InputError, NotFound
from wheelyard.tokens import REMEMBERED_SECONDS, Tokens


class Ticks:
    """A monotonic clock that stands until a test moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def tokens(database, clock, ticks):
    return Tokens(database, clock, ticks)


@pytest.fixture
def statements(database):
    with asked_statements(database) as asked:
        yield asked


def test_a_token_is_found_by_its_secret_and_by_nothing_else(tokens):
    made, secret = tokens.create("CI", [Scope.BUILD, Scope.PUBLISH], ["team", "default"], 3600)
    assert tokens.find(secret) == made
    assert (made.scopes, made.channels) == ((Scope.BUILD, Scope.PUBLISH), ("default", "team"))
    assert made.expires_at == made.made_at + 3600
    for other in ("", "wy_", secret[:-1], secret + "A", secret[:-1] + "\u00e9", made.id, "wy_" + "A" * 43):
        assert tokens.find(other) is None


def test_a_secret_has_256_random_bits_and_only_its_digest_is_kept(tokens, database):
    drawn = {tokens.create("CI", [Scope.READ])[1] for _ in range(20)}
    assert {len(secret) for secret in drawn} == {46}
    assert len(drawn) == 20
    with database.reading() as session:
        kept = str(session.execute(text("SELECT * FROM tokens")).all())
    assert not [secret for secret in drawn if secret in kept or secret.removeprefix("wy_") in kept]


def test_a_find_is_one_question_and_then_none(tokens, statements, ticks):
    _made, secret = tokens.create("CI", [Scope.READ])
    for number in range(50):
        tokens.create(f"other {number}", [Scope.READ])
    tokens.find(secret)
    ticks.now += REMEMBERED_SECONDS
    statements.clear()
    tokens.find(secret)
    assert [statement.split()[0] for statement in statements] == ["SELECT"]
    for _ in range(100):
        tokens.find(secret)
    assert len(statements) == 1


def test_its_use_is_noted_once_a_minute_at_the_most(tokens, statements, clock, ticks):
    made, secret = tokens.create("CI", [Scope.READ])
    statements.clear()
    for _ in range(30):
        tokens.find(secret)
        clock.now, ticks.now = clock.now + 10, ticks.now + 10
    assert len([statement for statement in statements if statement.startswith("UPDATE")]) == 5
    (listed,) = tokens.list()
    assert made.used_at == 0
    assert clock.now - listed.used_at <= 60


def test_revocation_holds_at_once_here_and_elsewhere_within_the_time_that_is_said(database, clock, ticks):
    here, elsewhere = (Tokens(database, clock, ticks) for _ in range(2))
    made, secret = here.create("CI", [Scope.READ])
    assert here.find(secret).is_good(clock.now)
    assert elsewhere.find(secret).is_good(clock.now)
    here.revoke(made.id)
    assert not here.find(secret).is_good(clock.now)
    ticks.now += REMEMBERED_SECONDS
    assert not elsewhere.find(secret).is_good(clock.now)
    assert elsewhere.find(secret).revoked_at == clock.now


def test_to_revoke_twice_is_the_same_as_once(tokens, clock):
    made, _secret = tokens.create("CI", [Scope.READ])
    first = tokens.revoke(made.id)
    clock.now += 100
    assert tokens.revoke(made.id) == first
    with pytest.raises(NotFound):
        tokens.revoke("no-such-token")


def test_ended_tokens_are_listed_only_when_they_are_asked_for(tokens, clock):
    names = {"for ever": None, "an hour": 3600, "a minute": 60}
    ids = {name: tokens.create(name, [Scope.READ], lifetime=seconds)[0].id for name, seconds in names.items()}
    assert {token.name for token in tokens.list()} == set(names)
    clock.now += 61
    tokens.revoke(ids["an hour"])
    assert [token.name for token in tokens.list()] == ["for ever"]
    assert {token.name for token in tokens.list(ended=True)} == set(names)


def test_an_expired_token_is_found_and_says_that_it_expired(tokens, clock, ticks):
    _made, secret = tokens.create("CI", [Scope.READ], lifetime=60)
    assert tokens.find(secret).is_good(clock.now)
    clock.now += 60
    assert not tokens.find(secret).is_good(clock.now)
    ticks.now += REMEMBERED_SECONDS
    assert not tokens.find(secret).is_good(clock.now)


def test_what_was_exchanged_is_not_exchanged_again_until_it_is_too_old_to_be_shown(tokens, clock):
    tokens.create("CI", [Scope.READ], lifetime=900, exchanged="issuer jti")
    with pytest.raises(Conflict):
        tokens.create("CI", [Scope.READ], lifetime=900, exchanged="issuer jti")
    tokens.create("CI", [Scope.READ], lifetime=900, exchanged="issuer another")
    assert len(tokens.list()) == 2
    clock.now += 9 * 86400
    tokens.create("CI", [Scope.READ], lifetime=900, exchanged="issuer jti")
    assert len(tokens.list(ended=True)) == 1


def test_of_many_exchanges_of_one_thing_at_once_one_succeeds(tokens):
    def exchange(_number):
        try:
            return tokens.create("CI", [Scope.READ], lifetime=900, exchanged="once")[1]
        except Conflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [secret for secret in pool.map(exchange, range(24)) if secret]
    assert len(made) == 1


@pytest.mark.parametrize(
    ("name", "scopes", "channels"),
    [
        ("", ["read"], []),
        ("a\nb", ["read"], []),
        ("x" * 201, ["read"], []),
        ("CI", [], []),
        ("CI", ["read"], ["../up"]),
        ("CI", ["admin"], ["default"]),
    ],
)
def test_refuses_a_token_that_makes_no_sense(tokens, name, scopes, channels):
    with pytest.raises(InputError):
        tokens.create(name, [Scope(scope) for scope in scopes], channels)
    assert tokens.list(ended=True) == []
