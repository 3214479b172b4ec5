"""The sentences of the first screen."""

from __future__ import annotations

import numpy as np
import pytest

from resi.report.answer import Answer, answers, lead, main_answers
from resi.report.leaderboard import leaderboards
from tests.report.rows import frame, score

FEW = "with 2 groups of 3 models no p-value can be below 0.1"


def scores_of(values: dict[str, float], noise: float = 0.002, **changes) -> list[dict]:
    """Return scores of measures on three architectures, with independent uncertainties of about ``noise``."""
    rows = []
    for architecture in ("gcn", "gat", "pgnn"):
        rng = np.random.default_rng(len(architecture))
        for measure, value in values.items():
            influences = (rng.normal(size=15) * noise / np.sqrt(15)).tolist()
            about = {"p_value": 0.001, "influences": str(influences), **changes}
            rows.append(score(measure, value, architecture, **about))
    return rows


def answer_of(rows: list[dict]) -> Answer:
    (found,) = answers(list(leaderboards(frame(rows))))
    return found


def labels(found: Answer) -> list[str]:
    return [label.label for label, _ in found.best]


def test_measures_within_the_noise_of_the_best_are_named_with_it_and_others_are_not() -> None:
    found = answer_of(scores_of({"cka": 0.9, "rsa": 0.899, "gulp": 0.5, "imd": 0.4}))
    assert labels(found) == ["cka", "rsa"]
    assert found.sentence == "cannot be distinguished from the best of 4 measures."
    assert found.basis == "Based on 3 cases (1 test, 3 architectures and 1 dataset) with 15 models each."
    assert [link.anchor for link in found.evidence] == ["test-graph-augmentation"]


def test_one_measure_far_ahead_is_the_best() -> None:
    found = answer_of(scores_of({"cka": 0.9, "rsa": 0.6, "gulp": 0.5}))
    assert (labels(found), found.sentence) == (["cka"], "is the best of 3 measures.")


def test_where_all_are_alike_no_measure_is_told_from_the_best() -> None:
    found = answer_of(scores_of({"cka": 0.9, "rsa": 0.9, "gulp": 0.9}))
    assert len(found.best) == 3
    assert found.sentence == "These are all 3 measures: none can be distinguished from the best."


def test_too_few_models_are_said_in_plain_words_and_crown_nobody() -> None:
    found = answer_of(scores_of({"cka": 1.0, "rsa": 0.2, "gulp": 0.1}, note=FEW, groups=2, models=6))
    assert found.best == []
    assert found.sentence == "2 groups of 3 models: p cannot be below 0.1. The measures cannot be ranked."
    assert lead([found]).startswith("These results cannot tell which measure is best")


def test_settings_that_are_too_small_do_not_count_beside_larger_ones() -> None:
    rows = scores_of({"cka": 0.9, "rsa": 0.6, "gulp": 0.5})
    rows += scores_of({"cka": 0.1, "rsa": 0.6, "gulp": 0.9}, dataset="small", note=f"no interval; {FEW}", models=6)
    found = answer_of(rows)
    assert labels(found) == ["cka"]
    assert found.caveats == ["3 cases of 6 are left out: too few models to tell measures apart."]


def test_without_an_uncertainty_no_ranking_is_meant() -> None:
    found = answer_of([score("cka", 0.9), score("rsa", 0.1)])
    assert found.best == []
    assert found.sentence.endswith("an interval needs more models. The measures cannot be ranked.")
    assert answer_of([score("cka", 0.9)]).sentence.startswith("There is nothing to rank")


def test_measures_without_every_score_and_those_at_chance_are_told() -> None:
    rows = scores_of({"cka": 0.9, "rsa": 0.899}, p_value=0.5) + scores_of({"gulp": 0.7, "imd": 0.1})
    rows = [row for row in rows if (row["measure"], row["architecture"]) != ("gulp", "gcn")]
    found = answer_of(rows)
    assert labels(found) == ["cka", "rsa"]
    assert found.caveats == [
        "1 measure that has no score in one or more of the cases is not compared.",
        "Not distinguished from chance in one or more cases: cka and rsa.",
    ]


def test_a_measure_that_failed_everywhere_is_counted() -> None:
    found = answer_of([*scores_of({"cka": 0.9, "rsa": 0.6}), score("gulp", None, reason="no pair has a value")])
    assert labels(found) == ["cka"]
    assert found.caveats == ["1 measure that has no score in one or more of the cases is not compared."]


def test_the_lead_names_what_is_among_the_best_everywhere() -> None:
    alike = {"cka": 0.9, "rsa": 0.9, "gulp": 0.1}
    rows = scores_of(alike) + scores_of({**alike, "rsa": 0.5}, domain="vision")
    found, _ = main_answers(answers(list(leaderboards(frame(rows)))))
    assert lead(found) == (
        "In all 2 answers below, cka is better than chance and cannot be distinguished from the best."
    )
    rows = scores_of({**alike, "cka": 0.5}) + scores_of({**alike, "rsa": 0.5}, domain="vision")
    assert lead(answers(list(leaderboards(frame(rows))))) == (
        "No measure is better than chance and among the best in all answers below. rsa and cka come nearest, with 1 of "
        "2."
    )
    assert lead([]).startswith("There are no scores to rank")


def test_the_lead_recommends_nothing_that_may_be_chance_and_says_where_runs_are_too_small() -> None:
    values = {"cka": 0.9, "rsa": 0.9, "gulp": 0.1}
    rows = scores_of(values)
    for row in rows:
        row["p_value"] = 0.5 if row["measure"] == "cka" else 0.001
    rows += scores_of(values, domain="vision", note=FEW)
    assert lead(answers(list(leaderboards(frame(rows))))) == (
        "rsa is better than chance and cannot be distinguished from the best. 1 question below cannot be answered with "
        "these results."
    )


def test_where_no_score_is_told_from_chance_nobody_is_crowned() -> None:
    found = answer_of(scores_of({"cka": 0.9, "rsa": 0.9, "gulp": 0.1}, p_value=0.5))
    assert (labels(found), found.sentence) == (
        [],
        "No score can be distinguished from chance, so the measures cannot be ranked.",
    )
    assert lead([found]).startswith("These results cannot tell which measure is best")
    rows = scores_of({"cka": 0.9, "rsa": 0.9}, p_value=0.5) + scores_of({"gulp": 0.1})
    found = answer_of(rows)
    assert lead([found]).startswith("No measure is recommended: each of those that may")


def test_kinds_of_tests_and_other_conditions_have_answers_of_their_own() -> None:
    values = {"cka": 0.9, "rsa": 0.5}
    rows = scores_of(values) + scores_of(values, test="shortcut")
    rows += scores_of(values, test="layer_monotonicity", metric="spearman")
    rows += scores_of(values, protocol="published")
    first, others = main_answers(answers(list(leaderboards(frame(rows)))))
    assert [found.kind for found in first] == ["settings", "layers"]
    assert len(first[0].evidence) == 2
    assert [found.conditions for found in others] == ["published protocol"]


def test_own_models_are_called_so_and_stand_on_the_first_screen_beside_other_domains() -> None:
    values = {"cka": 0.9, "rsa": 0.5}
    rows = scores_of(values) + scores_of(values, domain="custom", model_source="own")
    first, others = main_answers(answers(list(leaderboards(frame(rows)))))
    assert [(found.domain, found.conditions) for found in first] == [("graph", ""), ("custom", "your own models")]
    assert others == []


@pytest.mark.parametrize("models", [2, 6])
def test_the_number_of_models_is_part_of_the_basis(models: int) -> None:
    found = answer_of([*scores_of({"cka": 0.9, "rsa": 0.6}), *scores_of({"cka": 0.9, "rsa": 0.6}, models=models)])
    assert f"with {models} to 15 models each" in found.basis
