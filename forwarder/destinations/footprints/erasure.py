"""Asking Footprints to delete a customer: DELETE {base}/api/client, by the customer id alone (the page's "Delete customer")."""

from urllib.parse import quote

from base.forms import encode_form
from forwarder.destinations.footprints.leads import is_failure
from forwarder.destinations.replies import json_object, said
from forwarder.destinations.tokens import FORM
from forwarder.transport import Reply, Request


def delete_request(base_url: str, token: str, customer_id: str) -> Request:
    url = f"{base_url}/api/client?access_token={quote(token, safe='')}"
    return Request("DELETE", url, {"Content-Type": FORM}, encode_form({"userExternalId": customer_id}))


def refusal(reply: Reply) -> str:
    """Empty: it is deleted, or was none of theirs. The page shows `{"status":"success"}` and no error; a 404 in the
    vendor's own words is taken for "no such client", any other for a wrong address."""
    answer = json_object(reply)
    if reply.status == 404 and answer is not None:
        return ""
    if reply.status >= 400 or answer is None or is_failure(answer) or answer.get("status") != "success":
        return said(reply)
    return ""
