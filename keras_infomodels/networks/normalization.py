"""Batch normalization of images in bfloat16."""

import keras
import tensorflow as tf

from keras_infomodels import replicas

__all__ = ["BatchNormalization"]


@keras.saving.register_keras_serializable(package="keras_infomodels")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalization, with a faster kernel for training on bfloat16 images.

    For bfloat16 images in training this layer uses TensorFlow's fused kernel; Keras' layer would
    convert the images to float32, in a dozen passes over them. The statistics are float32 in both.
    On several replicas the statistics are those of the whole batch. For all other data, and in
    evaluation, the layer equals Keras' layer.
    """

    def call(self, inputs, training=None, mask=None):
        images = len(inputs.shape) == 4 and self.compute_dtype == "bfloat16"
        fused = images and training and self.trainable and not replicas.several()
        if not fused or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            epsilon=self.epsilon,
            is_training=True,
        )[:3]
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        biased = variance * (count - 1) / count  # as Keras keeps it
        for average, value in ((self.moving_mean, mean), (self.moving_variance, biased)):
            average.assign(average * self.momentum + value * (1 - self.momentum))
        return outputs

    def _moments(self, inputs, mask):
        # Keras' synchronized moments cancel in float32, where the mean is far from 0.
        if mask is None and replicas.several():
            return replicas.moments(inputs, self._reduction_axes)
        return super()._moments(inputs, mask)
