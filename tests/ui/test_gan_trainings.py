"""What stands below the GAN tab, by what is shipped."""

import shutil
import subprocess
import sys
from pathlib import Path

from serving import ROOT

NAMES = """
import sys
from pathlib import Path
import gradio as gr
import torch
from imagegen.store import ModelStore
from imagegen.ui.gan_trainings import add_trainings

for folder in sys.argv[1:]:
    with gr.Blocks(analytics_enabled=False) as page:
        add_trainings(ModelStore(Path(folder), torch.device("cpu")))
    print(*(block.elem_id for block in page.blocks.values() if block.elem_id))
"""


def test_faces_are_offered_only_where_they_are_shipped(checkpoints: Path, tmp_path: Path) -> None:
    without = Path(shutil.copytree(checkpoints, tmp_path / "checkpoints"))
    shutil.rmtree(without / "gan-celeba")
    command = [sys.executable, "-c", NAMES, str(checkpoints), str(without)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    there, missing = done.stdout.splitlines()
    assert "gan-faces" in there.split()
    assert "gan-faces" not in missing.split()
