"""The secrets that a destination knows, cut out of what people may read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretStr

from base.masking import MASK, mask, mask_text

SHORTEST: Final = 4  # a shorter secret would blot out half of any text, and hides nothing


def secret_values(settings: Any) -> Iterator[str]:
    """Every secret of a settings model, nested ones too."""
    if isinstance(settings, SecretStr):
        yield settings.get_secret_value()
    elif isinstance(settings, BaseModel):
        for name in type(settings).model_fields:
            yield from secret_values(getattr(settings, name))
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from secret_values(value)


class Cutter:
    """`learned` gives the secrets that are known by now beside `fixed`: tokens come and go."""

    def __init__(self, fixed: Iterable[str], learned: Callable[[], Iterable[str]]) -> None:
        self._fixed = tuple(fixed)
        self._learned = learned

    def text(self, text: str) -> str:
        """By the names of the house (base.masking), and by value, also as it stands in a URL or a form."""
        spelled = {way(value) for value in (*self._fixed, *self._learned()) for way in (str, quote, quote_plus)}
        for value in sorted(spelled, key=len, reverse=True):
            if len(value) >= SHORTEST:
                text = text.replace(value, MASK)
        return mask_text(text)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        masked: dict[str, str] = mask(dict(headers))
        return {name: self.text(value) for name, value in masked.items()}
