"""Tests for models on the Hub; without a network, the cache that the Hub's client keeps is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("huggingface_hub")

import huggingface_hub as hub

from pyg_topn.hub import load_from_hub, push_to_hub
from pyg_topn.models import GraphVAE, build_graph_vae
from pyg_topn.pretrained import SHIPPED, load, pretrained_models, save

ARGUMENTS: dict[str, Any] = {
    "num_node_types": 4,
    "edge_orders": [1, 2, 3],
    "size_histogram": [0, 1, 2],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(build_graph_vae(**ARGUMENTS), tmp_path / "model", ARGUMENTS)


class Server:
    """What reaches the Hub, at the one place where the network begins."""

    def __init__(self, token: str | None) -> None:
        self.calls: list[tuple[Any, ...]] = [("token", token)]
        self.files: dict[str, bytes] = {}

    def create_repo(self, repo_id: str, **options: Any) -> None:
        self.calls.append(("create", repo_id, options))

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> str:
        self.calls.append(("upload", repo_id, commit_message))
        self.files = {path.name: path.read_bytes() for path in Path(folder_path).iterdir()}
        return f"https://hub/{repo_id}/commit/1"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    made: list[Server] = []

    def make(token: str | None = None) -> Server:
        made.append(Server(token))
        return made[-1]

    monkeypatch.setattr(hub, "HfApi", make)
    return made


def test_a_model_is_pushed_with_a_card(folder: Path, servers: list[Server]) -> None:
    address = push_to_hub(folder, "someone/small", private=True, token="secret", message="First")
    assert address == "https://hub/someone/small/commit/1"
    (server,) = servers
    assert server.calls == [
        ("token", "secret"),
        ("create", "someone/small", {"private": True, "exist_ok": True}),
        ("upload", "someone/small", "First"),
    ]
    assert set(server.files) == {"config.json", "model.safetensors", "README.md"}
    assert server.files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    card = server.files["README.md"].decode()
    assert card.startswith("---\nlibrary_name: pyg-topn\ntags:\n- graph-machine-learning\n")
    assert "license: mit\n---\n\n# someone/small\n" in card
    assert not (folder / "README.md").exists()


def test_a_card_is_kept_and_gets_a_header_once(folder: Path, servers: list[Server]) -> None:
    (folder / "README.md").write_text("# Mine\n")
    push_to_hub(folder, "someone/small", license="apache-2.0")
    card = servers[0].files["README.md"].decode()
    assert card.endswith("license: apache-2.0\n---\n\n# Mine\n")
    (folder / "README.md").write_text(card)
    push_to_hub(folder, "someone/small")
    assert servers[1].files["README.md"].decode() == card


def test_a_model_that_comes_with_the_package_is_pushed_by_its_name(servers: list[Server]) -> None:
    name = pretrained_models()[0]
    push_to_hub(name, "someone/copy")
    files = {path.name: path.read_bytes() for path in (SHIPPED / name).iterdir()}
    for key in ("config.json", "model.safetensors"):
        assert servers[0].files[key] == files[key]
    assert servers[0].files["README.md"].endswith(files["README.md"])


def test_a_model_in_memory_is_pushed(tmp_path: Path, servers: list[Server]) -> None:
    model = build_graph_vae(**ARGUMENTS)
    push_to_hub(model, "someone/small")
    for name, content in servers[0].files.items():
        (tmp_path / name).write_bytes(content)
    back = load(tmp_path).state_dict()
    assert all(torch.equal(value, back[key]) for key, value in model.state_dict().items())


def test_a_damaged_model_is_not_pushed(folder: Path, servers: list[Server]) -> None:
    (folder / "model.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="Expected a saved model in"):
        push_to_hub(folder, "someone/small")
    assert servers == []


def test_a_model_is_loaded_from_the_cache_of_the_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    repository = tmp_path / "cache" / "models--someone--small"
    snapshot = repository / "snapshots" / commit
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    model = load_from_hub("someone/small")
    assert isinstance(model, GraphVAE)
    assert model.sample(2).num_graphs == 2
    with pytest.raises(OSError, match="offline|cached|not"):
        load_from_hub("someone/other")


def test_a_repository_has_a_user_and_a_name(folder: Path) -> None:
    for name in ("small", "a/b/c", "/small", "someone/", "me/x y", "me/-x", "me/x.git"):
        message = f"Expected 'repo_id' to be 'user/name' \\(got '{name}'\\)"
        with pytest.raises(ValueError, match=message):
            push_to_hub(folder, name)
        with pytest.raises(ValueError, match=message):
            load_from_hub(name)
