"""Saved models: the same model comes back, and damage is told rather than run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import pyg_topn
from pyg_topn import pretrained
from pyg_topn.generate import generate_smiles
from pyg_topn.models import (
    DSPN,
    TSPN,
    GraphGAN,
    GraphVAE,
    SetVAE,
    build_dspn,
    build_graph_gan,
    build_graph_vae,
    build_set_vae,
    build_tspn,
)
from pyg_topn.molecule import MoleculeVocabulary
from pyg_topn.pretrained import BUILDERS, load, pretrained_models, save
from pyg_topn.resolver import CREATIONS

QM9 = MoleculeVocabulary.qm9()


def arguments(**kwargs: Any) -> dict[str, Any]:
    return {
        "num_node_types": 4,
        "edge_orders": [1, 2, 3],
        "size_histogram": [0, 1, 2, 3],
        "latent_channels": 8,
        "hidden_channels": 16,
        "creation_channels": 16,
        "num_layers": 1,
        "heads": 2,
        **kwargs,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved model."""
    return save(build_graph_vae(**arguments()), tmp_path / "model", arguments(), QM9)


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("predict_size", [False, True])
@pytest.mark.parametrize("creation", CREATIONS)
def test_the_same_model_comes_back(creation: str, predict_size: bool, tmp_path: Path) -> None:
    given = arguments(creation=creation, predict_size=predict_size)
    model = build_graph_vae(**given).eval()
    back = load(save(model, tmp_path / "model", given, QM9, {"seed": 0}))
    assert not back.training
    assert back.vocabulary == QM9
    samples = [
        each.sample(20, generator=torch.Generator().manual_seed(1), temperature=1.0)
        for each in (model, back)
    ]
    for key in ("x", "edge_index", "edge_attr", "batch"):
        assert torch.equal(samples[0][key], samples[1][key])
    assert samples[0].num_nodes > 20


def test_a_gan_comes_back_and_its_molecules_are_those_of_any_model(tmp_path: Path) -> None:
    given = {"num_node_types": 4, "edge_orders": [1, 2, 3], "size_histogram": [0, 1, 2, 3]}
    model = build_graph_gan(**given)
    model.vocabulary = QM9
    back = load(save(model, tmp_path / "model", given, QM9))
    assert isinstance(back, GraphGAN)
    assert back.vocabulary == QM9
    smiles = [list(generate_smiles(each, 5, processes=0)) for each in (model, back)]
    assert smiles[0] == smiles[1]


SET_MODELS: dict[str, tuple[Any, type, dict[str, Any]]] = {
    "SetVAE": (build_set_vae, SetVAE, {"size_histogram": [0, 0, 1, 2], "hidden_channels": 16}),
    "TSPN": (build_tspn, TSPN, {"max_num_nodes": 5, "hidden_channels": 16, "num_layers": 1}),
    "DSPN": (build_dspn, DSPN, {"max_num_nodes": 5, "hidden_channels": 16, "num_steps": 2}),
}


@pytest.mark.parametrize("creation", CREATIONS)
@pytest.mark.parametrize("name", SET_MODELS)
def test_models_of_sets_come_back_as_what_they_are(
    name: str, creation: str, tmp_path: Path
) -> None:
    build, kind, given = SET_MODELS[name]
    given = {**given, "creation": creation, "latent_channels": 8}
    model = build(**given).eval()
    back = load(save(model, tmp_path / "model", given, card={"seed": 0}))
    assert type(back) is kind
    assert not back.training
    decoded = []
    for each in (model, back):
        generator = torch.Generator().manual_seed(1)
        z = torch.randn(4, 8, generator=generator)
        sets = each.decode(z, torch.tensor([1, 3, 2, 3]), generator)
        decoded.append(torch.cat([batch.pos for batch in (sets if name == "DSPN" else [sets])]))
    assert torch.equal(*decoded)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert (config["model"], config["format"], config["vocabulary"]) == (name, 1, None)
    change_config(tmp_path / "model", vocabulary=QM9.to_dict())
    with pytest.raises(ValueError, match=f"got damaged files: a vocabulary of a {name}"):
        load(tmp_path / "model")


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"a model among GraphVAE, .*DSPN \(got Linear\)"):
        save(torch.nn.Linear(1, 1), tmp_path / "model", {})  # type: ignore[arg-type]
    given = {"size_histogram": [0, 1]}
    with pytest.raises(ValueError, match=r"no vocabulary with .* \(got one with a SetVAE\)"):
        save(build_set_vae(**given), tmp_path / "model", given, QM9)
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 1}, r"heads' 2 in the model and 1 by the arguments"),
        ({"edge_orders": [1, 2, 4]}, r"edge_orders' \[1.*3.0\] in the model and \[1.*4.0\] by"),
        ({"order": "cosine"}, r"order' 'reference' in the model and 'cosine' by the arguments"),
        ({"num_rounds": 1}, "in the model and missing by the arguments"),
        ({"conditions": ["logp"]}, "decoder.creation.condition.* missing in the model"),
        ({"prior": "rectified_flow"}, "prior.* missing in the model and "),
        ({"hidden_channels": 32}, r"in the model and \[.*32.* by the arguments"),
        ({"layers": 2}, "ones that build none: .*layers"),
        ({"heads": 3}, "ones that build none: Expected .*3"),
    ],
)
def test_arguments_of_another_model_are_refused(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    model = build_graph_vae(**arguments())
    with pytest.raises(ValueError, match=rf"Expected the arguments of this GraphVAE.*{message}"):
        save(model, tmp_path / "model", arguments(**wrong))
    assert tree(tmp_path) == []


def test_what_was_changed_after_building_is_not_lost(tmp_path: Path) -> None:
    given = arguments(prior="rectified_flow")
    model = build_graph_vae(**given)
    model.prior.num_steps = 3  # type: ignore[assignment]
    with pytest.raises(ValueError, match="'prior.num_steps' 3 in the model and 8 by the arguments"):
        save(model, tmp_path / "model")
    saved = save(model, tmp_path / "model", {**given, "prior_steps": 3})
    assert load(saved).prior.num_steps == 3


@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_that_was_built_knows_its_arguments(name: str, tmp_path: Path) -> None:
    graphs = (4, (1.0, 2.0, 3.0), np.array([0, 1, 2]))
    sizes: dict[str, tuple[Any, ...]] = {"SetVAE": ((0, 1, 2),), "TSPN": (5,), "DSPN": (5,)}
    options = {"DSPN": {"num_steps": 2}, "TSPN": {"num_pieces": 5}}
    model = BUILDERS[name](*sizes.get(name, graphs), **options.get(name, {}))
    back = load(save(model, tmp_path / "model"))
    assert back.arguments == model.arguments
    again = load(save(back, tmp_path / "again")).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())


def test_a_model_that_was_put_together_has_to_be_told_its_arguments(tmp_path: Path) -> None:
    built = build_graph_vae(**arguments())
    model = GraphVAE(built.encoder, built.decoder, built.sizes)
    with pytest.raises(ValueError, match="'arguments', or a GraphVAE of build_graph_vae, which kn"):
        save(model, tmp_path / "model")
    assert load(save(model, tmp_path / "model", arguments())).latent_channels == 8


def test_the_vocabulary_of_the_model_is_saved_by_default(tmp_path: Path) -> None:
    model = build_graph_vae(**arguments())
    model.vocabulary = QM9
    assert load(save(model, tmp_path / "model")).vocabulary == QM9
    other = MoleculeVocabulary(("C", "N", "O"))
    with pytest.raises(ValueError, match="types of the model .got a vocabulary of 3 atoms and 3 b"):
        save(model, tmp_path / "model", vocabulary=other)


def test_a_save_draws_nothing(tmp_path: Path) -> None:
    model = build_graph_vae(**arguments())
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    save(model, tmp_path / "model")
    assert torch.equal(torch.rand(3), expected)


def test_a_model_without_a_vocabulary_comes_back_without(tmp_path: Path) -> None:
    save(build_graph_vae(**arguments()), tmp_path / "a" / "b" / "model", arguments())
    assert load(tmp_path / "a" / "b" / "model").vocabulary is None
    assert tree(tmp_path / "a" / "b") == ["model", "model/config.json", "model/model.safetensors"]


def test_the_package_exports_both(folder: Path) -> None:
    assert pyg_topn.load is load
    assert pyg_topn.save is save


def test_a_save_takes_the_place_of_the_one_before(folder: Path) -> None:
    (folder / "stale").write_text("")
    model = build_graph_vae(**arguments(creation="mlp"))
    save(model, folder, arguments(creation="mlp"))
    assert tree(folder.parent) == ["model", "model/config.json", "model/model.safetensors"]
    loaded = load(folder).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())


def test_a_save_that_fails_leaves_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (folder.parent / name) for name in tree(folder.parent)}
    content = (folder / "model.safetensors").read_bytes()
    model = build_graph_vae(**arguments())
    with pytest.raises(TypeError, match="not JSON serializable"):
        save(model, folder, arguments(), card={"path": Path()})

    def fail(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("pyg_topn.pretrained.save_file", fail)
    with pytest.raises(OSError, match="No space left"):
        save(model, folder, arguments())
    assert tree(folder.parent) == list(before)
    assert (folder / "model.safetensors").read_bytes() == content


def test_a_place_below_or_on_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for place in (tmp_path / "file", tmp_path / "file" / "model"):
        with pytest.raises(OSError, match="Expected a folder to write to"):
            save(build_graph_vae(**arguments()), place, arguments())
    assert tree(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def damage(folder: Path, kind: str) -> None:
    weights, config = folder / "model.safetensors", folder / "config.json"
    if kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif kind == "no weights":
        weights.unlink()
    elif kind == "no safetensors":
        weights.write_bytes(b"\x80\x04 a pickle, say")
    elif kind == "missing tensor":
        tensors = load_file(weights)
        tensors.pop(next(iter(tensors)))
        save_file(tensors, weights)
    elif kind == "broken json":
        config.write_text(config.read_text()[:-10])
    elif kind == "not text":
        config.write_bytes(b"\xff\xfe\xfa")
    elif kind == "a list":
        config.write_text("[]")
    elif kind == "missing key":
        config.write_text('{"format": 1, "arguments": {}}')
    elif kind == "unknown argument":
        change_config(folder, arguments=arguments(__class__="os.system"))
    elif kind == "unknown creation":
        change_config(folder, arguments=arguments(creation="big_bang"))
    elif kind == "other widths":
        change_config(folder, arguments=arguments(hidden_channels=32))
    elif kind == "other vocabulary":
        change_config(folder, vocabulary=MoleculeVocabulary(("C", "N", "O")).to_dict())
    elif kind == "no vocabulary":
        change_config(folder, vocabulary=["C"])
    elif kind == "other model":
        change_config(folder, model="Linear")
    elif kind == "another model's arguments":
        change_config(folder, model="TSPN")
    elif kind == "other format":
        change_config(folder, format=2)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", ".*"),
        ("no weights", ".*"),
        ("no safetensors", ".*"),
        ("missing tensor", ".*"),
        ("broken json", ".*"),
        ("not text", ".*decode.*"),
        ("a list", ".*"),
        ("missing key", "'vocabulary'"),
        ("unknown argument", ".*__class__.*"),
        ("unknown creation", ".*big_bang.*"),
        ("other widths", ".*"),
        ("other vocabulary", "a vocabulary of 3 atoms and 3 bonds"),
        ("no vocabulary", ".*"),
        ("other model", "a Linear, this version reads GraphVAE, GraphGAN, SetVAE, TSPN, DSPN"),
        ("another model's arguments", ".*max_num_nodes.*"),
        ("other format", "format 2, this version reads 1"),
    ],
)
def test_damage_is_one_line_that_says_what_to_do(folder: Path, kind: str, reason: str) -> None:
    damage(folder, kind)
    pattern = rf"^Expected a saved model in '.*' \(got damaged files: {reason}\)\. Train or copy"
    with pytest.raises(ValueError, match=pattern) as info:
        load(folder)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("name", ["nothing", "file", "empty"])
def test_no_model_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"Expected a folder with a saved model.* no config\.json"):
        load(tmp_path / name)


@pytest.mark.parametrize("prior", ["gaussian", "coupling_flow", "rectified_flow"])
def test_half_precision_halves_the_file_and_computes_in_single(prior: str, tmp_path: Path) -> None:
    given = arguments(prior=prior)
    model = build_graph_vae(**given).eval()
    whole = save(model, tmp_path / "whole", given, QM9)
    half = save(model, tmp_path / "half", given, QM9, dtype=torch.float16)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (whole, half)]
    assert sizes[1] < 0.65 * sizes[0]
    loaded = load(half)
    for name, value in model.state_dict().items():
        back = loaded.state_dict()[name]
        assert back.dtype == value.dtype, name
        torch.testing.assert_close(back, value, rtol=1e-3, atol=1e-4)
    assert torch.equal(loaded.sizes.histogram, model.sizes.histogram)
    assert loaded.sample(3).num_graphs == 3


def test_models_that_come_with_the_package_have_names(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    folder.rename(shipped / "small-one")
    (shipped / "no model").mkdir()
    monkeypatch.setattr(pretrained, "SHIPPED", shipped)
    monkeypatch.chdir(tmp_path)
    assert pretrained_models() == ("small-one",)
    for name in ("small-one", Path("small-one")):
        assert load(name).sample(3).num_graphs == 3
    with pytest.raises(ValueError, match=r"saved model, or one of small-one \(got 'large-one', no"):
        load("large-one")


def test_a_folder_goes_before_a_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = arguments(latent_channels=4)
    shipped = save(build_graph_vae(**other), tmp_path / "shipped" / "model", other).parent
    monkeypatch.setattr(pretrained, "SHIPPED", shipped)
    monkeypatch.chdir(folder.parent)
    assert load("model").latent_channels == 8
    monkeypatch.chdir(shipped.parent.parent)
    (folder / "config.json").unlink()
    assert load("model").latent_channels == 4


@pytest.mark.parametrize("name", pretrained_models())
def test_shipped_models_are_small_and_make_molecules(name: str) -> None:
    files = list((pretrained.SHIPPED / name).iterdir())
    assert sum(path.stat().st_size for path in files) <= 5 * 2**20
    assert {path.name for path in files} == {"README.md", "config.json", "model.safetensors"}
    model = load(name)
    assert model.vocabulary is not None
    metrics = pytest.importorskip("pyg_topn.metrics").MoleculeMetrics(nspdk=False)
    batch = model.sample(500, generator=torch.Generator().manual_seed(0))
    metrics.update(model.vocabulary.to_molecules(batch))
    assert metrics.compute().connected.valid > 0.9
