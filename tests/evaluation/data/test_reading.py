"""Each form of data is recognised by its looks and read; what is wrong with it is said in one line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.evaluation.data.class_names import read_class_names
from edgent.evaluation.data.examples import TrueBoxes, opened
from edgent.evaluation.data.recognise import read_listing, recognised
from evaluation.data.folders_on_disk import classes, coco, picture, table, yolo

BOX = {"id": 1, "image_id": 7, "category_id": 18, "iscrowd": 0}


def read(root: Path):
    return read_listing(root, recognised(root))


def test_a_folder_a_class_is_labelled_by_the_order_of_the_names(tmp_path: Path) -> None:
    listing = read(classes(tmp_path, dog=2, cat=1))
    assert (listing.format, listing.class_names) == ("folders", ("cat", "dog"))
    assert [(listed.path.parent.name, listed.truth) for listed in listing.files] == [("cat", 0), ("dog", 1), ("dog", 1)]


def test_a_table_has_indices_or_names_in_any_columns(tmp_path: Path) -> None:
    numbers = read(table(tmp_path / "a", "label,size,file\n3,9,x.png\n0,9,y.png\n", "x.png", "y.png"))
    assert (numbers.class_names, [listed.truth for listed in numbers.files]) == ((), [3, 0])
    names = read(table(tmp_path / "b", "\ufefffile,label\nx.png,dog\ny.png,cat\n\n", "x.png", "y.png"))
    assert (names.class_names, [listed.truth for listed in names.files]) == (("cat", "dog"), [1, 0])


def test_a_label_that_is_a_picture_is_a_mask(tmp_path: Path) -> None:
    listing = read(table(tmp_path, "file,label\nx.jpg,m.png\n", "x.jpg", "m.png"))
    assert listing.files[0].truth == tmp_path / "m.png"


def test_coco_boxes_are_corners_and_classes_count_by_their_ids(tmp_path: Path) -> None:
    listing = read(coco(tmp_path))
    assert (listing.format, listing.class_names) == ("coco", ("cat", "dog"))
    truth = listing.files[0].truth
    assert isinstance(truth, TrueBoxes)
    assert truth.corners.tolist() == [[10, 5, 30, 15]] and truth.classes.tolist() == [1]


def test_crowds_are_left_out(tmp_path: Path) -> None:
    crowd = {**BOX, "bbox": {"counts": [1]}, "iscrowd": 1}
    listing = read(coco(tmp_path, annotations=[{**crowd, "bbox": [0, 0, 9, 9]}]))
    assert not len(listing.files[0].truth.classes)


def test_yolo_lines_are_fractions_of_the_picture_and_an_outline_is_its_box(tmp_path: Path) -> None:
    lines = {"a": "1 0.5 0.5 0.5 0.2\n", "b": "0 0.1 0.2 0.5 0.2 0.5 0.6\n"}
    examples = opened(read(yolo(tmp_path, lines, ["a", "b", "c"])))
    assert examples.class_names == ("cat", "dog")
    first, second, third = examples.truths
    assert first.corners == pytest.approx(np.array([[10, 12, 30, 18]]))  # of 40 x 30
    assert second.corners == pytest.approx(np.array([[4, 6, 20, 18]]))
    assert not len(third.classes)


def test_pictures_alone_have_no_labels(tmp_path: Path) -> None:
    picture(tmp_path / "b.jpg"), picture(tmp_path / "a.png")
    examples = opened(read(tmp_path))
    assert (examples.truths, examples.class_names) == ((None, None), ())
    assert examples.shapes == ((30, 40), (30, 40))
    assert examples.source(0) == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "names:\n  0: person\n  1: hot dog\n",
        "path: x\nnames:\n- person\n- hot dog\nnc: 2\n",
        "nc: 2\nnames: [person, 'hot dog']\n",
        'names: {0: "person", 1: hot dog}\n',
        "names: [\n  person,  hot dog\n]\n",
        "names:  # two\n  - person # one\n  - hot dog\n",
    ],
)
def test_names_stand_in_yaml_in_every_usual_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert read_class_names(tmp_path) == ("person", "hot dog")


def test_names_stand_in_a_text_file_too(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("person\nhot dog\n\n")
    assert read_class_names(tmp_path) == ("person", "hot dog")


@pytest.mark.parametrize("text", ["names:\n  0: a\n  2: b\n", "nc: 2\n", "names:\n"])
def test_names_that_leave_classes_out_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.yaml").write_text(text)
    with pytest.raises(InputError, match=r"names\.yaml: found no names for classes"):
        read_class_names(tmp_path)


def test_broken_pictures_are_named_and_the_others_stay(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "c.jpg").write_bytes((picture(tmp_path / "d.jpg")).read_bytes()[:200])
    refused: list[str] = []
    examples = opened(read(tmp_path), refused=refused.append)
    assert [file.name for file in examples.files] == ["a.png", "d.jpg"]
    assert [line.split(":")[0] for line in refused] == [str(tmp_path / name) for name in ("b.png", "c.jpg")]


def test_a_folder_of_nothing_but_broken_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="no picture that can be opened"):
        opened(read(tmp_path))


def test_pictures_and_labels_that_have_no_counterpart_are_said(tmp_path: Path) -> None:
    listing = read(yolo(tmp_path / "y", {"a": "0 0.5 0.5 0.1 0.1", "z": ""}, ["a", "b"]))
    assert [doubt.split(":")[0] for doubt in listing.doubts] == [
        "1 pictures have no text file",
        "1 text files belong to no picture, z.txt first",
    ]
    (doubt,) = read(table(tmp_path / "t", "file,label\nx.png,1\n", "x.png", "y.png")).doubts
    assert "1 pictures beside labels.csv have no row" in doubt


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x.png,3\n", "first line 'x.png,3', expected the columns' names: file,label"),
        ("", "found the first line 'nothing'"),
        ("file,label\n", "found no rows"),
        ("file,label\nx.png\n", "line 2: found no label"),
        ("file,label\nx.png,\n", "line 2: found no label"),
        ("file,label\nz.png,1\n", "line 2: there is no file 'z.png'"),
        ("file,label\n../x.png,1\n", "found the file name '../x.png', expected one below"),
        ("file,label\n/etc/passwd,1\n", "found the file name '/etc/passwd'"),
        ("file,label\nx.png,1\nx.png,2\n", "found x.png twice"),
        ("file,label\nx.png,1\ny.png,dog\n", "found the labels '1' and 'dog'"),
        ("file,label\nx.png,-1\ny.png,1\n", "found the labels '-1' and '1'"),
        ("file,label\nx.png,m.png\ny.png,1\n", "found the labels"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_listing(table(tmp_path, text, "x.png", "y.png", "m.png"), "csv")
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": [{**BOX, "bbox": [0, 0, 1e300, 5]}]}, "found the box [0, 0, 1e+300, 5]"),
        ({"annotations": [{**BOX, "bbox": [0, 0, -5, 5]}]}, "expected x, y, width, height"),
        ({"annotations": [{**BOX, "bbox": [0, 0, 5]}]}, "expected x, y, width, height"),
        ({"annotations": [{**BOX, "bbox": [0, 0, True, "a"]}]}, "expected x, y, width, height"),
        ({"annotations": [{**BOX, "bbox": [0, 0, 5, 5], "category_id": 99}]}, "class 99, which is not in categories"),
        ({"annotations": [{**BOX, "bbox": [0, 0, 5, 5], "category_id": [1]}]}, "annotations[0] lacks"),
        ({"annotations": [{**BOX, "bbox": [0, 0, 5, 5], "image_id": 8}]}, "picture 8, which is not in images"),
        ({"annotations": [{**BOX, "bbox": [0, 0, 5, 5], "image_id": [8]}]}, "annotations[0] lacks"),
        ({"annotations": [3]}, "annotations[0] lacks"),
        ({"images": [{"id": 7, "file_name": "../../secret.png"}]}, "found the file name"),
        ({"images": [{"id": 7, "file_name": "gone.jpg"}]}, "there is no file 'gone.jpg'"),
        ({"images": [{"id": [], "file_name": "a.jpg"}]}, "images[0]"),
        ({"images": {}}, "found no list 'images'"),
        ({"categories": [{"id": "x", "name": "dog"}]}, "a category whose id is no whole number"),
        ({"categories": [{"id": False, "name": "dog"}]}, "categories[0] lacks id or name"),
    ],
)
def test_json_with_absurd_values_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_listing(coco(tmp_path, **changes), "coco")
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ['{"images": NaN}', '{"images": [', "[]", "\xff"])
def test_what_is_no_json_of_coco_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="COCO's JSON"):
        read_listing(tmp_path / "a.json", "coco")


@pytest.mark.parametrize(
    "line", ["a b", "0 0.5 0.5 0.1", "0 0.5 0.5 0.1 7", "2 0.5 0.5 0.1 0.1", "0.5 0.5 0.5 0.1 0.1", "0 nan 0.5 0.1 0.1"]
)
def test_yolo_lines_that_are_no_boxes_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"a\.txt, line 2: found"):
        read_listing(yolo(tmp_path, {"a": f"0 0.5 0.5 0.1 0.1\n{line}\n"}, ["a"]), "yolo")


def test_yolo_pictures_without_any_box_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 2 pictures and boxes for none"):
        read_listing(yolo(tmp_path, {}, ["a", "b"]), "yolo")


def test_an_empty_folder_a_missing_one_and_one_too_high_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no data"):
        recognised(tmp_path)
    with pytest.raises(InputError, match="no such folder or file"):
        recognised(tmp_path / "gone")
    classes(tmp_path / "train", cat=1, dog=1)
    with pytest.raises(InputError, match=r"perhaps .*train is meant"):
        recognised(tmp_path)


@pytest.mark.parametrize("name", ["x.csv", "x.json", "cat/x.png", "classes.txt"])
def test_pipes_in_a_folder_of_pictures_are_not_waited_for(tmp_path: Path, name: str) -> None:
    root = classes(tmp_path, dog=2, cat=1)
    os.mkfifo(root / name)
    listing = read(root)
    assert listing.class_names == ("cat", "dog") and len(listing.files) == 3


def test_what_looks_like_two_forms_must_be_told(tmp_path: Path) -> None:
    yolo(table(tmp_path, "file,label\nx.png,1\n", "x.png"), {"a": ""}, ["a"])
    with pytest.raises(InputError, match="looks like csv and like yolo; say which with --format"):
        recognised(tmp_path)


def test_a_class_without_pictures_is_refused(tmp_path: Path) -> None:
    classes(tmp_path, cat=1, dog=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures in empty"):
        read(tmp_path)
