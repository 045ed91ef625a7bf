"""Every setting with its unit and default; the one place that reads environment variables and `.env`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from knowledge.store import HOME


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
