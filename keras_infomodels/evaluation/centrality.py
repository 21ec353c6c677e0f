"""Choosing among runs without labels: ModelCentrality."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_infomodels.evaluation.disentanglement.interventions import factor_vae_votes
from keras_infomodels.models.latent_sources import LatentSource

__all__ = ["Centrality", "centrality_scores", "model_centrality"]


@dataclass(frozen=True)
class Centrality:
    """ModelCentrality of m runs.

    Attributes:
        scores: float (m,). Mean similarity to the other runs; the highest is chosen.
        pairs: float (m, m). A_ij: FactorVAE score of run j's codes on the images of run i, whose
            latents are the factors. The diagonal says how well a run's encoder names its own
            latents, and does not count.

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
    """Ranks runs by how well the codes of each name the latents that the others generate from.

    Each run i takes the place of the known factors in the FactorVAE score: a vote fixes one of its
    latents, draws the others, and generates a batch of images; the code of run j that varies least
    names the latent. With A_ij the score, B = (A + A') / 2 is the similarity, and the score of run
    i is the mean of B_ij over the other runs.

    Range: [0, 1]; chance is one over the number of latents. A run without an active latent or code
    has 0.

    Blind to: runs that are entangled alike. As UDR it rests on the assumption that disentangled
    runs agree and entangled ones differ; here they agree on generated images, so that a generator's
    failure counts too.

    Cost: (train + evaluation) batch_size generated images a run, 32,000, which all m runs encode.
    The standard error of a score of .5 is sqrt(.25 / evaluation), .022.

    Source: Lin et al., "InfoGAN-CR and ModelCentrality", 2020, section 5; votes as in
    `disentanglement.factor_vae_score`.

    Args:
        runs: m `LatentSource`, m of at least 2, such as `latent_source(model)` gives.
        train: int. Votes that decide which latent a code names.
        evaluation: int. Votes that are scored.
        batch_size: int. Images in a vote, at least 2.
        variance_rows: int. Images of free latents, from which each code's variance is measured.
        min_stddev: float. Codes whose standard deviation is smaller do not vote.
        seed: int. Seed of the draws.

    Raises:
        ValueError: fewer than two runs.

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
    """Mean over the other runs of (A_ij + A_ji) / 2, float (m,).

    Args:
        pairs: float (m, m). A of `Centrality`; the diagonal is ignored.
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
