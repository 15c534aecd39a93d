"""LogError
+-- AppendError        one record did not become durable; `retriable` says whether the same record may later
|   +-- RecordTooLarge never will
|   +-- LogUnavailable nowhere to put it now
+-- Fenced             this reader's partition belongs to another since
"""

from base.errors import OchnError


class LogError(OchnError):
    pass


class AppendError(LogError):
    retriable = True


class RecordTooLarge(AppendError):
    retriable = False


class LogUnavailable(AppendError):
    pass


class Fenced(LogError):
    pass
