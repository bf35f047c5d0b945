"""The words tab as it is built: there with its checkpoint, and off with the reason without it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from serving import ROOT

from imagegen.tasks.text_to_image import CHECKPOINT

TABS = """
import json, sys
from pathlib import Path
import gradio as gr
import torch
from imagegen.store import ModelStore
from imagegen.ui import add_tab

told = []
for folder in sys.argv[1:]:
    with gr.Blocks(analytics_enabled=False) as page, gr.Tabs() as tabs:
        add_tab("words", ModelStore(Path(folder), torch.device("cpu")), gr.State(None), tabs)
    parts = {part["props"].get("elem_id"): part["props"] for part in page.get_config_file()["components"]}
    told.append({"off": parts.get("words-off", {}).get("value"), "there": "words-prompt" in parts})
print(json.dumps(told))
"""


def test_the_tab_is_there_or_names_what_is_missing_or_damaged(checkpoints: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    damaged = []
    for part in ("unet/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json", "assets/words.json"):
        folder = tmp_path / str(len(damaged))
        shutil.copytree(checkpoints / CHECKPOINT, folder / CHECKPOINT)
        path = folder / CHECKPOINT / part
        path.write_bytes(path.read_bytes()[:-10])
        damaged.append((folder, part))

    # in a process of its own: Gradio leaves event loops open
    folders = [checkpoints, tmp_path / "empty", *(folder for folder, _ in damaged)]
    command = [sys.executable, "-c", TABS, *map(str, folders)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200)
    whole, missing, *reasons = json.loads(answer.stdout)
    assert whole == {"off": None, "there": True}
    assert missing["off"]["values"]["name"] == repr(CHECKPOINT)
    for (_, part), reason in zip(damaged, reasons, strict=True):
        assert not reason["there"]
        assert reason["off"]["values"] == {"file": f"{CHECKPOINT}/{part}"}
