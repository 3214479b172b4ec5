"""The table of all scores that a report begins with."""

from __future__ import annotations

from resi.report.overview import score_matrix
from tests.report.rows import frame, score


def _lines(model_source: str, *settings: str) -> dict[str, list[str]]:
    """Return the values of a group test, and of two settings in a test by outputs and one of layers."""
    rows = [score("cka", 0.9, model_source=model_source)]
    for number, setting in enumerate(settings):
        about = {"model_source": model_source, "setting": setting, "metric": "spearman"}
        outputs = {"test": "output_correlation", "functional": "jsd", "compared": f"models {number}"}
        layers = {"test": "layer_monotonicity", "compared": f"layers {9 - number}"}
        rows += [
            score("cka", number / 10 + 0.1, **about, **outputs),
            score("cka", number / 10 + 0.5, **about, **layers),
        ]
    found = score_matrix(frame(rows))
    return {line.about[2]: [entry.text for entry in line.entries] for line in found.lines}


def test_settings_of_the_readers_own_models_have_lines_of_their_own() -> None:
    lines = _lines("own", "plain", "mixup")
    by_values = {name: sorted(filter(None, texts)) for name, texts in lines.items()}
    assert by_values == {"gcn": ["0.90"], "gcn, plain": ["0.10", "0.50"], "gcn, mixup": ["0.20", "0.60"]}


def test_the_metric_of_each_column_is_named() -> None:
    about = {"metric": "spearman", "test": "layer_monotonicity"}
    found = score_matrix(frame([score("cka", 0.9), score("cka", 0.9, **about)]))
    assert (found.tests, found.metrics) == (["Augmentation", "Layer monotonicity"], ["AUPRC ↑", "Spearman ↑"])


def test_scores_of_trained_models_share_a_line() -> None:
    assert {name: sorted(texts) for name, texts in _lines("trained", "standard").items()} == {
        "gcn": ["0.10", "0.50", "0.90"]
    }
