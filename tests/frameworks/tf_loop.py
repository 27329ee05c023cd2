# SPDX-License-Identifier: BSD-2-Clause
"""A TensorFlow training loop: tf.data without any Python in it, a tf.function step or Keras' fit."""
import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf

import common

FEATURES = 256


def read_one(options):
    """A whole file by its name, as most pipelines read their samples."""
    def read(number):
        # A name that hangs on the sample's number: of a constant one TensorFlow reads the file once.
        nothing = tf.strings.substr(tf.strings.as_string(number), 0, 0)
        data = tf.io.decode_raw(tf.io.read_file(tf.strings.join([options.file, nothing])), tf.uint8)
        return tf.cast(data[:FEATURES], tf.float32)
    return read


def decode(options):
    """JPEG pictures: what a processor works on in most pipelines."""
    picture = tf.io.encode_jpeg(tf.cast(tf.random.uniform([options.pixels, options.pixels, 3], 0, 256, tf.int32),
                                        tf.uint8)).numpy()

    def work(sample):
        # Not the same for each sample, lest it be worked out once.
        whole = tf.strings.join([picture, tf.strings.as_string(tf.cast(tf.reduce_sum(sample), tf.int64))])
        red = tf.io.decode_jpeg(whole, channels=3)[:, :, 0]
        return sample + tf.cast(tf.reshape(red, [-1])[:FEATURES], tf.float32)
    return work


def records(options):
    """Of a large file, from several places at once."""
    record = options.read_kib << 10
    count = os.stat(options.file).st_size // record // options.parallel

    def part(number):
        return tf.data.FixedLengthRecordDataset(
            options.file, record, header_bytes=number * count * record, buffer_size=record).take(count)
    return tf.data.Dataset.range(options.parallel).interleave(
        part, cycle_length=options.parallel, num_parallel_calls=options.parallel).map(
            lambda data: tf.cast(tf.io.decode_raw(data, tf.uint8)[:FEATURES], tf.float32))


def open_dataset(options):
    calls = None if options.parallel == 1 else options.parallel
    if options.in_memory:
        dataset = tf.data.Dataset.from_tensors(tf.zeros([FEATURES])).repeat()
    elif options.records:
        dataset = records(options).repeat()
    else:
        dataset = tf.data.Dataset.range(1 << 40)
        if options.file:
            dataset = dataset.map(read_one(options), num_parallel_calls=calls)
        else:
            dataset = dataset.map(lambda number: tf.zeros([FEATURES]) + tf.cast(number % 7, tf.float32))
    if options.pixels:
        dataset = dataset.map(decode(options), num_parallel_calls=calls)
    dataset = dataset.batch(options.batch)
    if options.prefetch:
        dataset = dataset.prefetch(options.prefetch)
    settings = tf.data.Options()
    # As the options say: by default TensorFlow adds calls at once and batches ahead on its own.
    settings.experimental_optimization.apply_default_optimizations = False
    settings.autotune.enabled = False
    if options.pool:
        settings.threading.private_threadpool_size = options.pool
    return dataset.with_options(settings)


def layers_of(options):
    hidden = [keras.layers.Dense(options.width, activation="relu") for _ in range(options.layers)]
    return [keras.layers.Input([FEATURES]), *hidden, keras.layers.Dense(1)]


def widened(batch, rows):
    """What a step costs does not hang on how many samples the input can make."""
    return tf.tile(batch, [-(-rows // batch.shape[0]), 1])[:rows]


def run_eager(options):
    model, optimizer = keras.Sequential(layers_of(options)), keras.optimizers.SGD(1e-6)
    plain = common.plain_step(options)
    optimizer.build(model.trainable_variables)

    @tf.function
    def learn(batch):
        batch = tf.ensure_shape(batch, [options.batch, FEATURES])
        for _ in range(options.passes):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(widened(batch, options.rows)))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    def step(batch):
        if options.passes:
            learn(batch).numpy()
        plain(batch)

    common.train(iter(open_dataset(options)), step, options.seconds)


class Timed(keras.Sequential):
    """Keras calls the iterator inside the function that it compiles; the clock is read there, too."""
    course = None

    def make_train_function(self, force=False):
        @tf.function(reduce_retracing=True)
        def one(iterator):
            begin = tf.timestamp()
            with tf.control_dependencies([begin]):
                data = next(iterator)
            with tf.control_dependencies(tf.nest.flatten(data)):
                end = tf.timestamp()
            return self.train_step(data), begin, end

        def function(iterator):
            logs, begin, end = one(iterator)
            self.course.add(float(begin), float(end), 0)
            return logs
        self.train_function = function


class StopAfter(keras.callbacks.Callback):
    """Ends the fit after so many seconds, and does the plain part of a step."""

    def __init__(self, options, course):
        super().__init__()
        self.options, self.course = options, course
        self.plain = common.plain_step(options)
        self.begin = None

    def on_train_batch_end(self, batch, logs=None):
        if self.begin is None:
            self.course.begin()
            self.begin = time.time()
        self.plain(batch)
        if time.time() - self.begin > self.options.seconds:
            self.course.end(self.begin)
            common.leave()


def run_fit(options):
    model = Timed(layers_of(options))
    model.course = common.Course()
    model.compile(optimizer=keras.optimizers.SGD(1e-6), loss="mse")

    def labelled(batch):
        batch = widened(tf.ensure_shape(batch, [options.batch, FEATURES]), options.rows)
        return batch, tf.zeros([options.rows, 1])
    dataset = open_dataset(argparse.Namespace(**{**vars(options), "prefetch": 0})).map(labelled)
    if options.prefetch:
        dataset = dataset.prefetch(options.prefetch)
    model.fit(dataset, epochs=1, steps_per_epoch=1 << 30, shuffle=False, verbose=0,
              callbacks=[StopAfter(options, model.course)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common.add_source_options(parser)
    common.add_loop_options(parser)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--parallel", type=int, default=2, help="calls at once; 1: one after the other")
    parser.add_argument("--prefetch", type=int, default=2, help="batches ahead; 0: none")
    parser.add_argument("--pool", type=int, default=0, help="threads of the input alone")
    parser.add_argument("--records", action="store_true", help="of a large file, not small files")
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--pixels", type=int, default=0, help="of a JPEG picture's side, decoded for each sample")
    parser.add_argument("--passes", type=int, default=1, help="in a step; 0: no real step")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rows", type=int, default=16, help="of a step's batch")
    parser.add_argument("--fit", action="store_true", help="Keras' loop")
    options = parser.parse_args()
    run = run_fit if options.fit else run_eager
    common.run_loop(run, options)
    common.leave()


if __name__ == "__main__":
    main()
