import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from keras_infomodels import models, networks, plots
from keras_infomodels.distributions import CategoricalNormal
from keras_infomodels.distributions.likelihoods import LIKELIHOODS
from keras_infomodels.export.png import grid
from keras_infomodels.pictures import shown_range


def pixels(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def test_image_grid_shows_its_images_row_by_row():
    images = np.linspace(0, 0.9, 5).reshape(5, 1, 1, 1) * np.ones((5, 3, 2, 1))
    picture = pixels(plots.image_grid(images, columns=2))
    assert picture.shape == (3 * 4, 2 * 3)
    np.testing.assert_allclose(picture[[0, 0, 4, 4, 8], [0, 3, 0, 3, 0]], np.linspace(0, 0.9, 5))
    assert picture[8, 3] == 1  # no sixth image


def test_reconstructions_stand_below_their_images(make_model, images):
    model = make_model()
    picture = pixels(plots.reconstructions(model, images[:20]))
    assert picture.shape == (2 * 9, 16 * 9)
    np.testing.assert_allclose(picture[:8, 9:17], images[1, ..., 0], atol=1e-6)
    np.testing.assert_allclose(picture[9:17, 9:17], model(images)[1, ..., 0], atol=1e-5)


def test_traversals_change_one_variable_a_row(make_model, images):
    model = make_model()
    picture = pixels(plots.traversals(model, images[0], steps=5))
    assert picture.shape == (3 * 9, 5 * 9)
    z = model.encode(images[:1]).mean().numpy()
    z[0, 2] = 2.5
    np.testing.assert_allclose(picture[18:26, 36:44], model.decode(z).mean()[0, ..., 0], atol=1e-5)


def test_traversals_of_chosen_latents(make_model, images):
    model = make_model()
    every, one = (
        pixels(plots.traversals(model, images[0], steps=5, latents=latents))
        for latents in (None, [2])
    )
    np.testing.assert_allclose(one[:8], every[18:26])


@pytest.mark.parametrize("latents", [[], [20], [-1], [0.5], [[0, 1]]])
def test_traversals_refuse_other_indices(make_model, images, latents):
    with pytest.raises(ValueError, match="indices from 0 to"):
        plots.traversals(make_model(), images[0], latents=latents)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_model_pictures_are_drawn_for_every_likelihood(name):
    images = np.random.default_rng(0).integers(2, size=(8, 8, 8, 3)).astype(np.float32)
    model = models.VAE.from_images(images, latent_dim=20, likelihood=name)
    pictures = plots.model_pictures(model, images)
    assert pictures.keys() == {"samples", "reconstructions", "traversals"}
    assert "of 20, from -2.5 to 2.5" in pictures["traversals"].axes[0].get_title()


def test_categories_has_a_row_for_each_category():
    shared = {"image_shape": (8, 8, 1), "widths": (4,)}
    model = models.AdversarialAutoencoder(
        networks.MLPEncoder(latent_dim=5, num_categories=3, **shared),
        networks.MLPDecoder(latent_dim=5, **shared),
        CategoricalNormal(3, 2),
    )
    picture = pixels(plots.categories(model, columns=4))
    assert picture.shape == (3 * 9, 4 * 9)
    z = model.prior.distribution().sample(4, seed=[0, 0])[:, 3:]
    code = np.hstack([np.tile([0.0, 0, 1], (4, 1)), z])
    np.testing.assert_allclose(picture[18:26, 27:35], model.decode(code).mean()[3, ..., 0], 1e-5)


@pytest.mark.parametrize("kinds", [3, 12])
def test_latent_map_colors_posterior_means_by_label(make_model, images, kinds):
    model = make_model()
    labels = np.arange(40) % kinds
    axes = plots.latent_map(model, images, labels).axes[0]
    assert len(axes.collections) == kinds
    colors = {tuple(points.get_facecolor()[0]) for points in axes.collections}
    assert len(colors) == kinds
    mean = model.encode(images).mean().numpy()[labels == 1]
    np.testing.assert_allclose(axes.collections[1].get_offsets(), mean[:, :2], atol=1e-6)
    assert len(plots.latent_map(model, images, None).axes[0].collections) == 1


def test_latent_map_of_a_categorical_prior_has_a_panel_a_category(images):
    shared = {"image_shape": (8, 8, 1), "widths": (16,)}
    model = models.AdversarialAutoencoder(
        networks.MLPEncoder(latent_dim=8, num_categories=6, **shared),
        networks.MLPDecoder(latent_dim=8, **shared),
        CategoricalNormal(6, 2),
        likelihood="bernoulli_threshold",
    )
    labels = np.arange(40) % 3
    figure = plots.latent_map(model, images, labels)
    panels = figure.axes[:6]
    assert [axes.get_title() for axes in panels] == [f"category {k}" for k in range(6)]
    q = model.encode(images)
    category, mean = (q[name].mean().numpy() for name in ("category", "z"))
    for kind, axes in enumerate(panels):
        for label, points in enumerate(axes.collections):
            shown = (category.argmax(axis=1) == kind) & (labels == label)
            np.testing.assert_allclose(points.get_offsets(), mean[shown], atol=1e-6)
    assert sum(len(p.get_offsets()) for axes in panels for p in axes.collections) == 40
    assert "latent_map" in plots.model_pictures(model, images, labels)


def test_latent_plane_is_the_decoders_for_a_z_of_two(images):
    """z_1 grows to the right, z_2 upwards; the prior's 1st and 99th percentiles at the edges."""
    shared = {"image_shape": (8, 8, 1), "widths": (16,), "latent_dim": 2}
    pair = networks.MLPEncoder(**shared), networks.MLPDecoder(**shared)
    model = models.VAE(*pair, likelihood="bernoulli_threshold")
    picture = pixels(plots.latent_plane(model, steps=3))
    assert picture.shape == (3 * 9, 3 * 9)
    corners = np.float32([[-1, 1], [1, 1], [-1, -1], [1, -1]]) * 2.326  # of a standard normal
    expected = model.decode(corners).mean()[..., 0].numpy()
    places = [picture[r : r + 8, c : c + 8] for r in (0, 18) for c in (0, 18)]
    np.testing.assert_allclose(places, expected, atol=0.02)
    distances = np.abs(expected[:, None] - expected).max(axis=(2, 3))
    assert distances[~np.eye(4, dtype=bool)].min() > 0.1  # another order would be seen
    assert "latent_plane" in plots.model_pictures(model, images)


def test_samples_repeat(make_model):
    a, b = (pixels(plots.samples(make_model(), 9, seed=1)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_inferred_categories_shows_real_beside_generated_images(make_gan, images):
    model = make_gan()
    found = model.infer_codes(images)["digit"].mode().numpy().argmax(1)
    picture = pixels(plots.inferred_categories(model, "digit", images, columns=3))
    assert picture.shape == (4 * 9, 7 * 9)
    for category in range(4):
        row = picture[9 * category : 9 * category + 8]
        generated = model.generate(3, {"digit": category}, seed=0).numpy()
        np.testing.assert_allclose(row[:, 54:62], generated[2, ..., 0], atol=1e-6)
        members = images[found == category][:3, ..., 0]
        for i in range(3):
            expected = members[i] if i < len(members) else np.ones((8, 8))
            np.testing.assert_array_equal(row[:, 9 * i : 9 * i + 8], expected)
    assert len(set(found)) > 1


def test_learning_curves_have_a_panel_a_term_and_the_ceiling():
    rows = [
        {"epoch": e, "loss": 2.0, "rate": e, "val_rate": e + 1, "val_mutual_information": 3.0}
        for e in (1, 2)
    ]
    figure = plots.learning_curves(rows, {"mutual_information": 3.7})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["loss", "mutual information (nats)", "rate (nats)"]
    assert [len(axes.lines) for axes in figure.axes] == [1, 2, 2]
    np.testing.assert_array_equal(figure.axes[2].lines[1].get_ydata(), [2, 3])
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_ydata(), [3.7, 3.7])


@pytest.mark.parametrize("channels", [1, 3])
def test_plots_save_writes_a_picture_into_a_new_folder(tmp_path, channels):
    figure = plots.image_grid(np.zeros((4, 5, 5, channels)), 2, "title")
    path = plots.save(figure, tmp_path / "new" / "grid.png")
    assert matplotlib.image.imread(path).ndim == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_plots_save_changes_no_pixel_of_images(tmp_path, channels):
    images = np.random.default_rng(0).random((4, 9, 9, channels))
    figure = plots.image_grid(images, 2, "title")
    figure.savefig(tmp_path / "plain.png", dpi=110, bbox_inches="tight")
    path = plots.save(figure, tmp_path / "saved.png")
    plain, saved = (
        np.asarray(Image.open(p).convert("RGB")) for p in (tmp_path / "plain.png", path)
    )
    np.testing.assert_array_equal(saved, plain)
    assert path.stat().st_size < (tmp_path / "plain.png").stat().st_size


@pytest.mark.parametrize(
    ("pixels_", "limits"),
    [
        ([0.0, 0.5, 1.0], (0, 1)),
        ([-0.2, 0.5, 1.1], (0, 1)),  # of a decoder without a sigmoid
        ([-1.0, 0.0, 0.5], (-1, 1)),  # of a generator that ends in tanh
        ([-3.0, 0.0, 5.0], (-3, 5)),
    ],
)
def test_shown_range_is_black_and_white_of_all_pictures(pixels_, limits):
    images = np.float32(pixels_).reshape(3, 1, 1, 1) + np.zeros((1, 4, 4, 1), np.float32)
    assert shown_range(images) == limits
    low, high = limits
    expected = np.clip((np.float32(pixels_) - low) / (high - low), 0, 1)
    picture = grid(images)  # as `infomodels run` writes it
    found = [picture[5 * (i // 2), 5 * (i % 2), 0] for i in range(3)]
    np.testing.assert_allclose(found, 255 * expected, atol=0.5)
    (axes,) = plots.image_grid(images, 3, "Samples").axes
    drawn = np.asarray(axes.images[0].get_array())[0, [0, 5, 10]]
    np.testing.assert_allclose(drawn, expected, atol=1e-6)
    assert axes.get_title() == "Samples" + f" (pixels from {low} to {high})" * (limits != (0, 1))
