"""A model's file comes from the Hub whole and verified, or not at all, whatever happens on the way."""

from __future__ import annotations

import hashlib
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.catalog import BadFile, CatalogEntry, local_path, recorded_digest
from agentkit.model_backend.catalog import get as get_entry
from agentkit.model_backend.download import Progress, pull, remove
from agentkit.model_backend.hub import Hub
from tests.catalog.fake_hub import FakeHub
from tests.catalog.make_entry import make_entry

STARTER = get_entry("starter")
GEMMAS = ("gemma-4-e2b", "gemma-4-e4b", "gemma-4-12b", "gemma-4-26b-a4b", "gemma-4-31b")


def get(entry: CatalogEntry) -> Path:
    """Pulls without waiting between tries."""
    return pull(entry, hub=Hub(sleep=lambda seconds: None))


def failure(entry: CatalogEntry) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        get(entry)
    assert str(caught.value).isprintable()
    assert not local_path(entry).exists()
    return str(caught.value)


def left(entry: CatalogEntry) -> list[str]:
    """What lies in the model's folder besides the lock."""
    return sorted(path.name for path in local_path(entry).parent.iterdir() if path.name != ".lock")


def partial_of(entry: CatalogEntry) -> Path:
    path = local_path(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{path.name}.{entry.sha256[:12]}.part")


def test_a_file_comes_whole_and_verified_and_leaves_nothing_over(
    hub: FakeHub, entry: CatalogEntry, content: bytes, home: Path
) -> None:
    progress: list[Progress] = []
    path = pull(entry, progress.append)
    assert path == home / "models" / "tiny" / "tiny.gguf"
    assert path.read_bytes() == content
    assert recorded_digest(path) == entry.sha256
    assert left(entry) == ["tiny.gguf", "tiny.gguf.sha256"]
    for stage in ("downloading from the Hub", "verifying"):
        done = [p.done for p in progress if p.stage == stage]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, len(content))


def test_a_file_that_is_here_is_not_asked_for_again(hub: FakeHub, entry: CatalogEntry) -> None:
    get(entry)
    hub.seen.clear()
    get(entry)
    assert hub.seen == []


def test_a_broken_connection_is_gone_on_from(hub: FakeHub, entry: CatalogEntry, content: bytes) -> None:
    hub.breaks = [300_000, 0, 0, 100_000]
    assert get(entry).read_bytes() == content
    assert hub.gets() == ["", *["bytes=300000-"] * 3, "bytes=400000-"]


@pytest.mark.parametrize("id", GEMMAS)
def test_each_gemma_comes_from_its_own_place_and_what_is_known_of_it_is_verified(
    id: str, hub: FakeHub, content: bytes
) -> None:
    real = get_entry(id)
    digest = hub.stated_digest
    entry = replace(  # the same entry for a file that is small enough for a test
        real,
        size=real.size and len(content),
        size_about=real.size_about and len(content),
        sha256=digest if real.sha256 else "",
        sha256_start=digest[:8] if real.sha256_start else "",
    )
    hub.breaks = [300_000]
    assert get(entry).read_bytes() == content
    assert hub.gets() == ["", "bytes=300000-"]
    assert hub.seen[0].path == f"{hub.url}/{real.repo}/resolve/{real.revision}/{real.file}"
    remove(entry)
    hub.content = content[:-1] + b"x"
    assert "not the right file" in failure(entry)


def test_a_connection_that_keeps_breaking_gives_up_and_keeps_what_came(
    hub: FakeHub, entry: CatalogEntry, content: bytes
) -> None:
    hub.breaks = [200_000, *[0] * 20]
    message = failure(entry)
    assert "200000 of 600000 bytes are kept" in message
    assert "Run the same command again" in message
    assert partial_of(entry).read_bytes() == content[:200_000]
    hub.breaks = []
    hub.seen.clear()
    progress: list[Progress] = []
    pull(entry, progress.append)
    assert hub.gets() == ["bytes=200000-"]
    assert progress[0].done == 200_000
    assert left(entry) == ["tiny.gguf", "tiny.gguf.sha256"]


def test_a_server_that_can_not_go_on_begins_again(hub: FakeHub, entry: CatalogEntry, content: bytes) -> None:
    hub.takes_ranges = False
    hub.breaks = [300_000]
    progress: list[Progress] = []
    path = pull(entry, progress.append, hub=Hub(sleep=lambda seconds: None))
    assert path.read_bytes() == content
    assert max(p.done for p in progress) == len(content)


def test_a_part_that_is_too_long_is_thrown_away(hub: FakeHub, entry: CatalogEntry, content: bytes) -> None:
    partial_of(entry).write_bytes(bytes(700_000))
    assert get(entry).read_bytes() == content


def test_what_an_earlier_process_fetched_wrongly_is_found_out(hub: FakeHub, entry: CatalogEntry) -> None:
    partial_of(entry).write_bytes(bytes(1000))
    assert "not the right file" in failure(entry)
    assert left(entry) == []
    get(entry)


def test_a_file_with_a_wrong_digest_is_deleted(hub: FakeHub, entry: CatalogEntry, content: bytes) -> None:
    hub.content = content[:-1] + b"x"
    message = failure(entry)
    assert entry.sha256 in message
    assert hashlib.sha256(hub.content).hexdigest() in message
    assert "deleted" in message
    assert left(entry) == []


def test_a_digest_that_only_the_hub_knows_is_verified(hub: FakeHub, content: bytes) -> None:
    entry = make_entry(content, sha256="", size=None, size_about=600_000)
    get(entry)
    remove(entry)
    hub.content = content[:-1] + b"x"
    assert "not the right file" in failure(entry)


def test_without_any_digest_nothing_is_fetched(hub: FakeHub, content: bytes) -> None:
    hub.says_digest, hub.head_status = False, 200
    assert "can't be verified" in failure(make_entry(content, sha256=""))
    assert hub.gets() == []


def test_a_hub_that_says_nothing_of_the_file_is_enough_for_a_known_one(
    hub: FakeHub, entry: CatalogEntry, content: bytes
) -> None:
    hub.says_digest, hub.head_status = False, 200
    hub.breaks = [1000]
    hub.stated_size = len(content)
    assert get(entry).read_bytes() == content


@pytest.mark.parametrize("start", ["", "0000"])
def test_a_file_that_has_changed_on_the_hub_is_not_fetched(hub: FakeHub, content: bytes, start: str) -> None:
    entry = make_entry(content, sha256="" if start else "0" * 64, sha256_start=start)
    assert "another 'tiny.gguf'" in failure(entry)
    assert hub.gets() == []


def test_a_file_of_another_size_is_not_fetched(hub: FakeHub, entry: CatalogEntry) -> None:
    hub.says_digest, hub.head_status = True, 302
    hub.stated_size = 999
    assert "999 bytes, expected 600000" in failure(entry)
    assert hub.gets() == []


def test_a_known_bad_upload_is_not_fetched(hub: FakeHub, content: bytes) -> None:
    bad = BadFile(size=len(content), sha256_start=hub.stated_digest[:8], reason="its vocabulary is damaged")
    assert "its vocabulary is damaged" in failure(make_entry(content, sha256="", bad=(bad,)))
    assert hub.gets() == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "HF_TOKEN"),
        (403, "HF_TOKEN"),
        (404, "has no file 'tiny.gguf' at revision 'main'"),
        (429, "answered 429"),
        (500, "answered 500"),
        (418, "answered 418"),
    ],
)
def test_a_refusal_says_what_to_do(hub: FakeHub, entry: CatalogEntry, status: int, says: str) -> None:
    hub.head_status = status
    message = failure(entry)
    assert says in message
    assert f"{hub.url}/owner/tiny" in message
    assert hub.gets() == []


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_storage_that_refuses_is_named(hub: FakeHub, entry: CatalogEntry, status: int) -> None:
    hub.get_status = status
    assert f"answered {status}" in failure(entry)


def test_a_server_that_never_stops_sending_is_cut_off(hub: FakeHub, entry: CatalogEntry) -> None:
    hub.endless = True
    assert "more than 600000 bytes" in failure(entry)
    assert len(hub.gets()) == 1
    assert left(entry) == []


def test_a_redirect_in_a_circle_ends(hub: FakeHub, entry: CatalogEntry) -> None:
    hub.says_digest = False
    hub.location = f"{hub.url}/owner/tiny/resolve/main/tiny.gguf"
    assert "redirects" in failure(entry)
    assert len(hub.seen) < 10


def test_the_token_goes_to_the_hub_and_to_no_other_host(
    hub: FakeHub, entry: CatalogEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret\n")
    hub.storage_host = hub.url.replace("127.0.0.1", "localhost")
    get(entry)
    assert [seen.token for seen in hub.seen if "127.0.0.1" in seen.path] == ["Bearer hf_secret"]
    assert [seen.token for seen in hub.seen if "localhost" in seen.path] == [""]


def test_the_token_does_not_follow_a_redirect_of_the_question(
    hub: FakeHub, entry: CatalogEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.says_digest = False
    hub.location = f"{hub.url.replace('127.0.0.1', 'localhost')}/elsewhere"
    failure(entry)
    assert {seen.token for seen in hub.seen if "localhost" in seen.path} == {""}


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://[::1", "no url", "ftp://127.0.0.1"])
def test_a_hub_that_can_not_be_reached_is_named_with_a_way_out(
    entry: CatalogEntry, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    message = failure(entry)
    assert f"can't reach {endpoint}" in message
    assert "HF_ENDPOINT" in message


def test_two_pulls_at_once_fetch_once(hub: FakeHub, entry: CatalogEntry, content: bytes) -> None:
    hub.may_send.clear()

    def report(progress: Progress) -> None:
        if progress.stage.startswith("waiting"):
            hub.may_send.set()

    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(pull, [entry] * 2, [report] * 2))
    assert hub.may_send.is_set()
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == content
    assert len(hub.gets()) == 1
    assert left(entry) == ["tiny.gguf", "tiny.gguf.sha256"]


def test_a_disk_without_room_is_found_out_before_the_download(hub: FakeHub, entry: CatalogEntry) -> None:
    huge = replace(entry, size=10**18)
    hub.stated_size = 10**18
    message = failure(huge)
    assert "1000000000.1 GB are needed" in message
    assert hub.gets() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_is_named_with_a_way_out(hub: FakeHub, entry: CatalogEntry) -> None:
    partial_of(entry).symlink_to("/dev/full")
    message = failure(entry)
    assert "is full" in message
    assert "agentkit models pull tiny" in message


def test_a_file_that_may_not_grow_is_kept_and_gone_on_from(hub: FakeHub, entry: CatalogEntry, content: bytes) -> None:
    with largest_file(300_000):
        assert "File too large" in failure(entry)
    assert partial_of(entry).stat().st_size == 300_000
    hub.seen.clear()
    assert get(entry).read_bytes() == content
    assert hub.gets() == ["bytes=300000-"]


@contextmanager
def largest_file(size: int) -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_folder_that_can_not_be_made_is_named(hub: FakeHub, entry: CatalogEntry, home: Path) -> None:
    home.write_text("a file where the folder belongs")
    with pytest.raises(ModelUnavailable, match=f"can't write {home}"):
        get(entry)


@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_keeps_what_came(hub: FakeHub, home: Path, terminal: bool) -> None:
    hub.stated_size, hub.stated_digest = STARTER.bytes, STARTER.sha256
    hub.may_send.clear()
    reader, writer = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-c", "from agentkit.cli.main import main; main(['models', 'pull', 'starter'])"]
    child = subprocess.Popen(command, stderr=writer, env=os.environ | {"AGENTKIT_HOME": str(home), "COLUMNS": "100"})
    os.close(writer)
    wait_until(lambda: any(local_path(STARTER).parent.glob("*.part")))
    child.send_signal(signal.SIGINT)
    text = read_all(reader)
    assert child.wait(20) == 130
    assert "downloading from the Hub" in text
    assert "To go on: agentkit models pull starter" in text
    assert "Traceback" not in text
    assert [path.suffix for path in local_path(STARTER).parent.glob("q*")] == [".part"]


def read_all(descriptor: int) -> str:
    data = bytearray()
    try:
        while block := os.read(descriptor, 10_000):
            data += block
    except OSError:  # how Linux says that a terminal's other side is closed
        pass
    os.close(descriptor)
    return data.decode()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_remove_frees_the_file_and_all_that_belongs_to_it(hub: FakeHub, entry: CatalogEntry) -> None:
    assert remove(entry) == 0
    get(entry)
    partial_of(entry).write_bytes(bytes(1000))
    assert remove(entry) > 601_000
    assert not local_path(entry).parent.exists()
