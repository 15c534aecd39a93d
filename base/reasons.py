"""Reason codes, declared once: the same word in the answer, the metric, the log line and the dead letter.

Every set is closed, so a reason is always safe as a metric's label. A member's value is what people see.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a request got no 2xx. Each has one HTTP status (collector/replies.py)."""

    UNREADABLE_BODY = "unreadable_body"
    NOT_HTTP = "not_http"  # what came is no HTTP request, or could be read as two
    UNKNOWN_KEY = "unknown_key"  # missing or unknown: one answer for both
    NOT_FOUND = "not_found"
    WRONG_METHOD = "wrong_method"
    TOO_LARGE = "too_large"
    URL_TOO_LONG = "url_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    SLOW_REQUEST = "slow_request"
    RATE = "rate"
    BAD_KEYS = "bad_keys"  # calls without a known key, again and again from one address
    OVERLOADED = "overloaded"  # in flight cap reached
    NOT_DURABLE = "not_durable"  # could be made durable nowhere
    DRAINING = "draining"
    NOT_PASSED_THROUGH = "not_passed_through"  # ad serving, and no upstream configured
    UPSTREAM_LATE = "upstream_late"  # ad serving: the vendor has not answered in time
    UPSTREAM_FAILED = "upstream_failed"  # ad serving: no answer, a redirect, or one that is too large
    CLIENT_GONE = "client_gone"


class Quarantine(StrEnum):
    """Why an event that was answered 200 is not relayed until somebody has looked."""

    UNKNOWN_REQUEST_TYPE = "unknown_request_type"
    UNKNOWN_ACTION_TYPE = "unknown_action_type"
    MISSING_VISITOR = "missing_visitor"
    BAD_VISITOR = "bad_visitor"
    BAD_USER_TYPE = "bad_user_type"
    RATING_OUT_OF_RANGE = "rating_out_of_range"
    PERCENT_OUT_OF_RANGE = "percent_out_of_range"
    BAD_APPOINTMENT_DATE = "bad_appointment_date"
    BAD_SENDER_TYPE = "bad_sender_type"
    BAD_RECEIPTS = "bad_receipts"
    BAD_LOCATION = "bad_location"
    MISSING_SENSORS = "missing_sensors"
    TOO_MANY_SENSORS = "too_many_sensors"
    EMPTY_LEAD = "empty_lead"
    BAD_SHAPE = "bad_shape"  # an object or a list was expected, or a single value
    BAD_TEXT = "bad_text"  # not UTF-8, lone surrogates: the bytes are kept in data_base64
    BAD_NUMBER = "bad_number"  # NaN, infinity, past 64 bits
    TOO_DEEP = "too_deep"
    TOO_MANY_FIELDS = "too_many_fields"
    FIELD_TOO_LARGE = "field_too_large"
    EVENT_TOO_LARGE = "event_too_large"
    WRONG_ORIGIN = "wrong_origin"
    WRONG_SURFACE = "wrong_surface"  # a web key at a mobile door, or the other way round
    OVER_RATE = "over_rate"


class Warned(StrEnum):
    """What an author should mend, though the event is accepted (`warnings` in the answers of `ochn dev`)."""

    DATA_OF_OTHER_ACTION = "data_of_other_action"
    UNKNOWN_FIELD = "unknown_field"
    MISSPELT_FIELD = "misspelt_field"
    FOREIGN_ID = "foreign_id"
    REROUTED = "rerouted"
    DOUBLE_ENCODED_EMAIL = "double_encoded_email"
    BAD_EMAIL = "bad_email"
    BAD_CLIENT_TIME = "bad_client_time"


class Spooling(StrEnum):
    """Why records go to the spool, and not straight to the log."""

    AWAY = "away"  # it can't be reached
    FAILED = "failed"  # a group was refused, or not acknowledged at all
    SLOW = "slow"  # the oldest record on its way has waited too long
    CROWDED = "crowded"  # half of what may be in flight waits for it
    LEFT_OVER = "left_over"  # the spool holds records of before, or another process spools


class Filter(StrEnum):
    """Why a destination does not want an event (contracts.md, section 3)."""

    NOT_AN_ACTIVITY = "not_an_activity"
    AD_EVENT = "ad_event"
    HIGH_VOLUME = "high_volume"
    LOCATION_PRIVACY = "location_privacy"
    NO_CONTACT = "no_contact"
    UNMAPPED = "unmapped"
    NO_LEAD_CREDENTIALS = "no_lead_credentials"  # Footprints without key and secret takes no leads
    SAME_INIT = "same_init"  # the visitor's upstream id is known, and this init tells nothing new about them
    SWITCHED_OFF = "switched_off"  # the mapping in the settings says no
    WITHHELD = "withheld"  # the visitor said no, and the destination's `withhold` obeys
    BOT = "bot"  # `bot:<rule>`: that rule tagged it, and the destination's `filter_bots` names it
    ERASED = "erased"  # whose it is was erased (`ochn erase`) after it had come
    DUPLICATE = "duplicate"  # the same event, or one of the same client id, was seen a moment ago


class Dead(StrEnum):
    """Why an event is a dead letter."""

    REFUSED = "refused"  # a permanent answer: the reply is kept beside it
    NOT_FOUND = "not_found"
    TOO_OLD = "too_old"
    TOO_LARGE = "too_large"
    CONTACT_TOO_LONG = "contact_too_long"  # ExpertSender: every contact that is known is longer than its field
    IDENTITY_TOO_LONG = "identity_too_long"  # EngageLab: 256 characters
    WRONG_TYPE = "wrong_type"  # a value that the type in the mapping can't hold
    UPSTREAM_INIT_REFUSED = "upstream_init_refused"
    UNREADABLE_RECORD = "unreadable_record"
    BAD_MAPPING = "bad_mapping"
    RETRIES_EXHAUSTED = "retries_exhausted"


class Parked(StrEnum):
    """Why an event waits apart from the stream."""

    WAITS_FOR_CONTACT = "waits_for_contact"  # Footprints' mobile init wants an e-mail or a push token
    BEHIND_PARKED = "behind_parked"  # order per visitor
    KEEPS_FAILING = "keeps_failing"
    LATE = "late"  # it has missed a deadline at the destination, and goes after what has not


class Trouble(StrEnum):
    """Why a call is tried again, or why a destination is paused."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    UNREADABLE_REPLY = "unreadable_reply"
    CREDENTIALS = "credentials"
    SAME_REFUSAL = "same_refusal"  # N single refusals in a row for one reason: the settings are wrong, not the events
