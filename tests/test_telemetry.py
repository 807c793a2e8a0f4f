"""Records of answers that refine others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgent.errors import InputError
from edgent.telemetry import Record
from test_events import RECORD


@pytest.mark.parametrize("refined", [False, True])
def test_a_record_that_refines_another_says_so_and_is_read_back(refined: bool) -> None:
    record = replace(RECORD, refined=refined)
    assert Record.from_json(record.to_json()) == record
    assert ("kind" in json.loads(record.to_json())) is refined


def test_a_record_of_another_kind_is_refused() -> None:
    document = json.loads(RECORD.to_json()) | {"kind": "guess"}
    with pytest.raises(InputError, match=r"record\.kind: found 'guess'"):
        Record.from_json(json.dumps(document))
