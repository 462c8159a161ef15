# SPDX-License-Identifier: EUPL-1.2
"""The keys of a participant in use: which one signs is what the broker's directory says, and more than one may open.

A renewal is in two steps, because the broker's operator admits the new card in between: until then the present key
signs, from then on the next. When the directory shows the next card, the switch is made here. Opening tries the
present key, then the next, then those that were replaced: a sender may have sealed for any of them.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sluis.client.trust import Trust
from sluis.envelope import Envelope, OpenedSignal, open_envelope
from sluis.errors import Conflict, NotAuthentic
from sluis.identifiers import Oin
from sluis.key_renewal import finish_switch, next_signing, sealing_keys_beside, switch
from sluis.keys import KeyFolder, ParticipantKeys
from sluis.sealing_keys import SealingKey
from sluis.signing import SigningKey, VerifyKey


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    signing: SigningKey | None = None
    sealing: tuple[SealingKey, ...] = ()


class KeyRing:
    """A participant's keys, those that come and those that were."""

    def __init__(self, keys: ParticipantKeys, folder: KeyFolder | None = None) -> None:
        """Without a folder there are these keys only."""
        self._folder = folder
        self._keys = keys
        self._beside = _Beside()
        if folder is not None:
            self._read(folder)

    @classmethod
    def load(cls, folder: KeyFolder) -> "KeyRing":
        """Read a key folder, and finish a switch that was interrupted. Raises NotFound, Conflict `key-weak`."""
        finish_switch(folder)
        return cls(folder.load(), folder)

    @property
    def keys(self) -> ParticipantKeys:
        """The present keys."""
        return self._keys

    def reload(self) -> None:
        """Read the folder again: a renewal may have begun, or another process made the switch."""
        if self._folder is not None:
            finish_switch(self._folder)
            self._keys = self._folder.load()
            self._read(self._folder)

    async def signing_key(self, trust: Trust, oin: Oin) -> SigningKey:
        """The key that the broker's directory knows; makes the switch when that is the next one.

        Raises Conflict `wrong-state` when the directory knows neither.
        """
        if self._beside.signing is None:
            return self._keys.signing
        card = await trust.card(oin)
        if card.signing_key == self._beside.signing.public:
            if self._folder is not None:
                switch(self._folder, int(time.time() * 1000))
                self.reload()
            return self._keys.signing
        if card.signing_key != self._keys.signing.public:
            raise Conflict(
                "wrong-state", "the broker's directory has another signing key than this key folder"
            )
        return self._keys.signing

    def open(self, envelope: Envelope, sender: VerifyKey) -> OpenedSignal:
        """Open with whichever of the keys it was sealed for. Raises NotAuthentic as `open_envelope` does."""
        first: NotAuthentic | None = None
        for key in self._sealing():
            try:
                return open_envelope(envelope, key, sender)
            except NotAuthentic as error:
                if error.code != "ciphertext-wrong":
                    raise
                first = first or error
        raise first or NotAuthentic("ciphertext-wrong")

    def _sealing(self) -> Iterator[SealingKey]:
        yield self._keys.sealing
        tried = {self._keys.sealing.public.x25519}
        yield from self._beside.sealing
        tried |= {key.public.x25519 for key in self._beside.sealing}
        # Another process may have renewed meanwhile.
        self.reload()
        for key in (self._keys.sealing, *self._beside.sealing):
            if key.public.x25519 not in tried:
                yield key

    def _read(self, folder: KeyFolder) -> None:
        self._beside = _Beside(signing=next_signing(folder), sealing=sealing_keys_beside(folder))
