"""BERT: an encoder that reads word pieces and is pre-trained on masked ones (Devlin et al., NAACL 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from resi.domains.language.networks.base import SEGMENTS, TextNetwork, TransformerArchitecture, encoder_layer
from resi.domains.language.networks.folders import ENCODERS, encoder_folder
from resi.domains.language.settings import QUARTERS
from resi.domains.published_models import STANDARD_SEEDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenizers import Tokenizer

    from resi.domains.language.datasets.base import TextDataset
    from resi.domains.releases import Release
    from resi.specs import ModelSpec

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# The names of some folders of published models are not formed as the others.
STANDARD_FOLDERS = {"sst2": "standard/sst2_pretrain{seed}_finetune{seed}"}
INNER = 3072
"""Width between the two matrices of a layer, as ``transformers`` has it where the config says nothing."""
WHOLE_RATES = ("mnli",)
"""Datasets with which the rate 1.0 was given as a whole number."""


class BertNetwork(TextNetwork):
    """BERT, with one pre-training per seed (MultiBERTs), or small and from random weights."""

    architectures: ClassVar[tuple[TransformerArchitecture, ...]] = (
        TransformerArchitecture(
            "bert",
            "12 layers, MultiBERTs",
            "BERT-L",
            "Sellam et al., ICLR 2022",
            layers=12,
            width=768,
            vocabulary=30522,
            hub="google/multiberts-seed_{seed}",
        ),
        TransformerArchitecture(
            "bert_tiny",
            "4 layers, 1.1 million parameters",
            "",
            "Devlin et al., NAACL 2019",
            layers=4,
            width=96,
            vocabulary=8192,
            positions=128,
            config={
                "num_attention_heads": 4,
                "intermediate_size": 192,
                "attention_probs_dropout_prob": 0.0,  # without it, attention is one fused operation on a CPU, too
            },
            # A network that normalises after its blocks gets stuck at times if the rate rises faster from 0; at twice
            # this rate one of two seeds never left chance on SST-2.
            recipe={"epochs": 3, "batch_size": 32, "learning_rate": 1e-3, "warmup": 0.3},
        ),
    )
    published_levels: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "augmentation": QUARTERS,
        "label_randomization": QUARTERS,
        "shortcut": (0, *QUARTERS),
    }
    releases: ClassVar[tuple[Release, ...]] = ENCODERS
    embeddings: ClassVar[str] = "bert.embeddings.word_embeddings.weight"
    output: ClassVar[str] = "classifier.weight"
    checked: ClassVar[tuple[str, ...]] = (*TextNetwork.checked, "layer_norm_eps")
    published_seeds_on: ClassVar[Mapping[tuple[str, str], range]] = {
        **{("sst2", f"shortcut_{level}"): STANDARD_SEEDS for level in (0, *QUARTERS)},
        **{("sst2", f"augmentation_{level}"): STANDARD_SEEDS for level in QUARTERS},
    }

    def weight_count(self, name: str, classes: int) -> int:
        """Return the weights of embeddings, layers, pooler and classifier."""
        size = self.architecture(name)
        embeddings = (size.vocabulary + size.positions + SEGMENTS + 2) * size.width
        layers = size.layers * encoder_layer(size.width, int(size.config.get("intermediate_size", INNER)))
        return embeddings + layers + (size.width + 1) * (size.width + classes)

    def transformers_classes(self) -> tuple[Any, Any]:
        """Return the classes of the config and of the network."""
        from transformers import BertConfig, BertForSequenceClassification

        return BertConfig, BertForSequenceClassification

    def train_tokenizer(self, corpus: list[str], vocabulary: int) -> Tokenizer:
        """Train pieces of lower-case words, those inside a word marked by ``##``.

        The pieces are merged without marks, and each gets both forms; the trainer for marked ones gives another
        tokenizer every time.
        """
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

        merged = Tokenizer(models.BPE())
        merged.normalizer = normalizers.BertNormalizer(lowercase=True)
        merged.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.BpeTrainer(vocab_size=(vocabulary - len(SPECIAL)) // 2, show_progress=False)
        merged.train_from_iterator(corpus, trainer)
        pieces = sorted(merged.get_vocab())
        names = [*SPECIAL, *pieces, *(f"##{piece}" for piece in pieces)]
        numbers = {name: number for number, name in enumerate(names)}
        tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106 - no password
        tokenizer.normalizer = merged.normalizer
        tokenizer.pre_tokenizer = merged.pre_tokenizer
        tokenizer.add_special_tokens(SPECIAL)
        return tokenizer

    def published_folders(self, model: ModelSpec, dataset: TextDataset) -> tuple[str, ...]:
        """Return the names that a published model's folder may have, relative to ``models/nlp``."""
        name = encoder_folder(dataset, model.setting, model.seed, model.seed)
        if model.setting == "standard" and dataset.name in STANDARD_FOLDERS:
            name = STANDARD_FOLDERS[dataset.name].format(seed=model.seed)
        elif model.setting == "shortcut_100" and dataset.name in WHOLE_RATES:
            name = name.removesuffix("0")
        return f"bert/{name}", name  # the first release had no folder for BERT

    def published_rate(self, dataset: TextDataset, setting: str) -> str:
        """Return the rate of a setting as the names of published training sets have it."""
        rate = super().published_rate(dataset, setting)
        return rate.removesuffix("0") if setting == "shortcut_100" and dataset.name in WHOLE_RATES else rate
