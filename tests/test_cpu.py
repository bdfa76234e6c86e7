"""The CPU settings follow from the cores and the memory of the machine."""

from pathlib import Path

import pytest
import torch
from z1_core.cpu import GIB, cpu_settings, one_process

from z1_core import cpu


@pytest.mark.parametrize(
    ("cores", "bind"),
    [([0], "0"), ([0, 1], "0,1"), ([2, 5], "2,5"), ([0, 1, 2, 3], "0,1,2,3"), (list(range(5)), "auto")],
)
def test_few_cores_all_compute_and_many_leave_one_to_the_scheduler(cores, bind):
    assert cpu_settings(cores, 16 * GIB).threads_bind == bind


@pytest.mark.parametrize(("share", "threads"), [(2.0, 2), (3.5, 3), (0.5, 1)])
def test_a_container_with_a_part_of_many_cores_gets_so_many_threads_bound_to_none(share, threads):
    """A CPU Space: two cores' worth of time on a machine that shows sixteen."""
    made = cpu_settings(list(range(16)), 16 * GIB, share=share)
    assert (made.threads_bind, made.threads) == ("nobind", threads)
    assert cpu_settings([0, 1], 16 * GIB, share=2.0) == cpu_settings([0, 1], 16 * GIB)


def test_the_share_is_what_a_space_tells_else_the_containers_quota(tmp_path, monkeypatch):
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(cpu, "Path", lambda *_: quota)
    monkeypatch.setenv("CPU_CORES", "2")
    assert cpu._share_of_cores() is None  # no Space
    for text, share in (("max 100000\n", None), ("150000 100000\n", 1.5)):
        quota.write_text(text)
        assert cpu._share_of_cores() == share
    monkeypatch.setenv("SPACE_ID", "someone/z1")
    assert cpu._share_of_cores() == 2.0


@pytest.mark.parametrize(("memory_gib", "cache_gib"), [(1, 1), (2, 1), (8, 2), (23.9, 5), (64, 16), (2000, 16)])
def test_the_kv_cache_takes_a_quarter_of_what_is_free_in_whole_gib_from_1_to_16(memory_gib, cache_gib):
    assert cpu_settings([0, 1], int(memory_gib * GIB)).kv_cache_bytes == cache_gib * GIB


def test_bf16_becomes_float32_where_the_processor_computes_it_row_by_row_and_the_memory_holds_it():
    """SmolLM2-135M and Z1-7B, in 16 bits, beside a cache of 4 GiB in 16 GiB."""
    smollm2, z1_7b = 270 << 20, 15 * GIB
    assert cpu_settings([0, 1], 16 * GIB, weight_bytes=smollm2).dtype == "auto"
    assert cpu_settings([0, 1], 16 * GIB, avx2_only=True, weight_bytes=smollm2).dtype == "float32"
    assert cpu_settings(list(range(16)), 16 * GIB, share=2.0, avx2_only=True, weight_bytes=smollm2).dtype == "float32"
    assert cpu_settings([0, 1], 32 * GIB, avx2_only=True, weight_bytes=z1_7b).dtype == "auto"


@pytest.mark.parametrize(("capability", "dtype"), [("AVX2", "float32"), ("AVX512", "auto"), ("DEFAULT", "auto")])
def test_what_the_processor_can_is_asked_of_torch_and_the_size_of_the_models_files(
    tmp_path, monkeypatch, capability, dtype
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert cpu.this_machine(tmp_path).dtype == dtype
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2**42)  # takes no room
    assert cpu.this_machine(tmp_path).dtype == "auto"


@pytest.mark.parametrize(("replicas", "dtype"), [(1, "float32"), (2, "auto")])
def test_every_replica_needs_memory_for_weights_of_its_own(tmp_path, monkeypatch, replicas, dtype):
    """4 GiB of weights in 16 GiB, of which the cache takes 4."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(cpu, "_free_memory_bytes", lambda available: 16 * GIB)
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(4 * GIB)
    assert cpu.this_machine(tmp_path, replicas=replicas).dtype == dtype


def test_the_blocks_are_small_enough_to_make_a_continuation_cheap_and_large_enough_to_start():
    assert cpu_settings([0, 1], GIB).block_size == 32


@pytest.mark.parametrize(("limit", "free"), [("max\n", 8 * GIB), (f"{2 * GIB}\n", 2 * GIB), (f"{64 * GIB}\n", 8 * GIB)])
def test_the_limit_of_a_container_counts_where_it_is_lower_than_what_is_free(tmp_path, monkeypatch, limit, free):
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(cpu, "Path", lambda *_: tmp_path / "memory.max")
    assert cpu._free_memory_bytes(8 * GIB) == free


def test_without_a_container_there_is_no_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "Path", lambda *_: tmp_path / "absent")
    assert cpu._free_memory_bytes(8 * GIB) == 8 * GIB


def test_only_an_installed_openmp_library_is_offered(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu.sys, "prefix", str(tmp_path))
    assert cpu.openmp_library() is None
    (tmp_path / "lib").mkdir()
    library = Path(tmp_path, "lib", "libiomp5.so")
    library.write_bytes(b"")
    assert cpu.openmp_library() == library


@pytest.mark.parametrize(("cores", "share", "threads"), [([2, 5], None, "2"), (list(range(16)), 2.0, "2")])
def test_on_few_cores_the_engines_own_process_computes_with_a_thread_for_each(cores, share, threads):
    made = one_process(cpu_settings(cores, GIB, share=share), intel_openmp=True)
    assert (made["OMP_NUM_THREADS"], made["VLLM_ENABLE_V1_MULTIPROCESSING"]) == (threads, "0")
    assert not [name for name in made if name.endswith("AFFINITY")]
    assert "KMP_BLOCKTIME" not in one_process(cpu_settings(cores, GIB, share=share), intel_openmp=False)


def test_many_cores_are_left_to_vllms_workers():
    assert one_process(cpu_settings(list(range(16)), GIB), intel_openmp=True) == {}
