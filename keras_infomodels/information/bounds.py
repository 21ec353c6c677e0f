"""Bounds on mutual information as functions of a score matrix; differentiable, in nats.

A score matrix has shape (n, m), m >= n, with f(x_i, y_j) at [i, j]. The diagonal holds the pairs
that were drawn together (positives), the other entries are negatives. "E joint" is a mean over the
diagonal, "E product" a mean over the negatives. Shapes may be unknown when a graph is traced.

With finitely many samples DV, NWJ, TUBA and SMILE are dominated by the few largest scores of
negatives: no distribution-free bound can certify more than about ln n (McAllester and Stratos,
"Formal limitations on the measurement of mutual information", 2020).
"""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels.distributions import rate

__all__ = [
    "barber_agakov",
    "club",
    "donsker_varadhan",
    "info_nce",
    "interpolated",
    "jensen_shannon",
    "jensen_shannon_nwj",
    "known_conditional",
    "leave_one_out",
    "leave_one_out_terms",
    "mine",
    "nwj",
    "rate_bound",
    "smile",
    "tuba",
]


def barber_agakov(log_q: tf.Tensor, entropy: float) -> tf.Tensor:
    """Lower bound I(X;Y) >= H(X) + E joint log Q(x|y), tight where Q(x|y) = p(x|y).

    Args:
        log_q: tensor (n,). log Q(x_i|y_i).
        entropy: float. H(X) in nats, which must be known.

    Source: Barber and Agakov, "The IM algorithm", 2003, equation 3.

    Example:
        ki.information.bounds.barber_agakov(tf.zeros(5), entropy=0.693)  # 0.693
    """
    return tfp.vi.mutual_information.lower_bound_barber_agakov(log_q, entropy)


def donsker_varadhan(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound E joint f - ln E product exp f, tight at f = ln p(y|x)/p(y) + constant.

    The logarithm of a sample mean is too small on average. The value is therefore too large on
    average, the more so the larger the information.

    Args:
        scores: tensor (n, m). Score matrix.

    Source: Donsker and Varadhan, 1983; Belghazi et al., "MINE", 2018, equation 5.

    Example:
        scores = 4.0 * tf.eye(8)
        ki.information.bounds.donsker_varadhan(scores)  # 4.0
    """
    return _joint(scores) - _log_mean_exp_product(scores)


def mine(scores: tf.Tensor, log_average: tf.Tensor, decay: float = 0.99):
    """`donsker_varadhan` with MINE's gradient, whose partition function is a moving average.

    The gradient of the plain bound in small batches is biased, since it divides by the partition
    function of the batch. MINE divides by an average over past batches.

    Args:
        scores: tensor (n, m). Score matrix.
        log_average: scalar tensor. ln of the moving average of E product exp f before this batch.
        decay: float. Decay of the moving average.

    Returns:
        (value, new log_average). The value is the DV bound of this batch, its gradient is MINE's.

    Source: Belghazi et al., "MINE", 2018, section 3.2.

    Example:
        value, log_average = ki.information.bounds.mine(4.0 * tf.eye(8), tf.constant(0.0))
    """
    log_partition = _log_mean_exp_product(scores)
    updated = tf.stop_gradient(
        tf.reduce_logsumexp(
            tf.stack(
                [
                    log_average + tf.math.log(tf.cast(decay, scores.dtype)),
                    log_partition + tf.math.log(tf.cast(1 - decay, scores.dtype)),
                ]
            )
        )
    )
    ratio = tf.exp(log_partition - updated)  # its gradient is that of E product exp f / average
    value = _joint(scores) - ratio
    shift = tf.stop_gradient(ratio - log_partition)
    return value + shift, updated


def nwj(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound E joint f - E product exp(f - 1), tight at f = 1 + ln p(y|x)/p(y).

    It is unbiased; its variance grows as exp I.

    Args:
        scores: tensor (n, m). Score matrix.

    Source: Nguyen, Wainwright and Jordan, 2010; Poole et al., "On variational bounds of mutual
    information", 2019, equation 6.

    Example:
        ki.information.bounds.nwj(tf.eye(8))  # 0.632, 1 - exp(-1)
    """
    return tfp.vi.mutual_information.lower_bound_nguyen_wainwright_jordan(scores)


def tuba(scores: tf.Tensor, log_baseline: tf.Tensor) -> tf.Tensor:
    """Lower bound 1 + E joint [f - ln a(x)] - E product exp(f) / a(x), for any a(x) > 0.

    Tight at f = ln p(y|x)/p(y) + c(x) and ln a(x) = c(x). With ln a = 1 it is `nwj`.
    Source: Poole et al., 2019, equation 5, with x and y exchanged.

    Args:
        scores: tensor (n, m). Score matrix.
        log_baseline: tensor (n,). ln a(x_i).

    Example:
        ki.information.bounds.tuba(tf.eye(8), log_baseline=tf.ones(8))  # as nwj
    """
    return nwj(scores + 1 - log_baseline[:, None])


def info_nce(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound E [f(x_i, y_i) - ln (1/m) sum_j exp f(x_i, y_j)], at most ln m.

    Largest at f = ln p(y|x)/p(y) + c(x), and tight as m grows.

    Args:
        scores: tensor (n, m). Score matrix.

    Source: van den Oord et al., "Contrastive predictive coding", 2018; Poole et al., 2019, equation
    10.

    Example:
        ki.information.bounds.info_nce(9.0 * tf.eye(8))  # 2.079, almost ln 8
    """
    if scores.shape[-1] is not None:
        return tfp.vi.mutual_information.lower_bound_info_nce(scores)
    return tf.reduce_mean(tf.linalg.diag_part(scores) - _log_mean_exp(scores))


def interpolated(scores: tf.Tensor, log_baseline: tf.Tensor, alpha: float) -> tf.Tensor:
    """Lower bound between `tuba` (alpha = 0) and `info_nce` (alpha = 1): bias against variance.

        1 + E joint [f - ln w] - E product exp(f) / w,    w = alpha m(x; y_1..K) + (1 - alpha) a(x)

    where m is the mean of exp f over K = m - 1 candidates: the positive and all negatives but one,
    or all negatives. The bound is at most ln(K / alpha). Source: Poole et al., 2019, equation 12.

    Args:
        scores: tensor (n, m), m at least 3. Score matrix.
        log_baseline: tensor (n,). ln a(x_i).
        alpha: float in [0, 1]. Weight of `info_nce`.

    Raises:
        ValueError: If alpha is outside [0, 1].

    Example:
        ki.information.bounds.interpolated(4.0 * tf.eye(8), tf.zeros(8), alpha=0.5)
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is in [0, 1], got {alpha!r}.")
    scores = tf.convert_to_tensor(scores)
    n, m = tf.unstack(tf.shape(scores))
    columns = tf.range(m)
    skipped = columns == (tf.range(n)[:, None] + 1) % m
    partner = columns == tf.range(n)[:, None]
    log_alpha, log_rest = (
        tf.math.log(tf.constant(value, scores.dtype)) for value in (alpha, 1.0 - alpha)
    )

    def log_weight(left_out):
        log_m = _log_mean_exp(_without(scores, left_out), m - 1)
        return log_m, _log_add_exp(log_alpha + log_m, log_rest + log_baseline)

    _, with_partner = log_weight(skipped)
    log_negatives, log_weight_negatives = log_weight(partner)
    joint = tf.linalg.diag_part(scores) - with_partner
    return 1 + tf.reduce_mean(joint) - tf.reduce_mean(tf.exp(log_negatives - log_weight_negatives))


def jensen_shannon(scores: tf.Tensor) -> tf.Tensor:
    """Computes an objective for training a critic f(x, y), which varies less than `nwj`.

        -E_joint[softplus(-f)] - E_product[softplus(f)]  <=  2 JSD - 2 ln 2

    JSD is the Jensen-Shannon divergence of p(x, y) from p(x) p(y). The objective is largest at
    f = ln p(y|x)/p(y). It is not a bound on I(X;Y): use `jensen_shannon_nwj` of the trained critic.

    Args:
        scores: tensor (n, m). Score matrix.

    Source: Nowozin et al., "f-GAN", 2016; Poole et al., 2019, section 2.3.

    Example:
        ki.information.bounds.jensen_shannon(tf.zeros((8, 8)))  # -1.386, -2 ln 2
    """
    return tfp.vi.mutual_information.lower_bound_jensen_shannon(scores)


def jensen_shannon_nwj(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound: `nwj` of 1 + f, tight at the critic f that maximizes `jensen_shannon`.

    Args:
        scores: tensor (n, m). Score matrix.

    Example:
        ki.information.bounds.jensen_shannon_nwj(tf.zeros((8, 8)))  # 0.0
    """
    return nwj(scores + 1)


def smile(scores: tf.Tensor, clip: float = 5.0) -> tf.Tensor:
    """DV estimate whose partition function uses scores clipped to [-clip, clip]; not a bound.

    Args:
        scores: tensor (n, m). Score matrix.
        clip: float. Largest absolute score in the partition function.

    Source: Song and Ermon, "Understanding the limitations of variational mutual information
    estimators", 2020, equation 13.

    Example:
        ki.information.bounds.smile(4.0 * tf.eye(8), clip=5.0)  # 4.0
    """
    return _joint(scores) - _log_mean_exp_product(tf.clip_by_value(scores, -clip, clip))


def known_conditional(log_conditional: tf.Tensor) -> tf.Tensor:
    """Lower bound with a known encoder, E [ln q(z_i|x_i) - ln (1/K) sum_j q(z_i|x_j)]; <= ln K.

    Args:
        log_conditional: tensor (K, K). ln q(z_i|x_j) at [i, j].

    Source: Poole et al., 2019, section 2.4.

    Example:
        ki.information.bounds.known_conditional(9.0 * tf.eye(8))  # 2.079, almost ln 8
    """
    return info_nce(log_conditional)


def leave_one_out(log_conditional: tf.Tensor) -> tf.Tensor:
    """Upper bound with a known encoder: `known_conditional` whose mixture leaves x_i out.

    The bound is large where a z_i has no neighbor.

    Args:
        log_conditional: tensor (K, K). ln q(z_i|x_j) at [i, j].

    Source: Poole et al., 2019, equation 13.

    Example:
        ki.information.bounds.leave_one_out(tf.zeros((8, 8)))  # 0.0
    """
    scores = tf.convert_to_tensor(log_conditional)
    others = tf.reduce_logsumexp(_without(scores, _diagonal(scores)), axis=-1)
    own = tf.linalg.diag_part(scores)
    return tf.reduce_mean(leave_one_out_terms(own, others, tf.shape(scores)[1]))


def leave_one_out_terms(own, others, count: int | tf.Tensor) -> tf.Tensor:
    """Terms ln q(z_i|x_i) - ln (1/(N-1)) sum_{j != i} q(z_i|x_j), whose mean is `leave_one_out`.

    Args:
        own: array or tensor (n,). ln q(z_i|x_i).
        others: array or tensor (n,). ln sum over j != i of q(z_i|x_j).
        count: int. N, the number of posteriors with each z's own.

    Example:
        own, others = tf.zeros(4), tf.math.log(7.0) * tf.ones(4)
        ki.information.bounds.leave_one_out_terms(own, others, count=8)  # zeros
    """
    return own - others + tf.math.log(tf.cast(count - 1, own.dtype))


def rate_bound(posterior, marginal, z: tf.Tensor) -> tf.Tensor:
    """Upper bound I(X;Z) <= E KL(q(z|x) || r(z)) for any r(z).

    It is tight at r(z) = q(z). With r the prior it is the rate of a VAE.

    Args:
        posterior: TFP distribution of batch shape (n,). q(z|x).
        marginal: TFP distribution of batch shape (). r(z).
        z: tensor (n, d). Samples of the posterior; used if the KL has no closed form.

    Source: Barber and Agakov, 2003; Poole et al., 2019, equation 1.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        q = model.encode(images[:100] / 255)
        prior = ki.distributions.StandardNormal(10).distribution()
        ki.information.bounds.rate_bound(q, prior, q.sample())
    """
    return tf.reduce_mean(rate(posterior, marginal, z))


def club(log_conditional: tf.Tensor) -> tf.Tensor:
    """Upper bound E joint ln p(y|x) - E product ln p(y|x), for the true conditional alone.

    With a fitted conditional it is an estimate that may lie on either side. It is never tight,
    unless I = 0: for Gaussians of correlation r it is r^2 / (1 - r^2) per dimension. Source: Cheng
    et al., "CLUB", 2020, equation 6.

    Args:
        log_conditional: tensor (n, m). ln p(y_j|x_i) at [i, j].

    Example:
        ki.information.bounds.club(tf.eye(8))  # 1.0
    """
    scores = tf.convert_to_tensor(log_conditional)
    negatives = tf.where(_diagonal(scores), tf.zeros_like(scores), scores)
    n, m = tf.unstack(tf.cast(tf.shape(scores), scores.dtype))
    return _joint(scores) - tf.reduce_sum(negatives) / (n * (m - 1))


def _joint(scores: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.linalg.diag_part(scores))


def _diagonal(scores: tf.Tensor) -> tf.Tensor:
    n, m = tf.unstack(tf.shape(scores))
    return tf.eye(n, m, dtype=tf.bool)


def _without(scores: tf.Tensor, left_out: tf.Tensor) -> tf.Tensor:
    return tf.where(left_out, tf.constant(-float("inf"), scores.dtype), scores)


def _log_mean_exp(scores: tf.Tensor, count=None) -> tf.Tensor:
    """Computes ln of the mean of exp over each row; over `count` entries if others are -inf."""
    count = tf.shape(scores)[-1] if count is None else count
    return tf.reduce_logsumexp(scores, axis=-1) - tf.math.log(tf.cast(count, scores.dtype))


def _log_mean_exp_product(scores: tf.Tensor) -> tf.Tensor:
    scores = tf.convert_to_tensor(scores)
    n, m = tf.unstack(tf.cast(tf.shape(scores), scores.dtype))
    return tf.reduce_logsumexp(_without(scores, _diagonal(scores))) - tf.math.log(n * (m - 1))


def _log_add_exp(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(tf.stack([a, b * tf.ones_like(a)]), axis=0)
