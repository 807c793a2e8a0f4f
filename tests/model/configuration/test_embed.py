from __future__ import annotations

import sys

import onnx
import pytest

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.model import SHIPPED
from edgent.model.configuration.embed import check_embeddable, embed_exits, exits_with
from edgent.model.files.named import MODELS_PACKAGE
from networks.taught import staged


def test_what_is_said_of_exits_changes_no_digest(tmp_path) -> None:
    before = load(staged(tmp_path / "net.onnx"))
    known = exits_with(before, [0.75], 10, "some")
    embed_exits(before.path, known, tmp_path / "known.onnx")
    after = load(tmp_path / "known.onnx")
    assert (after.digest, after.metadata.exits) == (before.digest, known)
    (exit,) = known
    assert (exit.outputs, exit.accuracy, exit.samples, exit.data) == (("scores",), 0.75, 10, "some")


def test_what_stands_beside_a_file_is_in_it_afterwards(tmp_path) -> None:
    file = staged(tmp_path / "net.onnx")
    proto = onnx.load(file)
    del proto.metadata_props[:]
    onnx.save(proto, file, save_as_external_data=True, location="w.bin", size_threshold=0)
    beside = tmp_path / "net.edgent.toml"
    beside.write_text('task = "classification"\nlabels = ["dark", "grey", "light"]\n[preprocessing]\nsize = [24, 24]\n')
    model = load(file)
    embed_exits(file, exits_with(model, [0.5], 4, "some"), file)
    assert load(file).branches[-1].accuracy == 0.5
    beside.unlink()
    assert (load(file).digest, load(file).metadata.labels) == (model.digest, ("dark", "grey", "light"))


def test_what_could_not_be_told_anew_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="is shipped with Edgent and stays as it is"):
        check_embeddable(SHIPPED / "b-alexnet.onnx")
    file = staged(tmp_path / "net.onnx")
    check_embeddable(file)
    proto = onnx.load(file)
    del proto.metadata_props[:]
    onnx.save(proto, file)
    (tmp_path / "net.edgent.toml").write_text('exits = [{ name = "last", outputs = ["scores"], accuracy = 0.5 }]\n')
    with pytest.raises(InputError, match=r"its exits stand in net\.edgent\.toml, and must not be two things"):
        check_embeddable(file)


def test_a_network_of_the_package_of_larger_ones_stays_as_it_is(tmp_path, monkeypatch) -> None:
    (tmp_path / MODELS_PACKAGE).mkdir()
    (tmp_path / MODELS_PACKAGE / "__init__.py").touch()  # goes before the real one, where that is installed
    monkeypatch.delitem(sys.modules, MODELS_PACKAGE, raising=False)
    file = staged(tmp_path / MODELS_PACKAGE / "net.onnx")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="is shipped with Edgent and stays as it is"):
        check_embeddable(file)
