"""Ids that any worker knows for ours without a look-up (design.md, section 3, "Identity without a database").

An id is 32 bytes, written as 64 hex: kind, version of the key, 15 bytes of payload, 15 of an HMAC-SHA256 tag over the
rest. The payload is random, or a keyed hash of what identifies the person or the device. Hashed ids are sealed with
the person key (version 0), which is never rotated: the same person keeps the same id when the secret is replaced.
"""

import hashlib
import hmac
from collections.abc import Sequence
from enum import Enum
from typing import Final

from base.ids import IdSource
from base.logs import Logger
from collector.settings import IdentitySettings

_SIZE: Final = 32
_PART: Final = 15
_BLOCK: Final = 64  # of SHA-256; a key is half as long
_PERSON: Final = 0
_DEVELOPMENT_SECRET: Final = b"ochn's development secret: everybody knows it"


class IdKind(Enum):
    CUSTOMER = ord("c")  # uid: a person
    VISITOR = ord("p")  # pid: a browser
    MOBILE = ord("m")  # mobileId: a device


_KINDS: Final = {kind.value: kind for kind in IdKind}


class Identity:
    """`secret` seals random ids, `previous` ones are still known; `person` keys the hashes."""

    def __init__(self, secret: bytes, previous: Sequence[bytes], person: bytes, ids: IdSource) -> None:
        self._ids = ids
        self._hash_key = _derive(person, b"hash")
        self._tags: dict[int, list[Tag]] = {_PERSON: [Tag(_derive(person, b"tag"))]}
        for each in (secret, *previous):
            self._tags.setdefault(_version(each), []).append(Tag(_derive(each, b"tag")))
        self._current = _version(secret)
        self._seals = [_derive(each, b"seal") for each in (secret, *previous)]

    def fresh(self, kind: IdKind) -> str:
        return self._write(kind, self._current, self._ids.random(_PART))

    def hashed(self, kind: IdKind, *facts: str) -> str:
        """The same id for the same facts, always. NUL parts them."""
        message = "\0".join(facts).encode("utf-8", "surrogatepass")
        return self._write(kind, _PERSON, hmac.digest(self._hash_key, message, "sha256")[:_PART])

    def kind_of(self, text: str) -> IdKind | None:
        """None: not ours. Any text may be asked about."""
        if len(text) != _SIZE * 2:
            return None
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            return None
        if len(raw) != _SIZE or raw[0] not in _KINDS:
            return None
        body, tag = raw[:-_PART], raw[-_PART:]
        for tag_of in self._tags.get(raw[1], ()):
            if hmac.compare_digest(tag_of(body), tag):
                return _KINDS[raw[0]] if raw.hex() == text else None
        return None

    def seal(self, message: bytes) -> bytes:
        return hmac.digest(self._seals[0], message, "sha256")

    def is_sealed(self, message: bytes, seal: bytes) -> bool:
        return any(hmac.compare_digest(hmac.digest(key, message, "sha256"), seal) for key in self._seals)

    def _write(self, kind: IdKind, version: int, payload: bytes) -> str:
        body = bytes((kind.value, version)) + payload
        return (body + self._tags[version][0](body)).hex()


class Tag:
    """The first bytes of HMAC-SHA256 (RFC 2104) under one key, whose two hashes are begun once: to look for its hash by
    name and begin it anew, as `hmac.digest` does, takes four times as long, and there is a tag in each visitor's id."""

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def __call__(self, body: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(body)
        outer.update(inner.digest())
        return outer.digest()[:_PART]


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"ochn " + purpose, "sha256")


def _version(secret: bytes) -> int:
    """From the secret itself, not from its place in the settings, so that it stays when another moves in front."""
    return 1 + hashlib.sha256(b"ochn version " + secret).digest()[0] % 255


def build_identity(settings: IdentitySettings, ids: IdSource, logger: Logger) -> Identity:
    """Settings without a secret are the `dev` profile's: nothing else passes validation."""
    if settings.secret is None:
        logger.info("identity.development_secret", hint="set identity.secret before anybody else can reach this")
    secret = settings.secret.get_secret_value().encode() if settings.secret else _DEVELOPMENT_SECRET
    person = (
        settings.person_secret.get_secret_value().encode() if settings.person_secret else _derive(secret, b"person")
    )
    return Identity(secret, [each.get_secret_value().encode() for each in settings.previous_secrets], person, ids)
