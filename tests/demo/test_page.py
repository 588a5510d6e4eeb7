"""The page, in a browser and on the command line."""

import asyncio
import re
import signal
import socket
import time

import pytest
import torch
from browser import browser, requested
from settings import config
from typed import Running

from genlab.commands import demo as command
from genlab.commands.load import load_run
from genlab.demo.explorer import Explorer
from genlab.errors import UsageError
from genlab.images import to_float


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds=60):
    """Whatever a function returns, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def page(vae_run, labelled_run, shared_data, tmp_path_factory):
    """A page of two runs that is served, in a browser."""
    pytest.importorskip("gradio", reason="the extra `demo` is not installed")
    with browser() as chrome:
        runs = f"run={vae_run.path},{labelled_run.path}"
        arguments = (runs, f"port={free_port()}", f"paths.data_dir={shared_data}")
        running = Running("demo", *arguments, cwd=tmp_path_factory.mktemp("served"))
        try:
            address = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+/", running.said()[0]))
            chrome.get(address[0])
            yield chrome
        finally:
            running.send_signal(signal.SIGINT)
            ended = running.end(20)
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_sliders_samples_test_images_and_strokes_change_what_is_decoded(page, vae_run, tmp_path):
    from selenium.webdriver import ActionChains, Keys

    def find(selector):
        return page.find_element("css selector", selector)

    def code():
        shown = page.find_elements("css selector", "#code0 textarea")
        return [float(value) for value in shown[0].get_property("value").split()] if shown else []

    def changed(before):
        return wait_for(lambda: code() != before and code())

    run = load_run(str(vae_run.path))
    with torch.no_grad():
        of_images = run.model.encode(to_float(run.datamodule.examples("test", 100)))
    of_sample = run.model.prior(1, torch.Generator().manual_seed(0))[0]

    found = wait_for(code)  # of the first test image, as soon as the page is there
    assert found == pytest.approx(of_images[0].tolist(), abs=0.006)
    find("#next0").click()
    found = changed(found)
    assert found == pytest.approx(of_images[2].tolist(), abs=0.006)
    find("#new0").click()
    found = changed(found)
    assert found == pytest.approx(of_sample.tolist(), abs=0.006)
    picture = find("#decoded0 img").get_attribute("src")

    number = find("input[type=number]")  # beside the first slider
    number.send_keys(Keys.CONTROL + "a")
    number.send_keys("2.5")
    moved = wait_for(lambda: 2.5 in code() and code())  # after "2" and "2."
    assert [value for value, before in zip(moved, found, strict=True) if value != before] == [2.5]
    assert wait_for(lambda: find("#decoded0 img").get_attribute("src") != picture)

    find("#clear0").click()
    empty = changed(moved)
    strokes = ActionChains(page).move_to_element_with_offset(find("#image0 canvas"), -30, -60).click_and_hold()
    strokes.move_by_offset(60, 20).move_by_offset(-40, 80).release().perform()
    changed(empty)
    images = page.find_elements("css selector", "#images0 img")
    assert [image.get_property("naturalWidth") for image in images[:2]] == [280, 280]
    assert len(images) == 3
    page.save_screenshot(str(tmp_path / "page.png"))

    addresses = {address for address in requested(page) if address.startswith("http")}
    assert addresses
    assert [address for address in addresses if not address.startswith("http://127.0.0.1:")] == []


def test_every_answer_of_a_conditional_run_is_told_the_label(labelled_run):
    pytest.importorskip("gradio", reason="the extra `demo` is not installed")
    from genlab.demo.page import _figures, build_page

    async def build():  # in a loop, as gradio makes some of its own otherwise, which it leaves open
        return build_page([explorer])

    explorer = Explorer("labelled", load_run(str(labelled_run.path)), n_sliders=2)
    page = asyncio.run(build())
    called = {f.name: f for f in page.fns.values()}
    (label,) = (block for block in page.blocks.values() if getattr(block, "elem_id", None) == "label0")
    assert [name for name, _ in label.choices] == [*map(str, range(10)), "none"]
    assert all(label in called[name].inputs for name in ("show_images", "show_sample", "move", "_decoded"))
    code = explorer.sample(0)
    three, seven = (_figures({"decoded": explorer.picture(code, name)}) for name in ("3", "7"))
    assert three != seven
    assert called["_decoded"].targets == [(label._id, "input")]
    assert called["_decoded"].fn(code, "7") == seven
    assert seven in called["show_sample"].fn(0, "7")
    assert seven in called["move"].fn(code, *explorer.deviations(code), "7")


def refused(*typed, tmp_path):
    with pytest.raises(UsageError) as error:
        command.demo(config("run=nowhere", *typed, run_dir=tmp_path, name="demo"))
    return str(error.value)


def test_a_port_that_is_taken_is_said_with_another_one(tmp_path):
    pytest.importorskip("gradio", reason="the extra `demo` is not installed")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(f"port={port}", tmp_path=tmp_path)
    assert said.startswith(f"port={port} can't be had (Address already in use)")
    assert "another number, as port=" in said


def test_without_gradio_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert 'type pip install -e ".[demo]"' in refused(tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("port=70000", "port=70000 is not possible: it must be a whole number from 1 to 65535"),
        ("share=perhaps", "share=perhaps is not possible: it must be true or false"),
        ("n_sliders=0", "n_sliders=0 is not possible: it must be a whole number of at least 1"),
    ],
)
def test_what_is_not_possible_is_said_first(typed, part, tmp_path):
    assert part in refused(typed, tmp_path=tmp_path)


def test_each_of_several_runs_is_looked_for_before_one_is_loaded(vae_run, tmp_path, monkeypatch):
    pytest.importorskip("gradio", reason="the extra `demo` is not installed")
    monkeypatch.setattr(command, "load_run", None)
    said = refused(f"run=[{vae_run.path},nowhere]", f"port={free_port()}", tmp_path=tmp_path)
    assert "run=nowhere does not exist" in said
