"""Who may edit: every claim of a login is checked, whatever the cookie says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.editors import Login, recognise
from app.settings import Settings
from knowledge.errors import NotAllowedError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AUTH = {
    "client_id": "guide",
    "client_secret": "x",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "server_metadata_url": "http://localhost/.well-known/openid-configuration",
    "redirect_uri": "http://localhost:8501/oauth2callback",
}
ANN: dict[str, Any] = {
    "is_logged_in": True,
    "provider": "default",
    "iss": "http://localhost",
    "sub": "ann-1",
    "aud": "guide",
    "exp": NOW.timestamp() + 60,
    "email": "Ann@example.org",
    "email_verified": True,
}
SETTINGS = Settings(editors="ann@example.org, both@example.org", reviewers="sub:rev-9,both@example.org")


def roles(**claims: Any) -> frozenset[str]:
    """Return the roles of Ann's login with some claims changed."""
    return recognise(ANN | claims, Login.of(AUTH), SETTINGS, NOW).roles


def test_the_allow_list_gives_the_roles() -> None:
    """By verified e-mail in any case, or by subject."""
    assert roles() == {"editor"}
    assert roles(email="both@example.org") == {"editor", "reviewer"}
    assert roles(sub="rev-9", email=None) == {"reviewer"}
    assert roles(aud=["other", "guide"]) == {"editor"}


# (claims that differ, a word of the reason)
REFUSED = [
    ({"is_logged_in": False}, "log in"),
    ({"is_logged_in": "true"}, "log in"),
    ({"aud": "another-app"}, "another app"),
    ({"aud": None}, "another app"),
    ({"aud": "guide-2"}, "another app"),
    ({"aud": ["another-app"]}, "another app"),
    ({"provider": "second"}, "another app"),
    ({"exp": NOW.timestamp()}, "expired"),
    ({"exp": None}, "expired"),
    ({"exp": "9999999999"}, "expired"),
    ({"exp": True}, "expired"),
    ({"sub": ""}, "nobody"),
    ({"iss": None}, "nobody"),
    ({"email": "visitor@example.org"}, "may not edit"),
    ({"email_verified": False}, "may not edit"),
    ({"email_verified": "true"}, "may not edit"),
    ({"email": ["ann@example.org"]}, "may not edit"),
    ({"email": ""}, "may not edit"),
    ({"email": "sub:rev-9"}, "may not edit"),
    ({"email": "xann@example.org"}, "may not edit"),
    ({"email": "ann@example.org, both@example.org"}, "may not edit"),
]


@pytest.mark.parametrize(("claims", "reason"), REFUSED)
def test_a_login_is_refused(claims: dict[str, Any], reason: str) -> None:
    """One wrong claim is enough, and the reason names nobody on the list."""
    with pytest.raises(NotAllowedError, match=reason) as caught:
        roles(**claims)
    assert "example.org" not in str(caught.value)


def test_nobody_is_allowed_where_no_list_is_set() -> None:
    """The default is no editor at all."""
    with pytest.raises(NotAllowedError):
        recognise(ANN, Login.of(AUTH), Settings(editors=None, reviewers=""), NOW)


@pytest.mark.parametrize("missing", ["client_id", "cookie_secret", "server_metadata_url", "redirect_uri"])
def test_a_login_that_is_not_fully_set_up_is_none(missing: str) -> None:
    """No page then."""
    assert Login.of(AUTH) is not None
    assert Login.of({k: v for k, v in AUTH.items() if k != missing}) is None
    assert Login.of({}) is None


def test_a_short_cookie_secret_is_no_set_up() -> None:
    """A login cookie that could be forged by guessing opens nothing."""
    assert Login.of(AUTH | {"cookie_secret": "secret"}) is None


def test_without_a_set_up_even_a_perfect_claim_is_refused() -> None:
    """Claims count only where a provider vouches for them."""
    with pytest.raises(NotAllowedError):
        recognise(ANN, None, SETTINGS, NOW)
