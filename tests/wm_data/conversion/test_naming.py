"""Names of drives: letters of every script stay, paths do not, and no two are one file on any file system."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_data.conversion.naming import is_safe_name, safe_name, same_name, unique_names


@pytest.mark.parametrize(
    "text, name",
    [
        ("Straße 7", "Straße_7"),
        ("東京-高速", "東京-高速"),
        ("दिल्ली", "दिल्ली"),
        ("Москва.bag", "Москва.bag"),
        ("a:b/c\\d", "a_b_c_d"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (".hidden", "hidden"),
        ("--rate", "rate"),
        ("", "drive"),
        ("..", "drive"),
        ("a\u202eb\n\0", "a_b__"),
        ("🚗", "_"),
        ("e\u0301", "é"),
        ("ü" * 100, "ü" * 75),
        ("b\udcff", "b_"),
    ],
)
def test_a_name_keeps_its_letters_and_nothing_that_leads_elsewhere(text, name):
    assert safe_name(text) == name and is_safe_name(name)


@given(st.text(max_size=300))
def test_a_safe_name_is_one_file_in_its_folder(text):
    name = safe_name(text)
    assert is_safe_name(name) and safe_name(name) == name
    assert "/" not in name and "\\" not in name and name[0] not in ".-" and name.isprintable()
    assert len(name.encode()) <= 150 and unicodedata.is_normalized("NFC", name)


@pytest.mark.parametrize("name", ["../a", "a/b", ".a", "-a", "", "a b", "a\n", "e\u0301", "x" * 201, "a\0", "a\u202e"])
def test_other_names_are_not_safe(name):
    assert not is_safe_name(name)


@given(st.lists(st.sampled_from(["é", "e\u0301", "É", "a b", "a_b", "A:B", "straße", "STRASSE", "a_b_2"]), max_size=9))
def test_names_are_told_apart_where_a_file_system_would_not(texts):
    names = unique_names(texts)
    assert len({unicodedata.normalize("NFD", name).casefold() for name in names}) == len(texts)
    assert all(is_safe_name(name) for name in names)


def test_upper_and_lower_case_and_ways_to_write_an_accent_are_the_same():
    assert same_name("É") == same_name("e\u0301") == same_name("é") != same_name("e")
