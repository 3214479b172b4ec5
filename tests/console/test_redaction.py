"""What is written holds no secrets."""

from __future__ import annotations

import pytest

from resi.console.redaction import is_secret, redact, redact_config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shards=s3://key:secret@bucket/a", "shards=s3://***@bucket/a"),
        ("shards=s3://key:se/c+ret@bucket/a", "shards=s3://***@bucket/a"),
        ("https://ghp@host/x?y=1", "https://***@host/x?y=1"),
        ("https://h/x?token=abc&a=2", "https://h/x?token=***&a=2"),
        ("az://c/x?sv=1&sig=a%2Fb&X-Amz-Signature=ff", "az://c/x?sv=1&sig=***&X-Amz-Signature=***"),
        ("shards='https://h/x?api_key=abc'", "shards='https://h/x?api_key=***'"),
        ("+hydra.launcher.init.password=hunter2", "+hydra.launcher.init.password=***"),
        ("cannot read https://u:p@h/x: 403", "cannot read https://***@h/x: 403"),
        ("a.b.authToken='x y'", "a.b.authToken=***"),
        (f"x=hf_{'a' * 30}", "x=***"),
        (
            "shards=s3://${oc.env:USER}:${oc.env:PASSWORD}@bucket",
            "shards=s3://${oc.env:USER}:${oc.env:PASSWORD}@bucket",
        ),
        (r"shards=s3\://u\:$\{oc.env\:P\}@bucket", r"shards=s3\://u\:$\{oc.env\:P\}@bucket"),
        ("a.token=${oc.env:TOKEN}", "a.token=${oc.env:TOKEN}"),
        ("s3://bucket/a@b/c", "s3://bucket/a@b/c"),
        ("http://host:8080/a@b", "http://host:8080/a@b"),
        ("model.gcn.max_tokens=128 measure.x.key=3", "model.gcn.max_tokens=128 measure.x.key=3"),
        ("/data/a@b=c", "/data/a@b=c"),
    ],
)
def test_secrets_are_left_out_and_nothing_else_is(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(redact(text)) == expected


def test_configs_lose_the_values_of_secret_keys_at_any_depth() -> None:
    given = {"a": [{"secret_key": "x", "n": 1}], "token": None, "t": {"password": "${oc.env:P}"}, "u": "ftp://a:b@c"}
    expected = {
        "a": [{"secret_key": "***", "n": 1}],
        "token": None,
        "t": {"password": "${oc.env:P}"},
        "u": "ftp://***@c",
    }
    assert redact_config(given) == expected


def test_keys_are_secret_by_their_last_part() -> None:
    secret = ("token", "x-amz-security-token", "authToken", "AWS_SECRET_ACCESS_KEY", "apiKey", "db.password")
    assert all(map(is_secret, secret))
    assert not any(map(is_secret, ("tokens", "key", "seed", "model.token.depth", "tokenizer", "secretary")))
