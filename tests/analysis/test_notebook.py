"""What a notebook user types."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clew import analysis
from clew.analysis.segment import steps
from clew.testing.toys import run
from support.ways import ways, written


def test_every_name_is_there_and_none_is_a_module() -> None:
    for name in analysis.__all__:
        assert callable(getattr(analysis, name))
    assert analysis.steps is steps
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = analysis.magic


def test_importing_it_loads_nothing() -> None:
    code = "import sys, clew.analysis; assert not {'scipy', 'matplotlib', 'clew.analysis.segment'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plots_show_what_was_measured() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    s, trace = written(ways(), "way A")
    found = run(analysis.find_anchors(s, trace, n=30))
    bars = analysis.plot_anchors(found).patches
    assert bars[1].get_fill()
    assert bars[1].get_height() == pytest.approx(found.anchors[1].counterfactual)
    line = analysis.plot_timeline([analysis.stated(trace)]).lines[0]
    assert line.get_ydata()[0] == 0
    assert line.get_ydata()[-1] == trace.grade
    assert len(analysis.plot_profile([trace], bins=4).lines) == 1
