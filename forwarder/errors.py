"""ForwarderError
+-- TransportError     no reply that can be read; always worth another try
    +-- Unreachable    refused, reset, no route, TLS: nobody answered
    +-- TimedOut       past the call's total deadline
    +-- ReplyTooLarge  more than the transport's limit
"""

from base.errors import OchnError
from base.reasons import Trouble


class ForwarderError(OchnError):
    pass


class TransportError(ForwarderError):
    trouble = Trouble.NETWORK


class Unreachable(TransportError):
    pass


class TimedOut(TransportError):
    trouble = Trouble.TIMEOUT


class ReplyTooLarge(TransportError):
    trouble = Trouble.UNREADABLE_REPLY
