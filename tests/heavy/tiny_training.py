"""What the training tests share: a random model of two layers with a real tokenizer, rows, and prepared data."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from training import run_folder, sft
from training.preprocess import Settings, preprocess
from training.recipe import read_settings
from z1_core import jsonl
from z1_core.engines.fake import CHATML, small_text
from z1_core.prompt import SYSTEM_PROMPT

ROOT = Path(__file__).parents[2]
WORDS = ("first", "we", "count", "the", "apples", "then", "divide", "by", "two", "so", "the", "answer", "is", "seven")


def small_tokenizer(**options) -> PreTrainedTokenizerFast:
    """The scripted engine's, as transformers has it."""
    usual = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": CHATML}
    tokenizer = small_text().tokenizer
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.from_str(tokenizer.to_str()), clean_up_tokenization_spaces=False, **(usual | options)
    )


def make_model(folder: Path, kind: str = "qwen2", tokenizer: PreTrainedTokenizerFast | None = None) -> Path:
    """A folder with random weights and the small ChatML tokenizer."""
    tokenizer = tokenizer or small_tokenizer()
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    made = {
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**sizes, tie_word_embeddings=True)),
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**sizes)),
    }
    made[kind]().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_rows(path: Path, count: int, seed: int = 0) -> Path:
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            words = chance.choices(WORDS, k=chance.choice((3, 8, 20, 40)))
            question = f"Question {number}: how many {chance.choice(WORDS)}?"
            row = {
                "id": f"row-{number}",
                "question": question,
                "response": " ".join(words),
                "token_num_qwen": len(words),
            }
            file.write(json.dumps(row) + "\n")
    return path


def make_data(folder: Path, model: Path, *, rows: int = 40, **settings) -> Path:
    """Prepared data in folder/data."""
    source = make_rows(folder / "rows.jsonl", rows)
    made = replace(Settings(tokenizer=str(model), system=SYSTEM_PROMPT, max_length=256, held_out=6), **settings)
    preprocess([str(source)], folder / "data", made)
    return folder / "data"


def options(model: Path, data: Path, out: Path, **changes) -> list[str]:
    """The command's words for eight rows a step, on the CPU, all steps logged."""
    values = {
        "model_name_or_path": model,
        "data": data,
        "output_dir": out,
        "use_cpu": True,
        "bf16": False,
        "export_dtype": "float32",
        "gradient_checkpointing": False,
        "padding_free": True,
        "batch": 8,
        "per_device_train_batch_size": 2,
        "max_steps": 4,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "cosine",
        "eval_steps": 4,
        "save_steps": 2,
    }
    return [f"--{name}={value}" for name, value in {**values, **changes}.items()]


def make_plan(*folders: Path, **changes) -> sft.Plan:
    return sft.plan(read_settings(options(*folders, **changes)))


def train(*folders: Path, **changes) -> list[float]:
    """folders: model, data, out. Returns the logged losses."""
    sft.train(make_plan(*folders, **changes))
    return logged(folders[-1])


def logged(out: Path, name: str = "loss") -> list[float]:
    return [line[name] for line in jsonl.rows(out / run_folder.LOG) if name in line]


def run_sft(words: Sequence[str], *, processes: int = 1, program: Sequence[str] = ("-m", "training.sft"), **more):
    """The command in a process of its own, or in several under torchrun."""
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--standalone"] * (processes > 1)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *launcher, *program, *words]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def finished(process: subprocess.Popen, timeout_s: float = 400) -> str:
    """Its output; fails with what it complained about."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.terminate()  # torchrun ends its workers
    assert process.returncode == 0, err[-3000:]
    return out
