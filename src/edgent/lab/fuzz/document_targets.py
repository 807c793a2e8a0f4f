"""What is read of texts and of files: documents of ours, models, arrays, traces, data sets, certificates, words."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np

from edgent.address import Address
from edgent.arrays import read_arrays
from edgent.codec import Calibration, encode_image
from edgent.document import parse
from edgent.engine.loading import load
from edgent.evaluation.data.class_names import read_class_names
from edgent.evaluation.data.coco import read_coco
from edgent.evaluation.data.table import read_table
from edgent.evaluation.data.yolo import read_yolo
from edgent.events import Event
from edgent.lab.chaos.simulation import made_up_profile
from edgent.lab.fuzz.fuzzing import FuzzTarget
from edgent.lab.fuzz.mutations import Mutation, of_json, of_lines, of_npy, of_protobuf, of_zip
from edgent.latency.family import References, Sample
from edgent.latency.kernel_model import fit
from edgent.latency.latency_model_file import STEPS, MachineModel, Preparing
from edgent.latency.profile import CodecTime, Profile
from edgent.latency.traits import Traits
from edgent.link.trace_files.files import load_trace
from edgent.model import Model, parse_segment_name
from edgent.model.configuration.beside import read_beside
from edgent.model.configuration.document import read_json, write_json
from edgent.model.configuration.hugging_face import hugging_face
from edgent.model.configuration.ultralytics import ultralytics
from edgent.model.files.manifest import Manifest
from edgent.model.files.partial import manifest_of
from edgent.planning.configuration_map import ConfigurationMap, Machine, State, Step
from edgent.planning.gates import Gate, Gates
from edgent.planning.plan import Configuration, Stages
from edgent.profiling.sweep_file import Checkpoint
from edgent.report.index import record_in
from edgent.sinks.addresses import parse_sink
from edgent.sources.crop import Crop
from edgent.telemetry import Record, read_records
from edgent.units import BitsPerSecond, Seconds, parse_bandwidth, parse_bytes, parse_count, parse_duration

_TRACES = ("link.trace_files.files", "link.trace_files.table", "link.trace_files.published", "files")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def targets(model: Model, folder: Path) -> tuple[FuzzTarget, ...]:
    """Those of texts and files.

    Args:
        model: whose documents they are.
        folder: an empty one, for the files.
    """
    return (
        *_documents(model),
        *_files(folder),
        *_models(model, folder),
        *_data_sets(folder),
        *_words(),
    )


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "replace"))


def _documents(model: Model) -> Iterator[FuzzTarget]:
    profile = made_up_profile(model, 1e-3)
    shipped = model.path.with_name(f"{model.path.stem}.calibration.json")
    record = Record(
        input="a.png",
        label=None,
        exit=4,
        by="edge",
        deadline_met=True,
        total=Seconds(0.02),
        stages=Stages(),
        plan=None,
        at=1.7e9,
        source="door",
    )
    for name, module, seed, read in (
        ("profile", "latency.profile", profile.to_json(), Profile.from_json),
        ("calibration", "document", _shortened(shipped.read_text()), Calibration.from_json),
        ("configuration map", "document", _map(profile).to_json(), ConfigurationMap.from_json),
        ("gate file", "document", _gates(model).to_json(), Gates.from_json),
        ("bundle's manifest", "document", _manifest(model).to_json(), Manifest.from_json),
        ("latency model", "latency.latency_model_file", _latency_model().to_json(), MachineModel.from_json),
        ("record", "telemetry", record.to_json(), Record.from_json),
        ("line of records", "report.index", _event(record), lambda line: record_in(line.encode())),
        ("metadata", "model.configuration.document", write_json(model.metadata), read_json),
    ):
        yield FuzzTarget(name=name, modules=(module,), seeds=(seed.encode(),), mutate=of_json, read=_text(read))


def _event(record: Record) -> str:
    return Event(id="a-1", source="door", number=1, captured_at=1.7e9, kind="answer", record=record).to_json()


def _shortened(text: str) -> str:
    """A document that is honest, and small enough to be read ten thousand times."""
    document = json.loads(text)
    for key, value in document.items():
        if isinstance(value, list):
            document[key] = value[:4]
    return json.dumps(document)


def _map(profile: Profile) -> ConfigurationMap:
    alone = Configuration(exit=0, upload_cut=12, download_cut=12)
    state = State(bandwidth=BitsPerSecond(0.0), steps=(Step(deadline=Seconds(0.1), configuration=alone),))
    return ConfigurationMap(
        model=profile.model,
        digest=profile.digest,
        device=Machine.of(profile),
        edge=Machine.of(profile),
        shortest=Seconds(0.1),
        longest=Seconds(1.0),
        round_trip=Seconds(0.0),
        reward="lexicographic",
        states=(state,),
    )


def _manifest(model: Model) -> Manifest:
    narrow = model.path.with_name("b-alexnet-narrow.onnx")
    return manifest_of(load(f"{model.path}+{narrow}"), [])


def _gates(model: Model) -> Gates:
    gate = Gate(
        exit=0,
        later=4,
        codec="source",
        confidence=0.9,
        accepted=0.6,
        lost=0.01,
        accuracy=0.88,
        ungated=0.89,
        alone=0.88,
        standing=0.7,
        asked=0.75,
        weights=(0.25, 0.75),
        gain=(-0.01, 0.02),
        samples=100,
    )
    return Gates(
        model=model.name,
        digest=model.digest,
        data="pictures",
        measure="accuracy",
        max_drop=0.01,
        confidence_level=0.95,
        gates=(gate,),
    )


def _latency_model() -> MachineModel:
    random = np.random.default_rng(0)
    samples = [
        Sample(
            Traits(
                family="conv", work=(1.0, 1e6 * size, 1e4 * size, 1e4 * size, 1e3), form=(float(np.log(size)), 1.0, 0.0)
            ),
            1e-5 * float(size),
            References(0.0, 0.0),
        )
        for size in random.uniform(1, 100, 60)
    ]
    codec = CodecTime(codec="float32", encode_base=1e-5, encode_per_byte=1e-10, decode_base=1e-5, decode_per_byte=1e-10)
    return MachineModel(
        machine="bench",
        engine="onnxruntime 1",
        threads=1,
        options={},
        seconds=60.0,
        specimens=20,
        references=References(arithmetic=5e-4, memory=3e-5),
        fit=fit([samples[at : at + 3] for at in range(0, 60, 3)]),
        coding=Preparing(codecs=(codec,), steps=dict.fromkeys(STEPS, (1e-4, 1e-9))),
    )


def _in_file(path: Path, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """What reads a file of this name, given its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def of_data(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return of_data


def _files(folder: Path) -> Iterator[FuzzTarget]:
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, np.ones((2, 3), np.float32))
    np.savez(npz, image=np.ones((2, 3), np.float32), words=np.array(["a", "b"]))
    record = (
        '{"input": "a", "label": null, "exit": 0, "by": "device", "deadline_met": true, "total_ms": 1.0, "stages_ms": '
    )
    stages = (
        '{"prepare": 0, "head": 1.0, "encode": 0, "uplink": 0, "queue": 0, "middle": 0, "downlink": 0, "suffix": 0}'
    )
    lines = f'{record}{stages}, "plan": null, "why": "", "result": null}}\n'
    sweep = Checkpoint(path=folder / "sweep", head="here")
    kernel = '["conv", [1.0, 2.0, 3.0, 4.0, 5.0], [1.0], [], 0.5, [0.1, 0.1]]'
    swept = f'{{"schema": 3, "sweep": "here"}}\n{{"number": 1, "seconds": 2.0, "kernels": [{kernel}]}}\n'
    swept = swept.replace("3", str(_schema_of_sweeps(folder)), 1)
    traces = (
        "s,Mbit/s\n0,1.5\n1,2.5\n2,0.5\n",
        "time_s;kbit/s\n0;100\n1;200\n",
        "0 100\n500 100\n500 200\n900 200\n",
        '[{"duration_ms": 500, "bandwidth_kbps": 900, "latency_ms": 20}, {"duration_ms": 500, "bandwidth_kbps": 90}]',
        "1\n5\n5\n9\n12\n",
    )
    yield FuzzTarget(
        name="npy file",
        modules=("arrays",),
        seeds=(npy.getvalue(),),
        mutate=of_npy,
        read=_in_file(folder / "a.npy", read_arrays),
    )
    yield FuzzTarget(
        name="npz file",
        modules=("arrays",),
        seeds=(npz.getvalue(),),
        mutate=of_zip,
        read=_in_file(folder / "a.npz", read_arrays),
    )
    yield _of_file(folder / "a.csv", "trace", _TRACES, traces, load_trace, _lines_or_json)
    records = (lines, lines * 2)
    yield _of_file(folder / "day.jsonl", "records", ("telemetry", "files"), records, _all_records, _lines_or_json)
    yield _of_file(
        folder / "sweep",
        "unfinished sweep",
        ("profiling.sweep_file",),
        (swept,),
        lambda _: sweep.read(),
        _lines_or_json,
    )
    yield from _configurations(folder)


def _configurations(folder: Path) -> Iterator[FuzzTarget]:
    """What is said of a model beside its file, in ours and in others' words."""
    toml = 'task = "classification"\nlabels = ["a", "b"]\n[preprocessing]\nsize = [32, 32]\n'
    module = "model.configuration"
    yield _of_file(folder / "net.edgent.toml", "configuration", (f"{module}.beside",), (toml,), read_beside, of_lines)
    config = '{"model_type": "resnet", "id2label": {"0": "a", "1": "b"}}'
    path = folder / "hf" / "config.json"
    yield _of_file(
        path, "Hugging Face's", (f"{module}.hugging_face",), (config,), lambda path: hugging_face(path.parent), of_json
    )
    names = {"stride": "32", "names": "{0: 'a', 1: 'b'}", "task": "detect", "imgsz": "[640, 640]", "channels": "3"}
    yield FuzzTarget(
        name="Ultralytics's",
        modules=(f"{module}.ultralytics",),
        seeds=(json.dumps(names).encode(),),
        mutate=of_json,
        read=_ultralytics,
    )


def _ultralytics(data: bytes) -> object:
    found = parse(data.decode("utf-8", "replace"))
    # In a model's file every property is text.
    props = {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}
    return ultralytics(props, ((1, 6, 8400),))


def _all_records(path: Path) -> object:
    return list(read_records(path))


def _of_file(
    path: Path,
    name: str,
    modules: tuple[str, ...],
    seeds: Sequence[str],
    read: Callable[[Path], object],
    mutate: Mutation,
) -> FuzzTarget:
    return FuzzTarget(
        name=name,
        modules=modules,
        seeds=tuple(seed.encode() for seed in seeds),
        mutate=mutate,
        read=_in_file(path, read),
    )


def _schema_of_sweeps(folder: Path) -> int:
    """The number that a sweep's file begins with, from one that is written."""
    path = folder / "new-sweep"
    Checkpoint(path=path, head="here").read()
    schema: int = json.loads(path.read_text())["schema"]
    path.unlink()
    return schema


def _models(model: Model, folder: Path) -> Iterator[FuzzTarget]:
    small = _small_network()
    yield FuzzTarget(
        name="model file",
        modules=(
            "model.files.read",
            "model.model",
            "model.files.constants",
            "model.files.formats",
            "model.files.ordering",
        ),
        seeds=(small,),
        mutate=of_protobuf,
        read=_in_file(folder / "models" / "net.onnx", lambda path: load(str(path))),
    )


def _small_network() -> bytes:
    """Two layers and a constant, written by hand so that no trainer is needed."""
    import onnx.helper
    import onnx.numpy_helper

    weights = onnx.numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["h"]),
        onnx.helper.make_node("Relu", ["h"], ["r"]),
        onnx.helper.make_node("Softmax", ["r"], ["y"], axis=1),
    ]
    given, made = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y"))
    graph = onnx.helper.make_graph(nodes, "net", [given], [made], initializer=[weights])
    network = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.helper.set_model_props(network, {"edgent": '{"task": "classification"}'})
    return bytes(network.SerializeToString())


def _data_sets(folder: Path) -> Iterator[FuzzTarget]:
    picture = encode_image("png", np.zeros((8, 8, 3), np.uint8))
    for place in ("coco/a.png", "table/a.png", "table/b.png", "yolo/images/a.png"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(picture)
    boxes = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 4, 4], "iscrowd": 0, "area": 16}
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "annotations": [boxes],
        "categories": [{"id": 3, "name": "cat"}],
    }
    (folder / "yolo" / "classes.txt").write_text("cat\ndog\n")
    module = "evaluation.data"
    yield _of_file(folder / "coco" / "boxes.json", "coco", (f"{module}.coco",), (json.dumps(coco),), read_coco, of_json)
    table = "file,label\na.png,cat\nb.png,dog\n"
    yield _of_file(
        folder / "table" / "l.csv", "table of pictures", (f"{module}.table",), (table,), read_table, of_lines
    )
    boxes_of_yolo = "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.1 0.1\n"
    path = folder / "yolo" / "labels" / "a.txt"
    yield _of_file(
        path, "yolo's boxes", (f"{module}.yolo",), (boxes_of_yolo,), lambda path: read_yolo(path.parents[1]), of_lines
    )
    names = "path: .\nnames:\n  0: cat\n  1: dog\n"
    path = folder / "names" / "data.yaml"
    yield _of_file(
        path, "class names", (f"{module}.class_names",), (names,), lambda path: read_class_names(path.parent), of_lines
    )


def _words() -> Iterator[FuzzTarget]:
    for name, module, seeds, read in (
        ("address", "address", ("10.0.0.2:8001", "[fe80::1%eth0]:80"), Address.parse),
        ("duration", "units", ("100ms", "1.5s"), parse_duration),
        ("bandwidth", "units", ("2.5Mbit/s",), parse_bandwidth),
        ("bytes", "units", ("12kB",), parse_bytes),
        ("count", "units", ("1000",), parse_count),
        ("part of a picture", "sources.crop", ("640x480+100+50", "1x1+0+0"), Crop.parse),
        ("sink", "sinks.addresses", ("mqtts://ann:p%40ss@b.local:1883/a/b?pictures", "https://h/x?k=1"), parse_sink),
        ("segment name", "model.values", ("b-alexnet.x4.u3.d12",), parse_segment_name),
    ):
        yield FuzzTarget(
            name=name,
            modules=(module,),
            seeds=tuple(seed.encode() for seed in seeds),
            mutate=of_lines,
            read=_text(read),
        )


def _lines_or_json(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    mutation: Mutation = of_json if data[:1] in b"[{" and chance.random() < 0.6 else of_lines
    return mutation(chance, data, others)
