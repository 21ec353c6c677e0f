"""Bounds on the mutual information I(X;Y), as differentiable functions in nats.

Most bounds take a score matrix of shape (n, m), m >= n, with the score f(x_i, y_j) of a critic at
[i, j]. Entries on the diagonal are scores of pairs that were drawn together (positives). The other
entries are scores of unrelated pairs (negatives). "E joint" is the mean over the positives, and "E
product" the mean over the negatives. Shapes may be unknown when a graph is traced.

With finitely many samples the values of `donsker_varadhan`, `nwj`, `tuba` and `smile` are dominated
by the few largest scores of negatives. No distribution-free bound can certify more than about ln n
nats (McAllester and Stratos, "Formal limitations on the measurement of mutual information", 2020).
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
    """Lower bound on I(X;Y) from a model Q(x|y): I(X;Y) >= H(X) + E log Q(x|y).

    The bound is tight if Q(x|y) = p(x|y). The mean E is over pairs (x_i, y_i) that were drawn
    together.

    Args:
        log_q: tensor (n,). log Q(x_i|y_i) of each pair, in nats.
        entropy: float. Entropy H(X) in nats, which must be known.

    Returns:
        Scalar tensor, in nats.

    Source: Barber and Agakov, "The IM algorithm", 2003, equation 3.

    Example:
        ki.information.bounds.barber_agakov(tf.zeros(5), entropy=0.693)  # 0.693
    """
    return tfp.vi.mutual_information.lower_bound_barber_agakov(log_q, entropy)


def donsker_varadhan(scores: tf.Tensor) -> tf.Tensor:
    """Donsker and Varadhan's lower bound on I(X;Y), E joint f - ln E product exp f.

    "E joint" is the mean over pairs that were drawn together, and "E product" the mean over all
    other pairs. The bound is tight at f = ln p(y|x)/p(y) + constant. With finitely many samples the
    value is too large on average, because the logarithm of a sample mean is too small on average.
    This error grows with the information.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.

    Returns:
        Scalar tensor, in nats.

    Source: Donsker and Varadhan, 1983; Belghazi et al., "MINE", 2018, equation 5.

    Example:
        scores = 4.0 * tf.eye(8)
        ki.information.bounds.donsker_varadhan(scores)  # 4.0
    """
    return _joint(scores) - _log_mean_exp_product(scores)


def mine(scores: tf.Tensor, log_average: tf.Tensor, decay: float = 0.99):
    """Donsker and Varadhan's lower bound on I(X;Y), with MINE's gradient.

    The value is that of `donsker_varadhan`. Its gradient divides by E product exp f, the mean of
    exp f over pairs that were not drawn together. With the mean of a small batch this gradient is
    biased. MINE divides by a moving average over past batches instead.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.
        log_average: scalar tensor. ln of the moving average of E product exp f before this batch.
        decay: float, from 0 to 1. Factor of the old moving average in each step.

    Returns:
        Two scalar tensors: the bound of this batch in nats, with MINE's gradient, and the new
        `log_average`.

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
    """NWJ lower bound on I(X;Y), E joint f - E product exp(f - 1).

    "E joint" is the mean over pairs that were drawn together, and "E product" the mean over all
    other pairs. The bound is tight at f = 1 + ln p(y|x)/p(y). The estimate is unbiased, but its
    variance grows as exp I(X;Y).

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.

    Returns:
        Scalar tensor, in nats.

    Source: Nguyen, Wainwright and Jordan, 2010; Poole et al., "On variational bounds of mutual
    information", 2019, equation 6.

    Example:
        ki.information.bounds.nwj(tf.eye(8))  # 0.632, 1 - exp(-1)
    """
    return tfp.vi.mutual_information.lower_bound_nguyen_wainwright_jordan(scores)


def tuba(scores: tf.Tensor, log_baseline: tf.Tensor) -> tf.Tensor:
    """TUBA lower bound on I(X;Y), 1 + E joint [f - ln a(x)] - E product exp(f) / a(x).

    "E joint" is the mean over pairs that were drawn together, and "E product" the mean over all
    other pairs. The baseline a(x) is any positive function. The bound is tight at f = ln
    p(y|x)/p(y) + c(x) and ln a(x) = c(x), for any function c. With ln a(x) = 1 it equals `nwj`.

    Source: Poole et al., 2019, equation 5, with x and y exchanged.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.
        log_baseline: tensor (n,). ln a(x_i).

    Returns:
        Scalar tensor, in nats.

    Example:
        ki.information.bounds.tuba(tf.eye(8), log_baseline=tf.ones(8))  # as nwj
    """
    return nwj(scores + 1 - log_baseline[:, None])


def info_nce(scores: tf.Tensor) -> tf.Tensor:
    """InfoNCE lower bound on I(X;Y), E [f(x_i, y_i) - ln (1/m) sum_j exp f(x_i, y_j)].

    The mean E is over the rows i. The value is at most ln m. The bound is largest at f = ln
    p(y|x)/p(y) + c(x), for any function c, and becomes tight as m grows.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.

    Returns:
        Scalar tensor, in nats.

    Source: van den Oord et al., "Contrastive predictive coding", 2018; Poole et al., 2019, equation
    10.

    Example:
        ki.information.bounds.info_nce(9.0 * tf.eye(8))  # 2.079, almost ln 8
    """
    if scores.shape[-1] is not None:
        return tfp.vi.mutual_information.lower_bound_info_nce(scores)
    return tf.reduce_mean(tf.linalg.diag_part(scores) - _log_mean_exp(scores))


def interpolated(scores: tf.Tensor, log_baseline: tf.Tensor, alpha: float) -> tf.Tensor:
    """Lower bound on I(X;Y) between `tuba` (alpha = 0) and `info_nce` (alpha = 1).

    A larger alpha reduces the variance and increases the bias.

        1 + E joint [f - ln w] - E product exp(f) / w,    w = alpha m(x; y_1..K) + (1 - alpha) a(x)

    where a(x) is a positive baseline. m(x; y_1..K) is the mean of exp f(x, y) over K values of y,
    with K one less than the number of columns. For "E joint", the mean over pairs that were drawn
    together, these are the pair's own y and all others but one. For "E product", the mean over
    other pairs, they are all y except the pair's own. The bound is at most ln(K / alpha).
    Source: Poole et al., 2019, equation 12.

    Args:
        scores: tensor (n, m), m at least 3. Score f(x_i, y_j) of a critic at [i, j]; the diagonal
            holds the pairs (x_i, y_i) that were drawn together.
        log_baseline: tensor (n,). ln a(x_i).
        alpha: float in [0, 1]. Weight of `info_nce`.

    Returns:
        Scalar tensor, in nats.

    Raises:
        ValueError: If `alpha` is outside [0, 1].

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
    """Computes an objective for training a critic f(x, y), with less variance than `nwj`.

        -E_joint[softplus(-f)] - E_product[softplus(f)]  <=  2 JSD - 2 ln 2

    E_joint is the mean over pairs that were drawn together, and E_product the mean over all other
    pairs. JSD is the Jensen-Shannon divergence of p(x, y) and p(x) p(y). The objective is largest
    at f = ln p(y|x)/p(y). The objective is not a bound on I(X;Y). After training, use
    `jensen_shannon_nwj` with the same scores.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.

    Returns:
        Scalar tensor, in nats.

    Source: Nowozin et al., "f-GAN", 2016; Poole et al., 2019, section 2.3.

    Example:
        ki.information.bounds.jensen_shannon(tf.zeros((8, 8)))  # -1.386, -2 ln 2
    """
    return tfp.vi.mutual_information.lower_bound_jensen_shannon(scores)


def jensen_shannon_nwj(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound on I(X;Y), for a critic f that was trained with `jensen_shannon`.

    The value is `nwj(1 + f)`. The bound is tight for the critic that maximizes `jensen_shannon`.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.

    Returns:
        Scalar tensor, in nats.

    Example:
        ki.information.bounds.jensen_shannon_nwj(tf.zeros((8, 8)))  # 0.0
    """
    return nwj(scores + 1)


def smile(scores: tf.Tensor, clip: float = 5.0) -> tf.Tensor:
    """SMILE estimate of I(X;Y), which is not a bound.

    The value is that of `donsker_varadhan`, E joint f - ln E product exp f, but in the second term
    the scores are clipped to [-clip, clip]. This reduces the variance.

    Args:
        scores: tensor (n, m). Score f(x_i, y_j) of a critic at [i, j]; the diagonal holds the pairs
            (x_i, y_i) that were drawn together.
        clip: float. Largest absolute score in the second term.

    Returns:
        Scalar tensor, in nats.

    Source: Song and Ermon, "Understanding the limitations of variational mutual information
    estimators", 2020, equation 13.

    Example:
        ki.information.bounds.smile(4.0 * tf.eye(8), clip=5.0)  # 4.0
    """
    return _joint(scores) - _log_mean_exp_product(tf.clip_by_value(scores, -clip, clip))


def known_conditional(log_conditional: tf.Tensor) -> tf.Tensor:
    """Lower bound on I(X;Z) for a known encoder q(z|x).

        E [ln q(z_i|x_i) - ln (1/K) sum_j q(z_i|x_j)]  <=  ln K

    z_i is a sample of q(z|x_i), and the mean is over i.

    Args:
        log_conditional: tensor (K, K). ln q(z_i|x_j) at [i, j], in nats.

    Returns:
        Scalar tensor, in nats.

    Source: Poole et al., 2019, section 2.4.

    Example:
        ki.information.bounds.known_conditional(9.0 * tf.eye(8))  # 2.079, almost ln 8
    """
    return info_nce(log_conditional)


def leave_one_out(log_conditional: tf.Tensor) -> tf.Tensor:
    """Upper bound on I(X;Z) for a known encoder q(z|x).

        E [ln q(z_i|x_i) - ln (1/(K-1)) sum_{j != i} q(z_i|x_j)]

    z_i is a sample of q(z|x_i), and the mean is over i. The bound is very large if some z_i is
    improbable under all other q(z|x_j).

    Args:
        log_conditional: tensor (K, K). ln q(z_i|x_j) at [i, j], in nats.

    Returns:
        Scalar tensor, in nats.

    Source: Poole et al., 2019, equation 13.

    Example:
        ki.information.bounds.leave_one_out(tf.zeros((8, 8)))  # 0.0
    """
    scores = tf.convert_to_tensor(log_conditional)
    others = tf.reduce_logsumexp(_without(scores, _diagonal(scores)), axis=-1)
    own = tf.linalg.diag_part(scores)
    return tf.reduce_mean(leave_one_out_terms(own, others, tf.shape(scores)[1]))


def leave_one_out_terms(own, others, count: int | tf.Tensor) -> tf.Tensor:
    """Computes the terms whose mean is `leave_one_out`, one for each sample z_i.

        ln q(z_i|x_i) - ln (1/(N-1)) sum_{j != i} q(z_i|x_j)

    Args:
        own: array or tensor (n,). ln q(z_i|x_i).
        others: array or tensor (n,). ln sum over j != i of q(z_i|x_j).
        count: int. Number N of images x_j, including x_i.

    Returns:
        Array or tensor (n,), in nats.

    Example:
        own, others = tf.zeros(4), tf.math.log(7.0) * tf.ones(4)
        ki.information.bounds.leave_one_out_terms(own, others, count=8)  # zeros
    """
    return own - others + tf.math.log(tf.cast(count - 1, own.dtype))


def rate_bound(posterior, marginal, z: tf.Tensor) -> tf.Tensor:
    """Upper bound on the information of an encoder, I(X;Z) <= E KL(q(z|x) || r(z)).

    q(z|x) is the encoder's distribution of latents z for an image x, and r(z) is any distribution.
    The bound is tight if r(z) = q(z), the mean of q(z|x) over all images. If r is the prior, the
    bound is the rate of a VAE.

    Args:
        posterior: TFP distribution with batch shape (n,). q(z|x) of n images.
        marginal: TFP distribution with batch shape (). r(z).
        z: tensor (n, d). One sample of q(z|x) for each image, used if the KL has no closed form.

    Returns:
        Scalar tensor, in nats.

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
    """CLUB upper bound on I(X;Y), E joint ln p(y|x) - E product ln p(y|x).

    "E joint" is the mean over pairs that were drawn together, and "E product" the mean over all
    other pairs. The value is an upper bound only for the true p(y|x). With a fitted p(y|x) it is an
    estimate that may be too small or too large. The bound is never tight unless I(X;Y) = 0: for
    Gaussians of correlation r it is r^2 / (1 - r^2) per dimension.
    Source: Cheng et al., "CLUB", 2020, equation 6.

    Args:
        log_conditional: tensor (n, m). ln p(y_j|x_i) at [i, j]; the diagonal holds the pairs that
            were drawn together.

    Returns:
        Scalar tensor, in nats.

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
