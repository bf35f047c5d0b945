"""The judge of faces: shapes, and that it is the same function once its batch norms are folded."""

import torch

from imagegen.data.faces import ATTRIBUTES, made_up_faces
from imagegen.models.attributes import FaceAttributes


def test_a_logit_for_each_attribute_of_each_face() -> None:
    judge = FaceAttributes(width=2).eval()
    pictures, _ = made_up_faces()[:3]
    logits = judge(pictures)
    assert logits.shape == (3, len(ATTRIBUTES))
    assert torch.allclose(judge(pictures[1:2]), logits[1:2], atol=1e-5)
    assert not torch.allclose(judge(pictures.flip(3)), logits, atol=1e-5)


def test_it_is_built_for_as_many_attributes_as_asked() -> None:
    pictures, _ = made_up_faces()[:2]
    assert FaceAttributes(attributes=3, width=2)(pictures).shape == (2, 3)
