"""Datasets in every format they come in: the same rows, and clear words where something is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from resi.domains.language import LanguageDomain
from resi.domains.language.data import load_texts
from resi.errors import DatasetError

DOMAIN = LanguageDomain()
SENTENCES = ['it \'s " quoted " and plain', "dull", "n/a", "a tab-free line"]
LABELS = [1, 0, 0, 1]
PAIRS = pl.DataFrame(
    {
        "premise": ["a dog runs", "it rains"],
        "hypothesis": ["an animal moves", "it is dry"],
        "label": [0, 2],
        "idx": [0, 1],
    }
)


def write_sst2(folder: Path, form: str) -> None:
    folder.mkdir()
    frame = pl.DataFrame({"idx": range(4), "sentence": SENTENCES, "label": LABELS})
    names = {"train": "train", "validation": "dev" if "dev" in form else "validation"}
    for name in names.values():
        lines = [f"{text}\t{label}\n" for text, label in zip(SENTENCES, LABELS, strict=True)]
        if form.startswith("parquet"):
            frame.write_parquet(folder / f"{name}.parquet")
        elif form.startswith("plain tsv"):
            (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
        elif form.startswith("named tsv"):
            (folder / f"{name}.tsv").write_text("".join(["sentence\tlabel\n", *lines]), encoding="utf-8")
        else:
            import datasets

            datasets.Dataset.from_dict(frame.to_dict(as_series=False)).save_to_disk(folder / name)


@pytest.mark.parametrize("form", ["parquet", "plain tsv", "plain tsv dev", "named tsv", "named tsv dev", "saved"])
def test_every_format_of_sst2_gives_the_same_rows(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "sst2[b]*"  # a name, not a pattern
    write_sst2(folder, form)
    dataset = DOMAIN.locate("sst2", folder, Path("unused"))
    for split in ("train", "validation"):
        texts = load_texts(dataset, split)
        assert list(texts.columns[0]) == SENTENCES
        assert texts.labels.tolist() == LABELS
        assert texts.classes == 2


def test_mnli_is_read_with_the_names_of_the_hub_and_of_the_glue_archive(tmp_path: Path) -> None:
    for split in ("train", "validation_matched"):
        PAIRS.write_parquet(tmp_path / f"{split}.parquet")
    glue = tmp_path / "glue"
    glue.mkdir()
    lines = "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\ta dog runs\tan animal moves\tx\tentailment\n"
    for split in ("train", "dev_matched"):
        (glue / f"{split}.tsv").write_text(lines + "1\tit rains\tit is dry\tx\tcontradiction\n", encoding="utf-8")
    for folder in (tmp_path, glue):
        texts = load_texts(DOMAIN.locate("mnli", folder, Path("unused")), "validation")
        assert texts.columns == (("a dog runs", "it rains"), ("an animal moves", "it is dry"))
        assert texts.labels.tolist() == [0, 2]
        assert texts.classes == 3


def test_content_hash_follows_the_files(tmp_path: Path) -> None:
    write_sst2(tmp_path / "sst2", "plain tsv")
    before = DOMAIN.locate("sst2", tmp_path / "sst2", Path("unused")).content
    assert DOMAIN.locate("sst2", tmp_path / "sst2", Path("unused")).content == before
    with (tmp_path / "sst2" / "train.tsv").open("a") as file:
        file.write("more\t1\n")
    assert DOMAIN.locate("sst2", tmp_path / "sst2", Path("unused")).content != before


def test_a_dataset_is_fetched_from_the_hub_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked = []

    def load_dataset(*names: str) -> datasets.DatasetDict:
        asked.append(names)
        rows = datasets.Dataset.from_dict({"sentence": SENTENCES, "label": LABELS})
        return datasets.DatasetDict({"train": rows, "validation": rows, "test": rows})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DatasetError, match=r"not in .* yet"):
        DOMAIN.locate("sst2", None, tmp_path, may_download=False)
    for _ in range(2):
        dataset = DOMAIN.locate("sst2", None, tmp_path)
        assert list(load_texts(dataset, "train").columns[0]) == SENTENCES
    assert asked == [("stanfordnlp/sst2",)]


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def load_dataset(*_names: str) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DatasetError) as caught:
        DOMAIN.locate("mnli", None, tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "datasets.load_dataset('nyu-mll/glue', 'mnli').save_to_disk(FOLDER)" in message
    assert "dataset.root=FOLDER" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("fine\t7\n", "has the label '7'; expected 0 to 1, or negative, positive"),
        ("fine\n", "has no column label and 1 columns"),
        ("text\tlabel\nfine\t1\n", "has no column sentence; it has text, label"),
        ("fine\t1\n\t0\n", "rows without sentence"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(content: str, words: str, tmp_path: Path) -> None:
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text(content, encoding="utf-8")
    dataset = DOMAIN.locate("sst2", tmp_path, Path("unused"))
    with pytest.raises(DatasetError, match=words) as caught:
        load_texts(dataset, "train")
    assert str(tmp_path / "train.tsv") in str(caught.value)


def test_texts_that_are_replaced_after_they_were_found_are_not_used(tmp_path: Path) -> None:
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text("fine\t1\ndull\t0\n", encoding="utf-8")
    dataset = DOMAIN.locate("sst2", tmp_path, Path("unused"))
    (tmp_path / "train.tsv").write_text("fine\t0\ndull\t1\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"the files of sst2 in {tmp_path} changed after the run began; run again"):
        load_texts(dataset, "train")


def test_an_empty_folder_is_named_with_the_files_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected train and validation or dev as \.parquet or \.tsv"):
        DOMAIN.locate("sst2", tmp_path, Path("unused"))


def test_the_real_sst2_is_read(data: Path) -> None:
    dataset = DOMAIN.locate("sst2", data / "sst2", Path("unused"))
    train, validation = load_texts(dataset, "train"), load_texts(dataset, "validation")
    assert (len(train), len(validation)) == (100, 100)
    assert np.bincount(validation.labels).tolist() == [58, 42]
    assert validation.columns[0][0] == "one long string of cliches"
