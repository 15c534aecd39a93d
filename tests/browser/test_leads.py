"""register and prepopulate, as pages call them: with await and without, with files, and when the collector says no."""

import base64

import pytest

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, ready, refused

pytestmark = pytest.mark.browser

# The file is read when the test says so, as from a slow disk.
SLOW_DISK = """const read = FileReader.prototype.readAsDataURL;
FileReader.prototype.readAsDataURL = function (file) { window.finish = () => read.call(this, file); };"""
# Who awaits a lead hears the verdict, however slow the machine is.
PATIENT = "const later = setTimeout; window.setTimeout = (call, ms, ...given) => later(call, ms === 3000 ? 6e4 : ms, ...given);"
LEAD = """{
  userEmail: 'ana@shop.example', userFirstName: 'Ana', tags: ['spring', 'vip'], agreePrivacy: true,
  marketingChannels: [{channel: 'sms', type: 'owner', agreed: 'true'}], customDetails: {size: {eu: 38}, nothing: null},
}"""


def test_a_lead_arrives_in_brackets(collector: CountingServer, open_tab: OpenTab) -> None:
    ready(open_tab()).evaluate(f"ochn.register({LEAD}, true)")
    lead = collector.wait_taken("register", 1)[0]
    assert {name: value for name, value in lead.items() if name.startswith("lead")} == {
        "lead[userEmail]": "ana@shop.example",
        "lead[userFirstName]": "Ana",
        "lead[tags][0]": "spring",
        "lead[tags][1]": "vip",
        "lead[agreePrivacy]": "true",
        "lead[marketingChannels][0][channel]": "sms",
        "lead[marketingChannels][0][type]": "owner",
        "lead[marketingChannels][0][agreed]": "true",
        "lead[customDetails][size][eu]": "38",
    }
    assert set(lead) >= {"appkey", "uid", "uType", "eid", "ts", "sentAt"}


def test_the_answer_is_there_without_await_and_with_it(collector: CountingServer, open_tab: OpenTab) -> None:
    page = open_tab(init_script=PATIENT)
    status, message, kept = page.evaluate(f"""() => {{
      const answer = ochn.register({LEAD});
      return [answer.status, answer.message, Object.keys(localStorage).some(key => key.startsWith('ochn:q:'))];
    }}""")
    assert (status, bool(message), kept) == ("ok", True, True)
    assert page.evaluate(f"(async () => await ochn.register({LEAD}))()") == {"status": "ok", "message": "registered"}
    assert len(collector.taken("register")) == 2


def test_who_awaits_a_lead_is_not_kept_waiting_by_a_collector_that_is_away(
    collector: CountingServer, open_tab: OpenTab
) -> None:
    page = ready(open_tab())
    collector.fail("register", delay=600)
    assert page.evaluate(f"ochn.register({LEAD})") == {"status": "ok", "message": "on its way"}
    collector.recover()
    assert len(collector.wait_taken("register", 1)) == 1


def test_who_awaits_hears_of_a_refusal(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab(init_script=PATIENT))
    collector.fail("register", status=403)
    assert page.evaluate(f"ochn.register({LEAD})") == {"status": "error", "message": "told to answer 403"}


def test_what_is_no_lead_is_answered_so(open_tab: OpenTab) -> None:
    page = open_tab()
    page.wait_for_function("window.ochn && ochn.version")
    for lead in ("", "null", "'ana@shop.example'"):
        assert page.evaluate(f"ochn.register({lead})")["status"] == "error"


def test_files_travel_as_base64(collector: CountingServer, open_tab: OpenTab) -> None:
    page = open_tab()
    page.evaluate("""() => ochn.register({
      userEmail: 'ana@shop.example',
      cv: new File([new Uint8Array([0, 255, 43, 47])], 'a "cv".pdf', {type: 'application/pdf'}),
      photos: [new Blob(['one']), new Blob(['two'])],
    })""")
    lead = collector.wait_taken("register", 1)[0]
    assert lead["lead[cv][name]"] == 'a "cv".pdf'
    assert lead["lead[cv][type]"] == "application/pdf"
    assert base64.b64decode(lead["lead[cv][data]"]) == b"\x00\xff+/"
    assert base64.b64decode(lead["lead[photos][1][data]"]) == b"two"


def test_a_big_file_does_not_hold_up_what_comes_after_it_nor_fill_the_storage(
    collector: CountingServer, open_tab: OpenTab
) -> None:
    page = ready(open_tab(init_script=SLOW_DISK))
    collector.fail("register", status=503, headers={"Retry-After": "3600"})
    page.evaluate("""() => {
      ochn.register({userEmail: 'ana@shop.example', cv: new File([new Uint8Array(1e6)], 'cv.pdf')});
      ochn.send('action', 'contact');
    }""")
    collector.wait_taken("send", 2)
    page.evaluate("finish()")
    kept = refused(page).evaluate(
        "Object.entries(localStorage).filter(([key]) => key.startsWith('ochn:q:')).map(([, text]) => text)"
    )
    assert len(kept) == 1
    assert "lead%5BuserEmail%5D" in kept[0]
    assert len(kept[0]) < 1000
    page.evaluate("dispatchEvent(new Event('online'))")
    lead = collector.wait_taken("register", 1)[0]
    assert base64.b64decode(lead["lead[cv][data]"]) == bytes(1_000_000)


@pytest.mark.parametrize(
    "cv", ["new File([new Uint8Array(1e6)], 'cv.pdf')", "'A'.repeat(1e6)"], ids=["file", "base64 by the page"]
)
def test_a_lead_is_never_lost_for_its_file(cv: str, collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("register", status=413)
    page.evaluate(f"ochn.register({{userEmail: 'ana@shop.example', cv: {cv}}})")
    lead = collector.wait_taken("register", 1)[0]
    assert lead["lead[userEmail]"] == "ana@shop.example"
    assert not {"lead[cv]", "lead[cv][data]"} & set(lead)
    assert page.evaluate("ochn.state().dropped") == 0


def test_prepopulate_knows_what_this_browser_registered_and_asks_nobody(
    collector: CountingServer, open_tab: OpenTab
) -> None:
    page = open_tab()
    page.evaluate(
        "ochn.register({userEmail: 'Ana@shop.example', userFirstName: 'Ana', userPassword: 'secret',"
        "cv: new Blob(['x'])})"
    )
    collector.wait_taken("register", 1)
    asked = len(collector.calls)
    assert page.evaluate("ochn.prepopulate({email: ' ana@SHOP.example'}).data") == {
        "userEmail": "Ana@shop.example",
        "userFirstName": "Ana",
    }
    assert page.evaluate("(async () => (await ochn.prepopulate({email: 'bo@shop.example'})).data)()") == {}
    assert page.evaluate("['status', 'data'].map(name => ochn.prepopulate()[name])") == ["ok", {}]
    assert len(collector.calls) == asked
