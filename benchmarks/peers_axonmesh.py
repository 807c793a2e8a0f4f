"""b-alexnet's trunk split by axonmesh (PyPI), run in an environment of its own: no Edgent, no ONNX.

    python peers_axonmesh.py serve WEIGHTS CUT              prints {"address": ...}, then serves
    python peers_axonmesh.py ask WEIGHTS CUT ADDRESS MODE PICTURE ...   prints {"seconds": [...], "labels": [...]}

WEIGHTS is an .npz of arrays by layer name. MODE is `frame` (a JPEG of quality 85, all of the network on the server) or
`features` (the tensor at CUT as int8, compressed). A network is its torch.fx graph; a class travels as a detection.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import axonmesh
import cv2
import numpy as np
import torch
from axonmesh.server import CloudServer
from torch import nn

SIDE = 32
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def normalisation() -> nn.Module:
    """Pixels 0..1 to the network's input, as a fixed convolution of size one."""
    layer = nn.Conv2d(3, 3, 1, groups=3)
    with torch.no_grad():
        layer.weight.copy_((1 / torch.tensor(STD)).reshape(3, 1, 1, 1))
        layer.bias.copy_(-torch.tensor(MEAN) / torch.tensor(STD))
    return layer


def network(file: str) -> nn.Module:
    """The trunk of 22 layers."""
    weights = np.load(file)

    def filled(layer: nn.Module, name: str) -> nn.Module:
        layer.load_state_dict({part: torch.from_numpy(weights[f"{name}.{part}"]) for part in ("weight", "bias")})
        return layer

    def convolution(name: str) -> nn.Module:
        out, taken, side, _ = weights[f"{name}.weight"].shape
        return filled(nn.Conv2d(taken, out, side, padding=side // 2), name)

    def linear(name: str) -> nn.Module:
        return filled(nn.Linear(*weights[f"{name}.weight"].shape[::-1]), name)

    def narrowing() -> list[nn.Module]:
        return [nn.MaxPool2d(3, 2, 1), nn.LocalResponseNorm(3, 5e-5, 0.75, 1.0)]

    return nn.Sequential(
        normalisation(),
        *(convolution("conv1"), nn.ReLU(), *narrowing(), convolution("conv2"), nn.ReLU(), *narrowing()),
        *(convolution("conv3"), nn.ReLU(), convolution("conv4"), nn.ReLU(), convolution("conv5"), nn.ReLU()),
        *(nn.MaxPool2d(3, 2, 1), nn.Flatten(), linear("fc6"), nn.ReLU(), linear("fc7"), nn.ReLU(), linear("fc8")),
    ).eval()


def answer(scores: Any) -> bytes:
    """The class of the highest score."""
    label = int(torch.as_tensor(scores).argmax())
    return axonmesh.serialize_detections([axonmesh.Detection(label, 1.0, (0.0, 0.0, 1.0, 1.0))])


def ask(client: axonmesh.EdgeClient, mode: str, files: list[str]) -> dict[str, Any]:
    """Answers to pictures, each timed from its file's bytes to its label; the first two warm up."""
    seconds, labels = [], []
    send = client.infer_frame if mode == "frame" else client.infer_features
    pictures = [np.fromfile(file, np.uint8) for file in files]
    for picture in [*pictures[:2], *pictures]:
        began = time.perf_counter()
        (found,), _ = send(cv2.imdecode(picture, cv2.IMREAD_COLOR))
        seconds.append(time.perf_counter() - began)
        labels.append(found.cls_id)
    return {"seconds": seconds[2:], "labels": labels[2:]}


def main(what: str, weights: str, cut: str, *rest: str) -> None:
    """See the module."""
    torch.set_num_threads(1)
    model = network(weights)
    if what == "serve":
        server = CloudServer(model, cut=int(cut), imgsz=SIDE, postprocess=answer, host="127.0.0.1", port=0)
        print(json.dumps({"address": f"127.0.0.1:{server.port}"}), flush=True)
        server.serve_forever()
        return
    address, mode, *files = rest
    host, port = address.split(":")
    with axonmesh.EdgeClient(host, int(port), model, cut=int(cut), imgsz=SIDE) as client:
        print(json.dumps(ask(client, mode, files)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
