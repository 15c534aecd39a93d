"""What a destination's changelog (`<prefix>.facts.<destination>`) says of a visitor: for who writes it, and who reads it.

A record's key is the visitor's id, its value all that is known of them: `{"<visitor>/<name>": {…}}`.
"""

import orjson

UPSTREAM = "upstream"  # the name of the fact that holds the vendor's own id of the visitor: {"id": …}


def visitor_key(appkeyname: str, subject: str) -> str:
    """A visitor of one app key: the scope of what is known about them."""
    return f"{appkeyname}/{subject}"


def upstream_id(doc: bytes, appkeyname: str, subject: str) -> str:
    """Empty while the vendor has given none. `doc` is a record's value."""
    fact = orjson.loads(doc).get(f"{visitor_key(appkeyname, subject)}/{UPSTREAM}")
    return "" if fact is None else str(fact["id"])
