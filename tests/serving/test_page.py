"""The page at ``/`` in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="there is no Chromium here (Debian: apt-get install chromium)"
)
WORDS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDTH = 390
"""Of a phone."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # An empty folder for its user's data is Playwright's own way to launch it.
        browser = playwright.chromium.launch(executable_path=BROWSER, args=list(WORDS))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Return a function that opens a server's page; what goes wrong in it is a failure at the end."""
    pages, wrong = [], []

    def open_page(server, within=browser, **words):
        page = within.new_page(**words)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if "Policy" in message.text else None)
        page.goto(server.url)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert wrong == []


def ask(page, text: str) -> None:
    page.wait_for_selector("#send:enabled")
    page.fill("#question", text)
    page.keyboard.press("Enter")


def answers(page, count: int) -> list[str]:
    """The texts of answers, once so many are finished."""
    page.wait_for_selector(f":nth-match(.answer .facts, {count})")
    return page.locator(".answer .text").all_text_contents()


def test_a_question_is_answered_by_the_model_that_is_chosen(server, opened):
    page = opened(server)
    page.select_option("#model", "pneumology")
    assert page.input_value("#template") == "dictionary"
    assert page.text_content("#hint") == "an English term or sentence; each question stands alone"
    ask(page, "heart")
    assert answers(page, 1) == ["폐"]
    assert " tokens · confidence 0." in page.text_content(".answer .facts")
    assert page.text_content("#status") == "pneumology: answered"
    assert page.evaluate("document.activeElement.id") == "question"


def test_a_question_that_is_asked_before_the_models_are_known_stays_where_it_was_typed(
    server, opened, browser
):
    context = browser.new_context()
    waiting: list[Any] = []

    def hold(route: Any) -> None:
        waiting.append(route)

    context.route("**/v1/models", hold)
    page = opened(server, within=context)
    page.fill("#question", "heart")
    page.keyboard.press("Enter")
    assert page.is_disabled("#send")
    assert page.input_value("#question") == "heart"
    waiting[0].continue_()
    page.wait_for_selector("#send:enabled")
    page.keyboard.press("Enter")
    assert len(answers(page, 1)) == 1
    assert "heart" in page.text_content("#talk")
    context.close()


def test_the_base_answers_beside_it(server, opened):
    page = opened(server)
    page.select_option("#model", "cardiology")
    page.click("summary")
    page.fill("#tokens", "12")
    page.check("#compare")
    ask(page, "heart")
    assert answers(page, 2)[0] == "심장"
    assert page.locator(".answer h2").all_text_contents() == ["cardiology", "base"]


def test_what_was_said_goes_along_where_the_template_takes_it_and_only_there(server, opened):
    sent = []
    page = opened(server)
    page.on(
        "request", lambda request: sent.append(request.post_data_json) if request.method == "POST" else None
    )
    page.select_option("#model", "conversation")
    ask(page, "열이 나요")
    answers(page, 1)
    ask(page, "머리가 아파요")
    answers(page, 2)
    page.select_option("#model", "cardiology")
    ask(page, "heart")
    answers(page, 3)
    assert [[turn["role"] for turn in body["messages"]] for body in sent] == [
        ["user"], ["user", "assistant", "user"], ["user"],
    ]  # fmt: skip


def test_an_exam_question_takes_several_lines_and_a_mistake_is_told(server, opened, taught):
    page = opened(server)
    page.select_option("#model", "hepatology")
    page.select_option("#template", "mcq")
    page.fill("#question", "Which organ")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    assert "five lines" in page.text_content(".answer .wrong")
    assert page.input_value("#question") == "Which organ\n"
    page.fill("#question", taught.exam)
    page.keyboard.press("Control+Enter")
    assert answers(page, 1)[-1] == "answer:\nA"


def test_the_stop_button_frees_the_slot(serve, recited, opened):
    with serve(decoder=lambda: recited("말" * 500, seconds=0.02), slots=1) as server:
        page = opened(server)
        ask(page, "heart")
        page.wait_for_selector(".answer .text:not(:empty)")
        assert server.load() == (1, 0)
        page.click("#stop")
        server.becomes((0, 0), seconds=2)
        (text,) = answers(page, 1)
        assert 0 < len(text) < 400
        assert page.text_content(".answer .facts") == "stopped"


def test_a_script_in_an_answer_is_text(serve, recited, opened):
    evil = "<script>document.title = 'hit'</script><img src=x onerror=\"document.title = 'hit'\">"
    with serve(decoder=lambda: recited(evil)) as server:
        page = opened(server)
        ask(page, evil)
        assert answers(page, 1) == [evil]
        assert page.text_content(".said") == evil
        assert page.title() == "medrecipe"
        assert page.locator("main img, main script").count() == 0


def test_the_token_is_asked_for_and_kept_nowhere(serve, opened):
    with serve(token="s3cret") as server:
        page = opened(server)
        page.wait_for_selector("#token:focus")
        assert page.is_hidden("#ask")
        for given, told in (("wrong", "that is not its token"), ("s3cret", "")):
            page.fill("#token", given)
            with page.expect_response("**/v1/models"):
                page.keyboard.press("Enter")
            page.wait_for_selector(
                "#token-form:not([hidden])" if told else "#ask:not([hidden])", state="attached"
            )
            assert page.text_content("#status") == told
        ask(page, "열이 나요")
        assert answers(page, 1)
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone_in_either_scheme(server, opened, scheme, tmp_path):
    page = opened(server, viewport={"width": WIDTH, "height": 780}, color_scheme=scheme)
    page.select_option("#model", "cardiology")
    ask(page, "heart " * 12)
    answers(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    assert page.locator("#send").bounding_box()["height"] >= 36
    assert page.locator(".advice").is_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(246, 247, 249)"
    assert dark is (scheme == "dark")
    page.screenshot(path=tmp_path / "phone.png")


def test_every_field_has_a_label_and_is_reached_by_the_keyboard(server, opened):
    page = opened(server)
    page.wait_for_selector("#question:focus")
    fields = page.locator("select:visible, input:visible, textarea:visible, button:visible")
    for n in range(fields.count()):
        named = fields.nth(n).evaluate("e => e.labels?.length ? e.labels[0].textContent : e.textContent")
        assert named.strip()
    page.focus("#model")
    reached = []
    for _ in range(6):
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        page.keyboard.press("Tab")
    assert reached[:4] == ["model", "template", "compare", "SUMMARY"]
    assert "question" in reached
