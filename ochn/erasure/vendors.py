"""What the vendors are asked when a person is erased. Only Footprints' pages know such a call, and it by customer id."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from base.clock import Clock
from base.masking import mask_text
from base.reasons import Trouble
from forwarder.destinations.footprints import FootprintsSettings
from forwarder.destinations.footprints.erasure import delete_request, refusal
from forwarder.destinations.footprints.leads import token_call
from forwarder.destinations.tokens import token_verdict
from forwarder.errors import TransportError
from forwarder.settings import AnyDestination
from forwarder.transport import Transport
from ochn.config import Settings

_NAMELESS: Final = "not asked: it deletes by customer id, and none is known of them; ask it there"


@dataclass(frozen=True, slots=True)
class Asked:
    """`left` says what stays there, and how to go on; `done` False: it could not be asked, so the command is run again."""

    destination: str
    deleted: int
    left: str
    done: bool = True


async def ask_vendors(
    settings: Settings, customers: Iterable[str], open_transport: Callable[[], Transport], clock: Clock
) -> list[Asked]:
    """One row a destination."""
    asked, ids = [], sorted(customers)
    for name, chosen in settings.destinations.items():
        if not isinstance(chosen, FootprintsSettings) or not chosen.erase:
            asked.append(Asked(name, 0, _unasked(chosen)))
        elif not ids:
            asked.append(Asked(name, 0, _NAMELESS))
        else:
            transport = open_transport()
            try:
                asked.append(await _ask(name, chosen, ids, transport, clock))
            finally:
                await transport.close()
    return asked


def planned(settings: Settings, customers: Iterable[str]) -> Iterator[Asked]:
    """What `ask_vendors` would do."""
    known = len(list(customers))
    for name, chosen in settings.destinations.items():
        asks = isinstance(chosen, FootprintsSettings) and chosen.erase
        told = f"is asked to delete them, by customer id: {known} known" if known else _NAMELESS
        yield Asked(name, 0, told if asks else _unasked(chosen))


def _unasked(chosen: AnyDestination) -> str:
    if isinstance(chosen, FootprintsSettings):
        return "not asked: `erase` is off in its settings; ask it there"
    return "what it was sent is there: ask it there, its pages know no call for it"


async def _ask(
    name: str, settings: FootprintsSettings, customers: list[str], transport: Transport, clock: Clock
) -> Asked:
    deleted = 0
    try:
        token = await _token(settings, transport, clock)
        for customer in customers:
            reply = await transport.send(delete_request(settings.base_url, token, customer), settings.timeout)
            if trouble := refusal(reply):
                return Asked(name, deleted, f"not deleted: {mask_text(trouble)}; say the same again", done=False)
            deleted += 1
    except (TransportError, PermissionError) as error:
        return Asked(name, deleted, f"not deleted: {mask_text(str(error))}; say the same again", done=False)
    return Asked(name, deleted, "deleted there, as it says")


async def _token(settings: FootprintsSettings, transport: Transport, clock: Clock) -> str:
    call = token_call(settings, clock.now())
    verdict = token_verdict(call, await transport.send(call.request, settings.timeout))
    for fact in verdict.facts:
        return str((fact.value or {})["access_token"])
    raise PermissionError(f"no access token: {verdict.detail or Trouble.CREDENTIALS}")
