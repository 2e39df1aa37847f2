"""Pictures of trails."""

import numpy as np
import pytest
from matplotlib.image import imread

from swarmloom.errors import InputError
from swarmloom_protocols.stigmergy.physarum.images import grey_levels
from swarmloom_protocols.stigmergy.physarum.swarm import PhysarumSwarm


def test_grey_levels_rise_with_the_trail():
    trail = np.array([[0.0, 1.0, 4.0], [16.0, 16.0, 16.0]], np.float32)
    np.testing.assert_array_equal(grey_levels(trail), [[0, 63, 127], [255, 255, 255]])
    np.testing.assert_array_equal(grey_levels(trail, gamma=1.0), [[0, 15, 63], [255, 255, 255]])


def test_no_trail_is_black():
    assert not grey_levels(np.zeros((3, 4), np.float32)).any()


def test_a_picture_has_a_pixel_for_each_cell(tmp_path):
    swarm = PhysarumSwarm(500, (30, 40), seed=1)
    swarm.step(20)
    path = tmp_path / "trail.png"
    swarm.save_image(path, colours="gray")
    pixels = np.round(imread(path)[:, :, 0] * 255.0)
    assert pixels.shape == (30, 40)
    assert np.abs(pixels - swarm.render()).max() <= 1.0


def test_bad_input(tmp_path):
    swarm = PhysarumSwarm(10, (20, 20), seed=1)
    with pytest.raises(InputError, match=r"\.png"):
        swarm.save_image(tmp_path / "trail.exe")
    with pytest.raises(InputError, match="there is no folder"):
        swarm.save_image(tmp_path / "none" / "trail.png")
    with pytest.raises(InputError, match="colour"):
        swarm.save_image(tmp_path / "trail.png", colours="mauve-ish")
    with pytest.raises(InputError, match="gamma"):
        swarm.render(0.0)
    assert not list(tmp_path.iterdir())
