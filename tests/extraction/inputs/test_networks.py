"""Networks by name, and the hash of weights."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from resi.errors import UsageError
from resi.extraction.batches import batches_of
from resi.extraction.networks import Network, resolve
from resi.extraction.structure import hash_processor, hash_structure
from resi.extraction.weights import hash_weights
from tests.extraction.inputs.conftest import TEXTS, word_tokenizer
from tests.extraction.inputs.test_images import rgb


def test_a_timm_network_comes_with_its_own_transform(pictures: Path) -> None:
    import timm

    network = resolve("timm:test_resnet.r160_in1k?pretrained=false&num_classes=3")
    assert (network.name, network.kind) == ("test_resnet.r160_in1k?pretrained=false&num_classes=3", "images")
    assert network.versions == {"timm": timm.__version__}
    settings = timm.data.resolve_model_data_config(timm.create_model("test_resnet.r160_in1k"))
    transform: Any = timm.data.create_transform(**settings, is_training=False)
    (batch,) = batches_of(pictures, 5, network).start()
    assert torch.equal(batch.args[0], torch.stack([transform(image) for image in rgb(pictures)]))
    assert network.module(*batch.args).shape == (5, 3)


def test_a_torchvision_network_comes_with_the_transforms_of_its_weights(pictures: Path) -> None:
    import torchvision

    network = resolve("torchvision:squeezenet1_1?pretrained=false")
    assert network.versions == {"torchvision": torchvision.__version__}
    transform = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    (batch,) = batches_of(pictures, 5, network).start()
    assert torch.equal(batch.args[0], torch.stack([transform(image) for image in rgb(pictures)]))
    assert resolve("torchvision:squeezenet1_1?weights=none").kind == "images"


def test_weights_that_are_drawn_depend_on_the_seed_alone() -> None:
    name = "timm:test_resnet?pretrained=false"
    state = torch.random.get_rng_state()
    first, again, other = (hash_weights(resolve(text).module) for text in (name, f"{name}&seed=0", f"{name}&seed=1"))
    assert first == again != other
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_folder_of_transformers_gives_its_model_with_its_tokenizer(
    bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import transformers

    network = resolve(f"hf:{bert}")
    assert (network.name, network.kind, type(network.module).__name__) == ("tiny-bert", "texts", "BertModel")
    assert network.versions == {"transformers": transformers.__version__}
    known = transformers.AutoModel.from_pretrained(bert)
    assert hash_weights(network.module) == hash_weights(known)
    drawn = resolve(f"hf:{bert}?pretrained=false&seed=3").module
    assert type(drawn) is type(known)
    assert hash_weights(drawn) != hash_weights(known)
    capsys.readouterr()
    head = resolve(f"hf:{bert}?class=AutoModelForMaskedLM").module
    assert type(head).__name__ == "BertForMaskedLM"
    said = capsys.readouterr().err
    assert "lacks weights, which are drawn at random: cls.predictions.bias, cls.predictions.decoder.bias, cls" in said
    with pytest.raises(UsageError, match=r"unknown transformers class 'AutoModell'; did you mean AutoModel"):
        resolve(f"hf:{bert}?class=AutoModell")


def test_a_vision_model_of_transformers_comes_with_its_image_processor(pictures: Path, tmp_path: Path) -> None:
    from transformers import AutoImageProcessor, ViTConfig, ViTImageProcessor, ViTModel

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    ViTModel(ViTConfig(image_size=16, patch_size=8, **sizes)).save_pretrained(tmp_path / "vit")
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "vit")
    processor = AutoImageProcessor.from_pretrained(tmp_path / "vit")
    network = resolve(f"hf:{tmp_path / 'vit'}")
    assert network.kind == "images"
    (batch,) = batches_of(pictures, 5, network).start()
    known = processor(images=rgb(pictures), return_tensors="pt")["pixel_values"]
    assert torch.equal(batch.kwargs["pixel_values"], known)
    network.module(**batch.kwargs)
    half = Network(network.module.bfloat16(), "half", network.processor, "images")
    assert next(batches_of(pictures, 5, half).start()).kwargs["pixel_values"].dtype == torch.bfloat16


def test_a_model_of_sound_takes_what_its_feature_extractor_makes(tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    convolutions = {"conv_dim": (4,), "conv_stride": (5,), "conv_kernel": (10,), "num_feat_extract_layers": 1}
    position = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    Wav2Vec2Model(Wav2Vec2Config(**sizes, **convolutions, **position)).save_pretrained(tmp_path)
    network = resolve(f"hf:{tmp_path}")
    waves = torch.randn(3, 100, generator=torch.Generator().manual_seed(0)).numpy()
    made = Wav2Vec2FeatureExtractor()(list(waves), sampling_rate=16_000, return_tensors="pt")
    (batch,) = batches_of(made, 3, network).start()
    assert torch.equal(batch.kwargs["input_values"], made["input_values"])
    network.module(**batch.kwargs)
    with pytest.raises(UsageError, match=r"has no tokenizer for texts \(it takes audio: pass the output of its"):
        next(batches_of(TEXTS, 2, network).start())


def test_a_model_with_two_processors_asks_which(bert: Path, tmp_path: Path, pictures: Path) -> None:
    from transformers import ViTImageProcessor

    for file in bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"comes with a tokenizer and an image processor: choose, hf:.*=tokenizer or "):
        resolve(f"hf:{tmp_path}")
    assert resolve(f"hf:{tmp_path}?processor=image").kind == "images"
    assert resolve(f"hf:{tmp_path}?processor=tokenizer&attn_implementation=eager").kind == "texts"
    with pytest.raises(UsageError, match=r"processor=both: expected tokenizer or image"):
        resolve(f"hf:{tmp_path}?processor=both")


def test_a_model_without_a_tokenizer_says_why(bert: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((bert / name).read_bytes())
    network = resolve(f"hf:{tmp_path}")
    assert network.kind == "tensors"
    with pytest.raises(UsageError, match=r"has no tokenizer for texts \(tokenizer: .*\): pass one with it"):
        next(batches_of(TEXTS, 2, network).start())


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with modules of one's own."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "nets.py").write_text(
        "import torch\n"
        "def small(width=2):\n    return torch.nn.Linear(3, width)\n"
        "def paired():\n    return small(), len\n"
        "def wrong():\n    return 3\n"
        "def broken():\n    raise ValueError('no such thing\\nat all')\n"
    )
    (tmp_path / "own_broken.py").write_text("import does_not_exist_at_all\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_a_function_of_ones_own_gives_a_network(own: Path) -> None:
    before = list(sys.path)
    network = resolve("python:own_package.nets:small?width=5")
    assert network.module.out_features == 5
    assert network.name == "own_package.nets:small?width=5"
    paired = resolve("python:own_package.nets:paired")
    assert (paired.processor, paired.kind) == (len, "images")
    assert sys.path == before
    for name, message in {
        "own_package.nets:smal": "unknown function 'smal'; did you mean small",
        "own_package.nets:wrong": "returns int: expected a torch.nn.Module, or a pair",
        "own_package.nets:broken": "cannot be loaded: ValueError: no such thing",
        "own_package.nets:small?depth=3": "unexpected keyword argument 'depth'",
        "own_package.netz:small": r"cannot be loaded: ModuleNotFoundError.*is own_package.netz in the current folder",
        "own_broken:small": "No module named 'does_not_exist_at_all'",
        "own_package.nets": "expected python:package.module:function",
    }.items():
        with pytest.raises(UsageError, match=message) as caught:
            resolve(f"python:{name}")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tim:resnet18", r"unknown model 'tim:resnet18'; did you mean timm:resnet18\?"),
        ("resnet18", r"unknown model 'resnet18'. Expected one of timm:NAME, torchvision:NAME, hf:PATH_OR_ID, python:"),
        ("hf:./nowhere", r"there is no folder nowhere; expected one, or an id on the hub"),
        ("timm:", "lacks a name; expected timm:NAME"),
        ("timm:resnet81", r"unknown timm model 'resnet81'; did you mean resnet1"),
        ("timm:resnet18.a1_in2k", r"unknown timm model 'resnet18.a1_in2k'; did you mean resnet18.a1_in1k"),
        ("torchvision:resnet81", r"unknown torchvision model 'resnet81'; did you mean resnet1"),
        ("torchvision:resnet18?weights=V9", "unknown weights; known: IMAGENET1K_V1, DEFAULT, none"),
        ("timm:resnet18?pretrained", "the option 'pretrained' is not of the form NAME=VALUE"),
        ("timm:resnet18?pretrained=maybe", "pretrained=maybe: expected true or false"),
        ("timm:resnet18?seed=1", "seed=1: expected a whole number, together with pretrained=false"),
        ("timm:test_resnet?pretrained=false&colour=3", "cannot be loaded: TypeError: .*'colour'"),
    ],
)
def test_a_name_that_does_not_exist_is_one_line(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        resolve(name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_weights_that_cannot_be_reached_say_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    import timm

    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("no network\nat all")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(UsageError, match=r"OSError: no network. Without a network.*timm:test_resnet\?pretrained=false"):
        resolve("timm:test_resnet")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"model=hf:no-one/nothing cannot be loaded: .*name a folder that") as caught:
        resolve("hf:no-one/nothing")
    assert "\n" not in str(caught.value)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, name, extra in [("timm", "timm:resnet18", "vision"), ("transformers", "hf:x", "language")]:
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UsageError, match=rf"needs the package {package}; .*pip install 'resi\[{extra}\]'"):
            resolve(name)


def test_modules_and_their_processors() -> None:
    linear = nn.Linear(2, 1)
    assert resolve(linear) == Network(linear, "Linear")
    assert resolve(resolve(linear)).module is linear
    tokenizer = word_tokenizer(framed=True)
    assert resolve((linear, tokenizer)).kind == resolve(linear, processor=tokenizer).kind == "texts"
    with pytest.raises(UsageError, match=r"model is the class Linear, not called: expected"):
        resolve(nn.Linear)
    with pytest.raises(UsageError, match=r"model is list: expected a torch.nn.Module, a pair"):
        resolve([linear])

    class Both:
        tokenizer = image_processor = None

    with pytest.raises(UsageError, match="takes texts and images: pass one part of it"):
        resolve((linear, Both()))


def slow_hash(module: nn.Module) -> str:
    content = b""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        content += f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode()
        content += bytes(tensor.detach().contiguous().reshape(-1).view(torch.uint8).tolist())
    return hashlib.sha256(content).hexdigest()


def test_the_hash_of_weights_is_that_of_names_types_shapes_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(7, 3).bfloat16())
    known = hash_weights(module)
    assert known == slow_hash(module)
    monkeypatch.setattr("resi.extraction.weights.BLOCK", 16)
    assert hash_weights(module) == known
    module[0].weight.data = module[0].weight.data.to(memory_format=torch.channels_last)
    assert hash_weights(module) == known
    module[1].running_mean += 1
    assert hash_weights(module) != known
    with pytest.raises(UsageError, match="the weight weight is not initialised"):
        hash_weights(nn.LazyLinear(3))
    with pytest.raises(UsageError, match="the weight weight is not initialised"):
        hash_weights(nn.Linear(2, 3, device="meta"))


def test_a_model_in_another_folder_is_the_same(bert: Path, tmp_path: Path) -> None:
    shutil.copytree(bert, tmp_path / "moved")
    one, moved = resolve(f"hf:{bert}"), resolve(f"hf:{tmp_path / 'moved'}")
    assert hash_structure(one.module) == hash_structure(moved.module)
    assert hash_processor(one.processor) == hash_processor(moved.processor)
    moved.module.config.layer_norm_eps *= 2
    assert hash_structure(one.module) != hash_structure(moved.module)
    moved.processor.model_max_length -= 1
    assert hash_processor(one.processor) != hash_processor(moved.processor)
