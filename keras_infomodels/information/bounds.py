"""Bounds on mutual information as functions of a score matrix; differentiable, in nats.

A score matrix holds f(x_i, y_j) at [i, j], shape (n, m), m >= n: pairs on the diagonal, for which
x_i and y_i were drawn together, and strangers elsewhere. "E joint" is a mean over the diagonal, "E
product" one over the rest. Shapes may be unknown when a graph is traced.

With finitely many samples DV, NWJ, TUBA and SMILE are dominated by the few largest scores of
strangers: no distribution-free bound can certify more than about ln n (McAllester and Stratos,
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
    """Lower bound: I(X;Y) >= H(X) + E joint log Q(x|y); tight where Q(x|y) = p(x|y).

    Args:
        log_q: log Q(x_i|y_i), shape (n,).
        entropy: H(X), in nats; it must be known.

    Source: Barber and Agakov, "The IM algorithm", 2003, equation 3.
    """
    return tfp.vi.mutual_information.lower_bound_barber_agakov(log_q, entropy)


def donsker_varadhan(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound: E joint f - ln E product exp f; tight at f = ln p(y|x)/p(y) + constant.

    The logarithm of a sample mean is too small on average, hence the value too large, the more so
    the larger the information. Source: Donsker and Varadhan, 1983; Belghazi et al., "MINE", 2018,
    equation 5.
    """
    return _joint(scores) - _log_mean_exp_product(scores)


def mine(scores: tf.Tensor, log_average: tf.Tensor, decay: float = 0.99):
    """`donsker_varadhan` with MINE's gradient, whose partition is a moving average.

    The gradient of the plain bound in small batches is biased: it divides by the batch's own
    partition. Here it divides by an average over past batches.

    Args:
        scores: (n, m).
        log_average: scalar, ln of the moving average of E product exp f before this batch.
        decay: of the average.

    Returns:
        (value, new log_average). The value is DV of this batch, its gradient is MINE's.

    Source: Belghazi et al., "MINE", 2018, section 3.2.
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
    """Lower bound: E joint f - E product exp(f - 1); tight at f = 1 + ln p(y|x)/p(y).

    Unbiased; its variance grows as exp I. Source: Nguyen, Wainwright and Jordan, 2010; Poole et
    al., "On variational bounds of mutual information", 2019, equation 6.
    """
    return tfp.vi.mutual_information.lower_bound_nguyen_wainwright_jordan(scores)


def tuba(scores: tf.Tensor, log_baseline: tf.Tensor) -> tf.Tensor:
    """Lower bound: 1 + E joint [f - ln a(x)] - E product exp(f) / a(x), for any a(x) > 0.

    Tight at f = ln p(y|x)/p(y) + c(x) and ln a(x) = c(x). With ln a = 1 it is `nwj`.
    Source: Poole et al., 2019, equation 5, with x and y exchanged.

    Args:
        scores: (n, m).
        log_baseline: ln a(x_i), shape (n,).
    """
    return nwj(scores + 1 - log_baseline[:, None])


def info_nce(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound: E [f(x_i, y_i) - ln (1/m) sum_j exp f(x_i, y_j)]; at most ln m.

    At its best at f = ln p(y|x)/p(y) + c(x), and tight as m grows.
    Source: van den Oord et al., "Contrastive predictive coding", 2018; Poole et al., 2019,
    equation 10. TFP has it for shapes known when a graph is traced alone.
    """
    if scores.shape[-1] is not None:
        return tfp.vi.mutual_information.lower_bound_info_nce(scores)
    return tf.reduce_mean(tf.linalg.diag_part(scores) - _log_mean_exp(scores))


def interpolated(scores: tf.Tensor, log_baseline: tf.Tensor, alpha: float) -> tf.Tensor:
    """Lower bound between `tuba` (alpha = 0) and `info_nce` (alpha = 1): bias against variance.

        1 + E joint [f - ln w] - E product exp(f) / w,    w = alpha m(x; y_1..K) + (1 - alpha) a(x)

    where m is the mean of exp f over K = m - 1 candidates: the partner and all strangers but one,
    or all strangers. At most ln(K / alpha). Source: Poole et al., 2019, equation 12.

    Args:
        scores: (n, m), m at least 3.
        log_baseline: ln a(x_i), shape (n,).
        alpha: in [0, 1].
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
    log_strangers, of_strangers = log_weight(partner)
    joint = tf.linalg.diag_part(scores) - with_partner
    return 1 + tf.reduce_mean(joint) - tf.reduce_mean(tf.exp(log_strangers - of_strangers))


def jensen_shannon(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound on twice a Jensen-Shannon divergence - 2 ln 2, not on I: to train f with.

        -E joint softplus(-f) - E product softplus(f)

    Best at f = ln p(y|x)/p(y); of small variance. Read it out with `jensen_shannon_nwj`.
    Source: Nowozin et al., "f-GAN", 2016; Poole et al., 2019, section 2.3.
    """
    return tfp.vi.mutual_information.lower_bound_jensen_shannon(scores)


def jensen_shannon_nwj(scores: tf.Tensor) -> tf.Tensor:
    """Lower bound: `nwj` of 1 + f, for an f that `jensen_shannon` trained; tight at its optimum."""
    return nwj(scores + 1)


def smile(scores: tf.Tensor, clip: float = 5.0) -> tf.Tensor:
    """An estimate, not a bound: DV whose partition counts scores clipped to [-clip, clip].

    Source: Song and Ermon, "Understanding the limitations of variational mutual information
    estimators", 2020, equation 13.
    """
    return _joint(scores) - _log_mean_exp_product(tf.clip_by_value(scores, -clip, clip))


def known_conditional(log_conditional: tf.Tensor) -> tf.Tensor:
    """Lower bound with a known encoder: E [ln q(z_i|x_i) - ln (1/K) sum_j q(z_i|x_j)]; <= ln K.

    Args:
        log_conditional: ln q(z_i|x_j), shape (K, K).

    Source: Poole et al., 2019, section 2.4.
    """
    return info_nce(log_conditional)


def leave_one_out(log_conditional: tf.Tensor) -> tf.Tensor:
    """Upper bound with a known encoder: `known_conditional` whose mixture leaves x_i out.

    Large where an isolated z_i has no neighbor. Source: Poole et al., 2019, equation 13.
    """
    scores = tf.convert_to_tensor(log_conditional)
    others = tf.reduce_logsumexp(_without(scores, _diagonal(scores)), axis=-1)
    own = tf.linalg.diag_part(scores)
    return tf.reduce_mean(leave_one_out_terms(own, others, tf.shape(scores)[1]))


def leave_one_out_terms(own, others, count: int | tf.Tensor) -> tf.Tensor:
    """ln q(z_i|x_i) - ln (1/(N-1)) sum_{j != i} q(z_i|x_j), whose mean is `leave_one_out`.

    Args:
        own: array or tensor (n,). ln q(z_i|x_i).
        others: array or tensor (n,). ln sum over j != i of q(z_i|x_j).
        count: int. N, the number of posteriors with each z's own.
    """
    return own - others + tf.math.log(tf.cast(count - 1, own.dtype))


def rate_bound(posterior, marginal, z: tf.Tensor) -> tf.Tensor:
    """Upper bound: I(X;Z) <= E KL(q(z|x) || r(z)) for any r, tight at r = q(z); the rate at r = p.

    Args:
        posterior: q(z|x), a TFP distribution of batch shape (n,).
        marginal: r(z), a TFP distribution of batch shape ().
        z: samples of the posterior, shape (n, d); read where the KL has no closed form.

    Source: Barber and Agakov, 2003; Poole et al., 2019, equation 1.
    """
    return tf.reduce_mean(rate(posterior, marginal, z))


def club(log_conditional: tf.Tensor) -> tf.Tensor:
    """E joint ln p(y|x) - E product ln p(y|x): an upper bound with the true conditional only.

    With a fitted one it is an estimate on either side. Never tight, unless I = 0: for Gaussians of
    correlation r it is r^2 / (1 - r^2) a dimension.
    Source: Cheng et al., "CLUB", 2020, equation 6.

    Args:
        log_conditional: ln p(y_j|x_i), shape (n, m).
    """
    scores = tf.convert_to_tensor(log_conditional)
    strangers = tf.where(_diagonal(scores), tf.zeros_like(scores), scores)
    n, m = tf.unstack(tf.cast(tf.shape(scores), scores.dtype))
    return _joint(scores) - tf.reduce_sum(strangers) / (n * (m - 1))


def _joint(scores: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.linalg.diag_part(scores))


def _diagonal(scores: tf.Tensor) -> tf.Tensor:
    n, m = tf.unstack(tf.shape(scores))
    return tf.eye(n, m, dtype=tf.bool)


def _without(scores: tf.Tensor, left_out: tf.Tensor) -> tf.Tensor:
    return tf.where(left_out, tf.constant(-float("inf"), scores.dtype), scores)


def _log_mean_exp(scores: tf.Tensor, count=None) -> tf.Tensor:
    """ln of the mean of exp over each row; of `count` entries, where others are -inf."""
    count = tf.shape(scores)[-1] if count is None else count
    return tf.reduce_logsumexp(scores, axis=-1) - tf.math.log(tf.cast(count, scores.dtype))


def _log_mean_exp_product(scores: tf.Tensor) -> tf.Tensor:
    scores = tf.convert_to_tensor(scores)
    n, m = tf.unstack(tf.cast(tf.shape(scores), scores.dtype))
    return tf.reduce_logsumexp(_without(scores, _diagonal(scores))) - tf.math.log(n * (m - 1))


def _log_add_exp(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_logsumexp(tf.stack([a, b * tf.ones_like(a)]), axis=0)
