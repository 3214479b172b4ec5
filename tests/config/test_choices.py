"""Keys that have one of a few values, and what is stored of them."""

from __future__ import annotations

import omegaconf
import pytest

from resi.choices import ModelSource, OnError, Overwrite, Protocol, Stage
from resi.config import schema
from resi.config.compose import compose
from resi.domains.graph import GraphDomain
from resi.errors import UsageError
from resi.fingerprints import canonical

WORDS = ["protocol=published", "on_error=raise", "stage=compare", "compare.overwrite=failed", "compare.memory=2GB"]


def test_a_config_holds_enums_and_numbers_and_its_manifest_the_words() -> None:
    config = compose([*WORDS, "measure=cka", "models.source=published"])
    assert config.protocol is config.domain.protocol is Protocol.published
    assert config.on_error is OnError.raise_
    assert config.stage is Stage.compare
    assert config.models.source is ModelSource.published
    assert config.models.root == config.root
    assert (config.compare.overwrite, config.compare.memory_bytes) == (Overwrite.failed, 2 * 10**9)
    stored = config.composed
    assert [stored[key] for key in ("protocol", "on_error", "stage")] == ["published", "raise", "compare"]
    assert stored["models"] == {"source": "published", "root": None}
    assert list(stored["compare"].items())[:3] == [("memory", "2GB"), ("threads", None), ("overwrite", "failed")]
    assert compose(["measure=cka"]).compare.memory_bytes is None  # it depends on the device


def test_a_choice_is_its_word_wherever_texts_are_compared_or_stored() -> None:
    assert Protocol.published == "published"
    assert {Protocol.published: 1}["published"] == 1
    assert f"{OnError.raise_} {Protocol.corrected}" == "raise corrected"
    assert canonical({"protocol": Protocol.published}) == canonical({"protocol": "published"})


def test_a_domain_takes_a_protocol_by_its_word() -> None:
    assert GraphDomain("published").protocol is Protocol.published
    assert not GraphDomain().protocol.is_published
    with pytest.raises(UsageError, match="unknown protocol 'strict'"):
        GraphDomain("strict")


def test_what_is_missing_is_what_omegaconf_takes_for_missing() -> None:
    assert schema.MISSING == omegaconf.MISSING
