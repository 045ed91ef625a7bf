"""The one tree of exceptions of the project.

    GuideError                  anything this project raises on purpose
    ├── KnowledgeError          the fact base as a whole cannot be used
    │   ├── BrokenFileError     a YAML file cannot be read
    │   ├── UnknownIdError      an id that no file has
    │   ├── SignOffError        a sign-off, a rejection or a retraction was refused
    │   └── EditConflictError   a file changed between reading and writing it
    ├── AuditError              the log of editors' acts cannot be written or read, so no act goes on
    ├── EncoderError            the encoder or its weights are missing or not the expected ones
    ├── FeedbackError           the store of visitors' feedback cannot be opened or does not answer
    ├── IndexUnavailableError   the vector index cannot be built, opened or searched
    ├── NotAllowedError         nobody is logged in, or may not do this
    └── UnsignedTextError       something was about to be shown that nobody signed

Content that is wrong is not an exception but a `knowledge.schema.Problem`: all problems are listed at once, and the
other files still load. Every message says what to do next.
"""


class GuideError(Exception):
    """Root of the tree; commands turn it into one clear line and exit code 2."""


class KnowledgeError(GuideError):
    """The fact base as a whole cannot be used."""


class BrokenFileError(KnowledgeError):
    """A YAML file cannot be read.

    Attributes:
        code: "unreadable" or "yaml", see knowledge/README.md.
        line: where, counted from 1.
        mend: what to do about it.

    """

    def __init__(self, code: str, line: int, message: str, mend: str) -> None:
        super().__init__(message)
        self.code, self.line, self.mend = code, line, mend


class UnknownIdError(KnowledgeError):
    """An id that no file has."""


class SignOffError(KnowledgeError):
    """A sign-off, a rejection or a retraction was refused; the message says why."""


class EditConflictError(KnowledgeError):
    """A file changed after it was read; nothing was written, so neither editor's words are lost."""


class AuditError(GuideError):
    """The log of editors' acts cannot be written or read, so no act goes on."""


class EncoderError(GuideError):
    """The encoder or its weights are missing or not the expected ones."""


class FeedbackError(GuideError):
    """The store of visitors' feedback cannot be opened or does not answer; never holds a visitor's words."""


class IndexUnavailableError(GuideError):
    """The vector index cannot be built, opened or searched."""


class NotAllowedError(GuideError):
    """Nobody is logged in, or the login may not do this."""


class UnsignedTextError(GuideError):
    """Something was about to be shown that nobody signed: the reply is withheld."""
