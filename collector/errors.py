"""CollectorError
+-- Refused       the request gets no 2xx; base.reasons.Refusal says why, collector/replies.py with which status
+-- BodyTooLarge  the door reads no further: Refusal.TOO_LARGE
+-- ClientGone    the connection ended before its request did: nobody is left to answer
"""

from base.errors import OchnError
from base.reasons import Refusal


class CollectorError(OchnError):
    pass


class Refused(CollectorError):
    """`message` tells the caller what to do, in place of the refusal's own sentence."""

    def __init__(self, refusal: Refusal, message: str = "") -> None:
        super().__init__(message or refusal.value)
        self.refusal = refusal
        self.message = message


class BodyTooLarge(CollectorError):
    pass


class ClientGone(CollectorError):
    pass
