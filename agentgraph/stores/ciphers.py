"""What encrypts the payloads of a store: the port, and the one cipher that comes with agentgraph (extra `encryption`).

AES-SIV (RFC 5297) gives the same bytes for the same data, key and place, and nothing else: that is what lets the same
big value be stored once, and a write that is tried again be known as the same. Who sees the store learns when two
values at one place are equal, no more; no random number can ever be reused.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from importlib import import_module
from typing import Any, Protocol

from agentgraph.exceptions import UserError

__all__ = ["Cipher", "SivCipher", "new_key"]

_KEY_BYTES = 32
_ID_BYTES = 4


class Cipher(Protocol):
    """Encrypts bytes bound to a place: `about` says what they are, and nothing else can be decrypted as that."""

    def encrypt(self, data: bytes, about: bytes) -> bytes:
        """The same for the same data and place, as long as the newest key is the same."""
        ...

    def decrypt(self, data: bytes, about: bytes) -> bytes:
        """Undo `encrypt`.

        Raises:
            ValueError: it was encrypted with a key that is not here, was changed, or belongs to another place; says
                which, and names no key.
        """
        ...


class SivCipher:
    """AES-SIV with 256-bit keys.

    Args:
        key: What is encrypted with from now on: text as `new_key` makes it, or 32 random bytes.
        older: Keys that rows may still be encrypted with.

    Raises:
        UserError: a key is none, or the package `cryptography` is not installed.
    """

    def __init__(self, key: str | bytes, *older: str | bytes) -> None:
        siv = _load()
        keys = [_key_bytes(each) for each in (key, *older)]
        self._ciphers = {_derive(each, b"id")[:_ID_BYTES]: siv(_derive(each, b"AES-SIV")) for each in keys}
        self._newest = next(iter(self._ciphers))

    def __repr__(self) -> str:
        return f"SivCipher(<{self._names()}>)"

    def encrypt(self, data: bytes, about: bytes) -> bytes:
        """As `Cipher` says; what comes begins with four bytes by which the key is known."""
        encrypted: bytes = self._ciphers[self._newest].encrypt(data, [about])
        return self._newest + encrypted

    def decrypt(self, data: bytes, about: bytes) -> bytes:
        """As `Cipher` says."""
        cipher = self._ciphers.get(data[:_ID_BYTES])
        if cipher is None:
            raise ValueError(f"it needs the key known as {data[:_ID_BYTES].hex()}; given: {self._names()}")
        try:
            decrypted: bytes = cipher.decrypt(data[_ID_BYTES:], [about])
        except Exception as error:  # its own class for a wrong tag, others for too few bytes: all say the same
            raise ValueError("it was changed, or moved here from elsewhere") from error
        return decrypted

    def _names(self) -> str:
        return ", ".join(each.hex() for each in self._ciphers)


def new_key() -> str:
    """A random key for `SivCipher`. Keep it where secrets are kept: without it nothing can be read."""
    return urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _key_bytes(key: str | bytes) -> bytes:
    try:
        found = urlsafe_b64decode(key) if isinstance(key, str) else key
    except ValueError:
        found = b""
    if len(found) != _KEY_BYTES:
        raise UserError(f"a key is text as `new_key()` makes it, or {_KEY_BYTES} random bytes; this is neither")
    return found


def _derive(key: bytes, purpose: bytes) -> bytes:
    """A key of its own for each purpose: the second half of HKDF (RFC 5869), the first being for keys less random."""
    return hmac.digest(key, b"agentgraph " + purpose + b"\1", "sha512")


def _load() -> Any:  # any: loaded only where somebody encrypts
    try:
        return import_module("cryptography.hazmat.primitives.ciphers.aead").AESSIV
    except ImportError as error:
        raise UserError(
            "encryption needs the package cryptography, which cannot be imported; pip install 'agentgraph[encryption]'"
        ) from error
