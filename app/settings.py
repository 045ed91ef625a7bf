"""Every setting with its unit and default; the one place that reads environment variables and `.env`."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from knowledge.errors import GuideError
from knowledge.store import HOME


class SettingsError(GuideError):
    """A setting has a value that cannot be used; the message names each, and what it takes."""


class Settings(BaseSettings):
    """Settings by environment variable of the same name in capitals, or by `.env` in the working folder."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    knowledge_dir: Path = Field(HOME, description="folder with facts, known errors, notices and help lines")
    index_dir: Path = Field(
        HOME.parent / ".index", description="folder for the vector index, a cache; must be writable"
    )
    review_level: Literal["source-checked", "clinician"] = Field(
        "source-checked", description="serve nothing that was reviewed below this level"
    )
    country: Literal["us", "uk", "ie", "ca", "au", "nz", "international"] = Field(
        "international", description="whose help lines are shown until the visitor chooses a country"
    )
    encoder: Literal["minilm"] = Field("minilm", description="the model that turns text into vectors")
    encoder_threads: int = Field(2, ge=1, le=64, description="threads one encoding may use")
    max_chars: int = Field(2000, ge=100, le=10_000, description="longest message accepted, in characters")
    history_turns: int = Field(10, ge=0, le=50, description="earlier turns of a conversation that count")
    data_dir: Path = Field(
        HOME.parent / ".data", description="folder for what visitors chose to send and for the audit log; kept"
    )
    feedback_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL of the feedback store; default: a SQLite file in the data folder"
    )
    min_group: int = Field(
        5, ge=1, le=100, description="visitors who must have asked alike before editors see the questions"
    )
    feedback_days: int = Field(90, ge=1, le=365, description="how long feedback is kept, in days")
    editors: str | None = Field(
        None, description="who may write drafts on the editors' page: verified e-mails or sub:<subject>, with commas"
    )
    reviewers: str | None = Field(None, description="who may sign there; the same form")
    session_rate: int = Field(20, ge=0, le=10_000, description="messages a minute from one open page; 0: no limit")
    address_rate: int = Field(
        600, ge=0, le=1_000_000, description="messages and API requests a minute from one network address; 0: no limit"
    )
    max_pages: int = Field(500, ge=1, le=100_000, description="pages open at the same time in one process")
    address_pages: int = Field(
        100, ge=1, le=100_000, description="pages open at the same time from one network address"
    )
    max_waiting: int = Field(64, ge=1, le=10_000, description="API questions in work at the same time in one process")
    body_timeout: int = Field(10, ge=1, le=300, description="longest time the body of a request may take, in seconds")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (),
        description="other machines whose X-Forwarded-For is believed: addresses or networks, comma-separated",
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def load_settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: a value cannot be used.

    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_fault, error.errors()))) from error


def _fault(fault: Any) -> str:
    name = str(fault["loc"][0])
    meaning = Settings.model_fields[name].description
    return f"{name.upper()}={fault['input']!s:.80} cannot be used: {fault['msg']} ({meaning})"
