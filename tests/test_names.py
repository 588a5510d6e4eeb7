"""Names of files, made of any text."""

import pytest

from genlab.names import file_name, shorten


@pytest.mark.parametrize(
    ("text", "n_bytes", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "ab..fg"),
        ("abcdefgh", 7, "ab..gh"),
        ("äöü", 6, "äöü"),  # two bytes each
        ("äöüäöü", 8, "ä..ü"),  # three bytes a side: one letter and a half
        ("日本語日本語", 12, "日..語"),
        ("🙂🙂🙂", 11, "🙂..🙂"),
        ("a\udcff", 9, "a?"),  # no letter in any encoding
    ],
)
def test_a_text_is_cut_in_its_middle_between_letters(text, n_bytes, short):
    assert shorten(text, n_bytes) == short
    assert len(short.encode()) <= n_bytes


def test_a_file_name_has_letters_of_any_script_and_nothing_that_a_file_system_or_a_shell_minds():
    assert file_name("data.root='/Käse & Brot/日本'") == "data.root-Käse-Brot-日本-"
    assert len(file_name("語" * 200).encode()) <= 143
