"""A login → what it may do on the editors' page. Every claim of the login is checked again at every act.

Streamlit keeps a login in a signed cookie for thirty days and does not look at the token's expiry or audience again:
that is done here. Somebody who may not act is told nothing about who may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.settings import Settings
from knowledge.errors import NotAllowedError

Role = Literal["editor", "reviewer"]
MIN_SECRET = 32  # characters of the cookie secret; a shorter one can be guessed and a login forged


@dataclass(frozen=True)
class Login:
    """How the login provider is set up: `[auth]` in Streamlit's secrets.

    Attributes:
        client_id: what this app is called at the provider; every token must be meant for it.
        cookie_secret: signs the login cookie.

    """

    client_id: str
    cookie_secret: str

    @classmethod
    def of(cls, auth: Mapping[str, object]) -> "Login | None":
        """Return the set-up, or None where there is none, or one that could be forged: then there is no page."""
        client, secret = str(auth.get("client_id") or ""), str(auth.get("cookie_secret") or "")
        whole = client and len(secret) >= MIN_SECRET and auth.get("server_metadata_url") and auth.get("redirect_uri")
        return cls(client, secret) if whole else None


@dataclass(frozen=True)
class Person:
    """Somebody on the allow-list. `issuer` and `subject` name the login; only a pseudonym of them is ever written."""

    issuer: str
    subject: str
    roles: frozenset[Role]


def recognise(claims: Mapping[str, object], login: Login | None, settings: Settings, now: datetime) -> Person:
    """Return who is logged in and what they may do.

    Args:
        claims: what the login says, as in `st.user`.
        login: how logins are set up, if they are.
        settings: holds the allow-lists `editors` and `reviewers`.
        now: the present moment, with its time zone.

    Raises:
        NotAllowedError: nobody is, or the login is not for this app, too old, or on no list.

    """
    if login is None or claims.get("is_logged_in") is not True:
        raise NotAllowedError("log in first")
    audience = claims.get("aud")
    meant_for = audience if isinstance(audience, list) else [audience]
    if login.client_id not in meant_for or claims.get("provider") != "default":
        raise NotAllowedError("this login is for another app")
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or now.timestamp() >= expires:
        raise NotAllowedError("your login has expired: log in again")
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not (isinstance(issuer, str) and issuer and isinstance(subject, str) and subject):
        raise NotAllowedError("this login names nobody")
    names = {f"sub:{subject}"}
    email = claims.get("email")
    if claims.get("email_verified") is True and isinstance(email, str) and not email.startswith("sub:"):
        names.add(email.casefold())
    lists: dict[Role, str | None] = {"editor": settings.editors, "reviewer": settings.reviewers}
    roles = frozenset(role for role, listed in lists.items() if names & _names(listed))
    if not roles:
        raise NotAllowedError("this login may not edit")
    return Person(issuer, subject, roles)


def _names(listed: str | None) -> frozenset[str]:
    """Split an allow-list; e-mail addresses count in any case, subjects as they are written."""
    names = (name.strip() for name in (listed or "").split(","))
    return frozenset(name if name.startswith("sub:") else name.casefold() for name in names if name)
