"""Texts encoded many at a time, ahead of being asked one by one."""

from collections.abc import Iterable

import numpy as np

from knowledge.encoder import Encoder
from knowledge.lexicon import Lexicon
from knowledge.text import clean, plain


class Warm(Encoder):
    """An encoder that remembers every text it has encoded. Give it to `Bot.open`; the bot does not notice."""

    def __init__(self, inner: Encoder) -> None:
        self.fingerprint = inner.fingerprint
        self._inner = inner
        self._rows: dict[str, np.ndarray] = {}

    def encode(self, texts: list[str]) -> np.ndarray:
        """See `Encoder.encode`."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._rows]
        if missing:
            self._rows.update(zip(missing, self._inner.encode(missing), strict=True))
        return np.stack([self._rows[text] for text in texts]) if texts else self._inner.encode(texts)

    def warm(self, messages: Iterable[str], lexicon: Lexicon) -> None:
        """Encode what a bot will ask for when it hears these messages; parts of one are left to when it is asked."""
        texts = [clean(message) for message in messages]
        self.encode([*map(plain, texts), *map(lexicon.canonical, texts)])

    def forget(self) -> None:
        """Forget every text, so that the next one takes as long as it takes a visitor."""
        self._rows.clear()
