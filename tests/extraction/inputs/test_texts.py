"""Texts, as token ids: the truth is the tokenizer, called by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch.utils.data import DataLoader

from resi.api.frames import numbers_and_ids
from resi.errors import DatasetError, UsageError
from resi.extraction.batches import Batches, batches_of
from resi.extraction.networks import Network, resolve
from tests.extraction.inputs.conftest import TEXTS, WORDS, word_tokenizer
from tests.extraction.inputs.test_arrays import Items


@pytest.fixture(scope="module")
def network(bert: Path) -> Network:
    return resolve(f"hf:{bert}")


@pytest.fixture(scope="module")
def tokenizer(bert: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(bert)


def check(batches: Batches, tokenizer: Any, size: int, texts: Any = TEXTS) -> None:
    """Fail unless the batches are what the tokenizer makes of the texts, and give what the model gives."""
    found = list(batches.start())
    assert sum(len(batch.samples) for batch in found) == len(texts)
    for number, batch in enumerate(found):
        part = texts[number * size : (number + 1) * size]
        known = tokenizer(part, padding=True, truncation=True, max_length=12, return_tensors="pt")
        assert batch.args == ()
        assert set(batch.kwargs) == {"input_ids", "attention_mask", "token_type_ids"}
        assert all(torch.equal(batch.kwargs[name], known[name]) for name in batch.kwargs)
        assert batch.mask is not None
        assert torch.equal(batch.mask, known["attention_mask"])


def table(tmp_path: Path, suffix: str, frame: pl.DataFrame) -> Path:
    path = tmp_path / f"texts{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    return path


def test_lists_and_what_gives_texts(network: Network, tokenizer: Any) -> None:
    import datasets
    import pandas as pd

    frame = pl.DataFrame({"text": TEXTS, "label": range(5)})
    hub = datasets.Dataset.from_dict({"text": TEXTS, "label": [0] * 5})
    items = Items(lambda row: (TEXTS[row], 1), 5)
    given = [TEXTS, np.array(TEXTS), pl.Series(TEXTS), pd.Series(TEXTS), (text for text in TEXTS)]
    kinds = [*given, frame, pd.DataFrame({"text": TEXTS}), hub, items]
    for data in [*kinds, DataLoader(items, batch_size=2), [TEXTS[:2], TEXTS[2:4], TEXTS[4:]]]:
        batches = batches_of(data, 2, network)
        check(batches, tokenizer, 2)
        assert [sample for batch in batches_of(TEXTS, 2, network).start() for sample in batch.samples] == list("01234")
    assert len({batches_of(data, 3, network).hash() for data in (TEXTS, frame, hub)}) == 1


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables(suffix: str, network: Network, tokenizer: Any, tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [f"s{row}" for row in range(5)], "body": TEXTS, "title": TEXTS[::-1], "n": range(5)})
    path = table(tmp_path, suffix, frame)
    batches = batches_of(path, 2, network, column="body")
    check(batches, tokenizer, 2)
    assert next(batches.start()).samples == ["s0", "s1"]
    assert next(batches_of(str(path), 2, network, column="body", id="n").start()).samples == ["0", "1"]
    assert next(batches_of(str(path), 2, network, column="body", id="false").start()).samples == ["0", "1"]
    with pytest.raises(UsageError, match=r"the data have 2 columns of texts, body, title: name the one .*column=NAME"):
        batches_of(path, 2, network)
    with pytest.raises(UsageError, match=r"unknown column 'bodi'; did you mean body\?"):
        batches_of(path, 2, network, column="bodi")
    with pytest.raises(UsageError, match="column=n does not hold texts; columns that do: body, title"):
        batches_of(path, 2, network, column="n")
    with pytest.raises(UsageError, match=r"unknown column for id= 'name'"):
        batches_of(path, 2, network, column="body", id="name")
    assert batches_of(path, 2, network, column="title").hash() != batches.hash()
    pairs = list(batches_of(path, 5, network, column="body,title").start())
    known = tokenizer(TEXTS, TEXTS[::-1], padding=True, truncation=True, max_length=12, return_tensors="pt")
    assert all(torch.equal(pairs[0].kwargs[name], known[name]) for name in known)


def test_the_index_of_pandas_names_samples_as_comparing_reads_it(network: Network) -> None:
    import pandas as pd

    def ids(frame: pd.DataFrame, **options: Any) -> list[str]:
        return [sample for batch in batches_of(frame, 2, network, **options).start() for sample in batch.samples]

    frame = pd.DataFrame({"text": TEXTS[:3], "n": [0.5, 1.5, 2.5]})
    labelled = frame.set_axis(["x", "y", "z"])
    for each, expected in [(frame, ["0", "1", "2"]), (frame[::-1], ["2", "1", "0"]), (labelled, ["x", "y", "z"])]:
        assert ids(each) == expected
        assert (numbers_and_ids("", each[["n"]])[1] or ("0", "1", "2")) == tuple(expected)
    assert ids(labelled, id=False) == ["0", "1", "2"]
    assert ids(labelled, id="n") == ["0.5", "1.5", "2.5"]
    assert ids(labelled.assign(id=["a", "b", "c"]), column="text") == ["a", "b", "c"]
    with pytest.raises(DatasetError, match=r"ids of samples must be unique, .* repeat 'x'; .* with id=False"):
        ids(frame.set_axis(["x", "x", "z"]))


def test_a_table_with_another_separator_is_no_column_of_texts(network: Network, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;text\n1;a film\n2;film\n")
    with pytest.raises(UsageError, match=r"a.csv: its values are separated by ';', expected ',' in a .csv file"):
        batches_of(tmp_path / "a.csv", 2, network)
    (tmp_path / "b.csv").write_bytes("id,text\n1,café\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"b.csv cannot be read as csv"):
        batches_of(tmp_path / "b.csv", 2, network)


def test_ids_of_a_csv_are_no_numbers(network: Network, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,text,code\n007,a film,01\n07,"fine, long",02\n')
    (batch,) = batches_of(tmp_path / "a.csv", 2, network).start()
    assert batch.samples == ["007", "07"]
    assert next(batches_of(tmp_path / "a.csv", 2, network, id="code").start()).samples == ["01", "02"]


def test_a_first_row_is_not_taken_for_names(network: Network, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a fine film\t1\nthe plot is thin\t0\n")
    with pytest.raises(UsageError, match=r"the columns of .*a.tsv are a fine film, 1: if that is its first row"):
        batches_of(tmp_path / "a.tsv", 2, network)
    assert batches_of(tmp_path / "a.tsv", 2, network, column="a fine film").n_samples == 1


def test_numbers_are_not_taken_for_texts(network: Network) -> None:
    with pytest.raises(UsageError, match=r"tiny-bert reads texts, but the data are numbers of torch.float32"):
        next(batches_of(torch.zeros(2, 3), 2, network).start())
    ids = torch.tensor([[2, 4, 3], [2, 5, 3]])
    assert torch.equal(next(batches_of(ids, 2, network).start()).args[0], ids)
    with pytest.raises(UsageError, match=r"Linear.forward takes nothing: it takes input. The forward pass must accept"):
        next(batches_of(TEXTS, 2, resolve((torch.nn.Linear(2, 1), network.processor))).start())


def test_texts_longer_than_the_model_are_cut_and_counted(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    batches = batches_of(TEXTS, 2, network)
    list(batches.start())
    note = "1 of 5 texts were cut to the model's limit of 12 tokens (the longest has 14)"
    assert batches.notes == [note]
    assert capsys.readouterr().err == f"{note}\n"
    exact = batches_of([TEXTS[1] + " a", TEXTS[1] + " a a"], 2, network)  # 12 and 13 tokens
    list(exact.start())
    assert exact.notes == [note.replace("of 5", "of 2").replace("14", "13")]


def test_models_that_count_positions_behind_the_padding_take_fewer_tokens(bert: Path) -> None:
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    model = RobertaModel(
        RobertaConfig(
            vocab_size=13,
            hidden_size=4,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=4,
            max_position_embeddings=10,
        )
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=word_tokenizer(framed=True), pad_token="[PAD]")
    (batch,) = batches_of(TEXTS, 5, resolve((model, tokenizer))).start()
    assert batch.kwargs["input_ids"].shape == (5, 8)  # 10 less the index that pads, 1, and what is before it
    model(**batch.kwargs)


def decoder(side: str) -> tuple[Any, Any]:
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    model = GPT2Model(GPT2Config(vocab_size=13, n_embd=4, n_layer=1, n_head=1, n_positions=32)).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=word_tokenizer(framed=False), eos_token="[SEP]")
    tokenizer.padding_side = side
    return model, tokenizer


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_text_gives_what_it_gives_alone_whatever_side_a_decoder_is_padded_at(side: str) -> None:
    model, tokenizer = decoder(side)
    before = copy.deepcopy(tokenizer.__dict__["_special_tokens_map"])
    (batch,) = batches_of(TEXTS, 5, resolve((model, tokenizer))).start()
    with torch.no_grad():
        states = model(**batch.kwargs).last_hidden_state
        for text, state, mask in zip(TEXTS, states, batch.mask, strict=True):  # type: ignore[arg-type]
            ids = torch.tensor([[WORDS.index(word) for word in text.split()]])
            torch.testing.assert_close(state[mask.bool()], model(ids).last_hidden_state[0])
    assert tokenizer.pad_token is None  # the user's own is not changed
    assert tokenizer.padding_side == side
    assert tokenizer.__dict__["_special_tokens_map"] == before


def test_a_network_that_is_not_told_of_padding_is_named(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    class Bag(torch.nn.EmbeddingBag):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return super().forward(input_ids)

    alone = batches_of(TEXTS, 1, resolve((Bag(13, 2), network.processor)))
    assert [list(batch.kwargs) for batch in alone.start()] == [["input_ids"]] * 5
    assert "attention_mask" not in capsys.readouterr().err
    list(batches_of(TEXTS, 5, resolve((Bag(13, 2), network.processor))).start())
    assert "Bag takes no attention_mask, so it reads padding tokens as text" in capsys.readouterr().err


def test_a_bare_tokenizer_will_do_and_one_that_cannot_pad_is_named() -> None:
    model, _ = decoder("right")
    with pytest.raises(UsageError, match="the tokenizer has no token to pad with"):
        next(batches_of(TEXTS, 5, resolve((model, word_tokenizer(framed=False)))).start())
    with pytest.raises(UsageError, match=r"is int: expected a tokenizer or an image processor"):
        resolve((model, 3))


def test_rows_that_are_tokenized_are_padded(network: Network, tokenizer: Any) -> None:
    import datasets

    data = datasets.Dataset.from_dict({"text": TEXTS, "label": [1] * 5, "id": list("abcde")})
    data = data.map(lambda row: tokenizer(row["text"], truncation=True, max_length=12))
    for ready in (data, data.with_format("torch"), data.remove_columns("text")):
        batches = batches_of(ready, 2, network)
        check(batches, tokenizer, 2)
        assert next(batches.start()).samples == ["a", "b"]
    first, second = (list(batches_of(data, size, network).start())[-1].running for size in (2, 5))
    assert first == second  # what pads is no content


def test_datasets_that_are_not_one_table_are_named(network: Network, tmp_path: Path, tokenizer: Any) -> None:
    import datasets

    data = datasets.Dataset.from_dict({"text": TEXTS, "numbers": [[0.5, row] for row in range(5)]})
    with pytest.raises(UsageError, match=r"data has the splits train, test: pass one of them, such as data\['train'\]"):
        batches_of(datasets.DatasetDict(train=data, test=data), 2, network)
    with pytest.raises(UsageError, match="data is a streamed dataset"):
        batches_of(data.to_iterable_dataset(), 2, network)
    data.save_to_disk(str(tmp_path / "saved"))
    check(batches_of(tmp_path / "saved", 2, network), tokenizer, 2)
    (tmp_path / "saved" / "state.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"data=.*saved cannot be read as a saved dataset: .*; save it again"):
        batches_of(tmp_path / "saved", 2, network)
    linear = resolve(torch.nn.Linear(2, 1))
    (batch,) = batches_of(data, 5, linear, column="numbers").start()
    assert torch.equal(batch.args[0], torch.tensor([[0.5, row] for row in range(5)]))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"text": ["a", None]}), "row 1 of the rows of the table is None: expected a text"),
        (pl.DataFrame({"text": []}, schema={"text": pl.String}), "rows of the table have no rows"),
        (pl.DataFrame({str(n): [n] for n in range(12)}), "no column of texts, only 0, 1, .*, 9 and 2 more; pass"),
        (pl.DataFrame({"n": [1]}), "the data have no column of texts, only n; pass numbers as an array"),
        (pl.DataFrame({"id": ["a", "a"], "text": ["a", "b"]}), "repeat 'a'"),
        (pl.DataFrame({"id": ["a", None], "text": ["a", "b"]}), "row 1 has no id"),
    ],
)
def test_tables_that_cannot_be_read_are_one_line(
    frame: pl.DataFrame, message: str, network: Network, tmp_path: Path
) -> None:
    with pytest.raises((UsageError, DatasetError), match=message) as caught:
        list(batches_of(table(tmp_path, ".parquet", frame), 2, network).start())
    assert "\n" not in str(caught.value)


def test_files_that_are_not_what_their_name_says(network: Network, tmp_path: Path) -> None:
    for name in ("a.parquet", "b.npy", "c.docx"):
        (tmp_path / name).write_bytes(b"not it")
    with pytest.raises(DatasetError, match=r"a.parquet cannot be read as parquet"):
        batches_of(tmp_path / "a.parquet", 2, network)
    with pytest.raises(DatasetError, match=r"b.npy cannot be read as an array of numbers"):
        batches_of(tmp_path / "b.npy", 2, network)
    with pytest.raises(UsageError, match=r"c.docx: expected a folder of images, or a file .csv .parquet"):
        batches_of(tmp_path / "c.docx", 2, network)
    with pytest.raises(UsageError, match="a list of tuples of texts, which may be pairs or texts with labels"):
        batches_of([("a", "b")], 2, network)
