"""Log events → one JSON object a line on standard error; standard output belongs to the answers."""

import sys

import structlog


def configure() -> None:
    """Set up structlog. Every command and the server call this first; a process that does not gets structlog's own."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
