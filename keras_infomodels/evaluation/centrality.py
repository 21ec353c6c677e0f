"""Selection among runs without labels: ModelCentrality."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_infomodels.evaluation.disentanglement.interventions import factor_vae_votes
from keras_infomodels.models.latent_sources import LatentSource

__all__ = ["Centrality", "centrality_scores", "model_centrality"]


@dataclass(frozen=True)
class Centrality:
    """Result of `model_centrality`: scores of m runs.

    Attributes:
        scores: float array (m,). Mean similarity of each run to the other runs. Choose the run with
            the highest score.
        pairs: float array (m, m). Entry [i, j] is the FactorVAE score of run j's encoder on images
            that run i generates, with run i's latents as factors. The diagonal is the score of a
            run on its own images, and is not used in `scores`.

    Example:
        ki.evaluation.Centrality(np.array([0.9, 0.9]), np.array([[1.0, 0.9], [0.9, 1.0]]))
    """

    scores: np.ndarray
    pairs: np.ndarray


def model_centrality(
    runs: Sequence[LatentSource],
    *,
    train: int = 500,
    evaluation: int = 500,
    batch_size: int = 32,
    variance_rows: int = 2_000,
    min_stddev: float = 0.05,
    seed: int = 0,
) -> Centrality:
    """Ranks trained runs without labels, by how well their encoders agree with other runs.

    The latents of one run serve as the factors for the FactorVAE score A_ij of another run's
    encoder. A vote fixes one latent of run i, draws its other latents, and generates a batch of
    images. Run j encodes the images, and its latent that varies least votes for the fixed latent.
    A_ij is the share of votes that a majority classifier predicts correctly. The similarity of two
    runs is B_ij = (A_ij + A_ji) / 2. The score of run i is the mean of B_ij over the other runs j.

    Range: [0, 1]. Chance is 1 / (number of latents). A run without an active latent has 0.

    Does not detect: runs that are entangled in the same way. Like UDR, the score assumes that
    disentangled runs agree and entangled runs differ. Since runs are compared on generated images,
    a bad generator lowers the score too.

    Cost: each run generates (train + evaluation) * batch_size images, 32,000 by default, and all m
    runs encode them. The standard error of a score of 0.5 is sqrt(0.25 / evaluation), 0.022 by
    default.

    Source: Lin et al., "InfoGAN-CR and ModelCentrality", 2020, section 5, with the votes of
    `disentanglement.factor_vae_score`.

    Args:
        runs: sequence of `LatentSource`. At least two runs. `latent_source(model)` creates one from
            a model.
        train: int. Number of votes that fit the majority classifier.
        evaluation: int. Number of further votes, on which the score is measured.
        batch_size: int, at least 2. Number of images in a vote.
        variance_rows: int. Number of images with random latents, from which the overall variance of
            each inferred latent is measured.
        min_stddev: float. Inferred latents with a smaller standard deviation do not vote.
        seed: int. Seed of the draws.

    Returns:
        `Centrality`, with a score for each run.

    Raises:
        ValueError: If there are fewer than two runs.

    Example:
        def turned(angle):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            draw = lambda n, seed: np.random.default_rng(seed).normal(size=(n, 2))
            return ki.evaluation.LatentSource(
                draw, lambda z: z @ turn, lambda x: x @ turn.T, [[0], [1]]
            )

        found = ki.evaluation.model_centrality([turned(0), turned(0), turned(0.7)])
        found.scores  # the third, which is turned, has the lowest
    """
    if len(runs) < 2:
        raise ValueError(f"Runs are compared with each other, so give at least 2; got {len(runs)}.")
    pairs = np.zeros((len(runs), len(runs)))
    for i, run in enumerate(runs):
        if not len(run.factors):
            continue
        free = run.generate(run.sample(variance_rows, seed))
        fixed, z = _votes(run, train + evaluation, batch_size, seed + 1)
        images = run.generate(z.reshape(-1, z.shape[-1]))
        for j, other in enumerate(runs):
            variances = np.var(other.encode(free), axis=0, ddof=1)
            codes = other.encode(images).reshape(len(fixed), batch_size, -1)
            pairs[i, j] = _score(codes, fixed, variances, min_stddev, train, len(run.factors))
    return Centrality(centrality_scores(pairs), pairs)


def centrality_scores(pairs: np.ndarray) -> np.ndarray:
    """Computes the score of each run from the scores of pairs, float array (m,).

    The score of run i is the mean of (A_ij + A_ji) / 2 over the other runs j.

    Args:
        pairs: float array (m, m). Scores A_ij, as in `Centrality.pairs`. The diagonal is ignored.
    """
    similarity = (pairs + pairs.T) / 2
    return (similarity.sum(axis=1) - np.diag(similarity)) / (len(pairs) - 1)


def _votes(run: LatentSource, votes: int, batch_size: int, seed: int):
    """Number of the fixed factor of each vote, (votes,), and latents (votes, batch, d)."""
    z = run.sample(votes * batch_size, seed)
    z = np.array(z).reshape(votes, batch_size, -1)
    fixed = np.random.default_rng(seed).integers(len(run.factors), size=votes)
    for number, columns in enumerate(run.factors):
        rows = fixed == number
        for column in columns:
            z[rows, :, column] = z[rows, :1, column]
    return fixed, z


def _score(codes, fixed, variances, min_stddev: float, train: int, factors: int) -> float:
    """Accuracy of the majority of the first votes of each code on the rest."""
    active = np.sqrt(variances) >= min_stddev
    if not active.any():
        return 0.0
    halves = (slice(0, train), slice(train, None))
    first, second = (
        factor_vae_votes(codes[part], fixed[part], variances, active, factors) for part in halves
    )
    majority = first.argmax(axis=0)
    return float(second[majority, np.arange(len(variances))].sum() / second.sum())
