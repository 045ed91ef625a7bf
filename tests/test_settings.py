"""Settings: every one has a unit and a default, and a wrong one says what it takes."""

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, load_settings

WRONG = {
    "MAX_CHARS": "many",
    "HISTORY_TURNS": "-1",
    "COUNTRY": "atlantis",
    "REVIEW_LEVEL": "none",
    "TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.300",
    "BODY_TIMEOUT": "0",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever deploys this reads which setting, which value, and what it is for."""
    monkeypatch.setenv(name, WRONG[name])
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert message.startswith(f"{name}=")
    assert WRONG[name].rpartition(" ")[2] in message
    assert str(Settings.model_fields[name.lower()].description) in message
    assert "\n" not in message


def test_proxies_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses and networks, of both kinds."""
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, ::1,192.0.2.7")
    assert [str(network) for network in load_settings().trusted_proxies] == ["10.0.0.0/8", "::1/128", "192.0.2.7/32"]


def test_settings_are_read_from_a_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.env` in the working folder; the environment wins."""
    (tmp_path / ".env").write_text("MAX_CHARS=500\nSESSION_RATE=7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SESSION_RATE", "9")
    assert (load_settings().max_chars, load_settings().session_rate) == (500, 9)


UNITS = ("a minute", "seconds", "days", "characters", "turns", "threads", "pages", "questions", "visitors", "milli")


def test_every_number_has_a_unit() -> None:
    """The description of a number says of what."""
    for name, field in Settings.model_fields.items():
        if field.annotation in (int, float):
            assert any(unit in str(field.description) for unit in UNITS), name
