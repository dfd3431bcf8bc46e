"""The prior is found again from errors that were drawn of it."""

from __future__ import annotations

import numpy as np
import pytest

from fastdepth.anchors.covariance import covariance, features
from fastdepth.anchors.fitting import fit_prior
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.documents import parse
from fastdepth.errors import DataError, ModelFileError

SHAPE = (24, 32)
GREY = np.full((*SHAPE, 3), 90, np.uint8)


def drawn(prior, count):
    """Predictions of a slope, and truths whose errors are of a prior."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices(SHAPE).reshape(2, -1)
    for _ in range(count):
        predicted = np.exp(rng.normal(0, 0.5) + 0.03 * columns).astype(np.float32)
        place = np.stack([rows, columns], 1) / max(SHAPE)
        pixels = features(place, predicted.astype(float), np.zeros((len(place), 3)), prior)
        shared = covariance(pixels, pixels, prior) + 1e-4 * np.eye(len(place))
        error = np.linalg.cholesky(shared) @ rng.standard_normal(len(place))
        yield (
            GREY,
            predicted.reshape(SHAPE),
            (predicted * np.exp(error)).reshape(SHAPE).astype("f4"),
        )


def test_a_prior_is_found_again():
    sought = AnchorPrior(scale_sd=0.3, local_sd=0.1, length=0.2, log_length=0.5)
    found = fit_prior(drawn(sought, 40))
    assert found.scale_sd == pytest.approx(0.3, rel=0.35)
    # of a process as rough as this one an image tells the variance by the length, not each alone
    assert found.local_sd**2 / found.length == pytest.approx(0.1**2 / 0.2, rel=0.35)


def test_images_without_depth_do_not_count():
    images = [(GREY, np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.float32))] * 20
    with pytest.raises(DataError, match="0 images with depth"):
        fit_prior(images)


@pytest.mark.parametrize("text", ['{"scale_sd": 0}', '{"length": -1}', '{"local_sd": "a"}', "[]"])
def test_priors_of_documents_are_checked(text):
    with pytest.raises(ModelFileError):
        parse(text, AnchorPrior, "it", "mend it", ModelFileError)
