"""From an answer in a report to its transcript in a real `inspect view`."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from spillover.answers.read import read
from spillover.show.report import report, write_page
from spillover.show.transcripts import Transcripts
from spillover.tasks.refusal import refusal
from tests.answers.made import asked


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewed")
    for name in ("one", "two"):
        task = refusal(categories="bias", reader="number", cache=False)
        asked(folder / name, task, f"I am {name}.", "REFUSED", name=name)
    return folder


@pytest.fixture
def viewer(logs, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("SPILLOVER_VIEWER", address + "/")
    command = ("-m", "inspect_ai", "view", "start", "--log-dir", logs, "--port", str(port), "--host", "127.0.0.1")
    with subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(address, timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def test_a_link_opens_the_transcript_of_its_answer(logs, viewer, tmp_path, browser):
    page = tmp_path / "page" / "report.html"
    write_page(report(read([logs])), page)
    tab = browser.new_page()
    tab.goto(page.as_uri())
    tab.select_option("select[data-field=model]", "mockllm/two")
    answer = tab.locator(".answers li", has_text="mockllm/two").filter(visible=True).first
    link = answer.locator("a", has_text="transcript")
    assert link.get_attribute("href").startswith(f"{viewer}/#/logs/two/")
    question = answer.locator(".question").text_content()
    link.click()
    tab.wait_for_selector("text=I am two.", timeout=60_000)
    assert question[:60] in tab.locator("body").text_content()
    assert "I am one." not in tab.locator("body").text_content()


def test_what_is_no_log_has_no_transcript(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = {"sample_id": "a b/c", "epoch": 2}
    links = Transcripts(["runs/x/1.eval", "runs/y/2.eval", "judged.csv"])
    assert links.command == "inspect view --log-dir runs"
    assert links.of({**row, "source": "judged.csv"}) is links.of({**row, "source": None}) is None
    assert links.of({**row, "source": "runs/x/1.eval"}).endswith(":7575/#/logs/x/1.eval/samples/sample/a%20b%2Fc/2/")
    assert Transcripts(["judged.csv"]).command is None
    elsewhere = tmp_path / "home of somebody" / "runs"
    assert Transcripts([str(elsewhere.parent.parent / "x.eval")]).command == "inspect view --log-dir ."
    monkeypatch.chdir("/")
    monkeypatch.setattr("pathlib.Path.cwd", lambda: tmp_path / "other")
    assert Transcripts([str(elsewhere / "x.eval")]).command == "inspect view --log-dir runs"
    monkeypatch.setenv("SPILLOVER_VIEWER", "https://me:hunter2hunter2@viewer.org/")
    assert "hunter2" not in Transcripts([str(elsewhere / "x.eval")]).of({**row, "source": str(elsewhere / "x.eval")})


@pytest.mark.parametrize("wrong", ["foo", "javascript:alert(1)", ""])
def test_what_is_no_address_makes_no_link(wrong, monkeypatch, caplog):
    monkeypatch.setenv("SPILLOVER_VIEWER", wrong)
    link = Transcripts(["x.eval"]).of({"source": "x.eval", "sample_id": "a", "epoch": 1})
    assert link.startswith("http://127.0.0.1:7575/#/logs/")
    assert ("SPILLOVER_VIEWER is an address" in caplog.text) == bool(wrong)
