"""JSON and YAML as hostile data: the same values as a plain parser's, with lines, within bounds."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Rejected
from app.gitops.formats.documents import parse_json, parse_yaml
from app.gitops.formats.keywords import Keywords, Unresolved, hide_in_json, hide_in_yaml, shown

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ue000\ue001"))
SCALARS = st.none() | st.booleans() | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
DOCUMENTS = st.dictionaries(TEXT, VALUES, max_size=5)


def keys_of(value: Any, *path: str | int) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Any]] = list(value.items()) if isinstance(value, dict) else []
    inner = list(enumerate(value)) if isinstance(value, list) else inner
    found: list[tuple[str | int, ...]] = []
    for key, item in inner:
        found += [(*path, key)] if isinstance(key, str) else []
        found += keys_of(item, *path, key)
    return found


@given(DOCUMENTS)
def test_json_is_read_with_the_line_of_every_member(value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1)
    document = parse_json("a.json", hide_in_json("a.json", text))
    assert shown(document.value) == value
    lines = text.split("\n")
    for path in keys_of(document.value):
        line = document.lines[path]
        assert lines[line - 1].lstrip().startswith(json.dumps(shown(path[-1])))


@given(DOCUMENTS)
def test_yaml_is_read_as_a_safe_loader_reads_it(value: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    document = parse_yaml("a.yaml", hide_in_yaml("a.yaml", text))
    assert shown(document.value) == value
    assert all(path in document.lines for path in keys_of(document.value))


@given(st.binary(max_size=200))
def test_whatever_the_bytes_they_are_read_or_refused(data: bytes) -> None:
    text = data.decode("utf-8", "replace").replace("\0", "?")
    for hide, parse in ((hide_in_json, parse_json), (hide_in_yaml, parse_yaml)):
        with contextlib.suppress(Rejected):
            parse("a", hide("a", text))


@given(TEXT)
def test_no_keyword_can_break_a_file_or_add_a_member(value: str) -> None:
    text = '{"name": "##K##", "list": @@K@@, "other": "a ##K## b"}'
    document = parse_json("a.json", hide_in_json("a.json", text))
    resolved = Keywords({"K": value}).resolve(document.value)
    assert resolved == {"name": value, "list": value, "other": f"a {value} b"}


def test_a_value_may_itself_look_like_a_marker() -> None:
    document = parse_json("a.json", hide_in_json("a.json", '{"a": "##A##"}'))
    assert Keywords({"A": "##B##", "B": "no"}).resolve(document.value) == {"a": "##B##"}
    with pytest.raises(Unresolved, match="##A## has no value"):
        Keywords({"B": "no"}).resolve(document.value)
