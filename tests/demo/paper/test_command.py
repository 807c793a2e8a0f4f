from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edgent.cli import app


@pytest.mark.parametrize("option", ["--output", "--picture"])
def test_a_file_in_a_folder_that_does_not_exist_is_refused_before_anything_runs(tmp_path, option):
    done = CliRunner().invoke(app, ["demo", option, str(tmp_path / "nowhere" / "file")])
    assert done.exit_code != 0
    assert not list(tmp_path.iterdir())


def test_hidden_factors_have_no_negative_seed():
    done = CliRunner().invoke(app, ["demo", "--hidden-seed", "-1"])
    assert done.exit_code == 2 and "--hidden-seed" in done.output
