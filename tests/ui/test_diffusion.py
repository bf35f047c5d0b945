"""The diffusion tab as it is built: what it offers, and why it is off, by the checkpoints that are there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from serving import ROOT

from imagegen.tasks.diffusion import AUTOENCODER, DIGITS, FACES

# Builds the tab with each folder of checkpoints: why it is off, and which models it offers.
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
        add_tab("diff", ModelStore(Path(folder), torch.device("cpu")), gr.State(None), tabs)
    parts = {part["props"].get("elem_id"): part["props"] for part in page.get_config_file()["components"]}
    model = parts.get("model", {})
    told.append({
        "off": parts.get("diff-off", {}).get("value"),
        "offered": [name for _, name in model.get("choices", [])],
        "choice": model.get("visible"),
    })
print(json.dumps(told))
"""


def test_the_tab_offers_what_is_there_and_names_what_is_damaged(checkpoints: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(checkpoints, tmp_path / name))

    damaged = {name: copy(name) for name in (DIGITS, FACES, AUTOENCODER)}
    for name, folder in damaged.items():
        weights = folder / name / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
    without_digits, without_faces = copy("without digits"), copy("without faces")
    shutil.rmtree(without_digits / DIGITS)
    shutil.rmtree(without_faces / FACES)

    # in a process of its own: Gradio leaves event loops open
    folders = [checkpoints, without_faces, without_digits, *damaged.values()]
    command = [sys.executable, "-c", TABS, *map(str, folders)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200)
    whole, no_faces, no_digits, *reasons = json.loads(answer.stdout)
    assert whole == {"off": None, "offered": [DIGITS, FACES], "choice": True}
    assert no_faces == {"off": None, "offered": [DIGITS], "choice": False}
    assert no_digits["off"]["values"]["name"] == repr(DIGITS)
    for name, reason in zip(damaged, reasons, strict=True):
        assert "is damaged" in reason["off"]["template"]
        assert reason["off"]["values"] == {"file": f"{name}/model.safetensors"}
