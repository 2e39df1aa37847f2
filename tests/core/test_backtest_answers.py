"""Reading recorded answers and prices: what is accepted and what each mistake is told."""

from __future__ import annotations

import numpy as np
import pytest

from swarmloom.backtest import read_answers, read_costs
from swarmloom.backtest.answers import Columns, make_table
from swarmloom.backtest.costs import match_costs
from swarmloom.errors import InputError

GOOD = "item,gold,category,n_options,ada,bob\nq1,A,law,4,A,B\nq2,B,art,,, B \n"


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "answers.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_table_is_read_with_its_usual_columns(write):
    table = read_answers(write(GOOD))
    assert table.items == ("q1", "q2")
    assert table.experts == ("ada", "bob")
    assert table.topics == ("law", "art")
    assert table.options == (4, None)
    assert [table.labels[code] for code in table.gold] == ["A", "B"]
    assert table.codes[1, 0] == -1  # An empty cell is no answer, not a wrong one.
    np.testing.assert_array_equal(table.right, [[True, False], [False, True]])


def test_byte_order_mark_and_tabs_are_understood(write):
    path = write("\ufeffitem\tgold\tada\nq1\ta,b\ta,b\n", "answers.tsv")
    assert read_answers(path).right.all()


def test_columns_can_be_named_or_left_out(write):
    text = "id,truth,subject,ada\n1,x,s,x\n"
    table = read_answers(write(text), Columns(item="id", gold="truth"))
    assert table.topics == ("s",)
    table = read_answers(write(text), Columns(item="id", gold="truth", topic=""))
    assert table.topics == ("",)
    assert table.experts == ("subject", "ada")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("item,gold,ada\n", "only a header line"),
        ("item,golden,ada\nq,A,A\n", "no column 'gold'; did you mean 'golden'"),
        ("gold,ada\nA,A\n", "no column 'item'"),
        ("item,gold\nq,A\n", "no expert"),
        ("item,gold,ada,ada\nq,A,A,A\n", "column 'ada' occurs more than once"),
        ("item,gold,ada\nq,A,A\nq,B,B\n", "item 'q' occurs more than once"),
        ("item,gold,ada\n,A,A\n", "an item is empty"),
        ("item,gold,ada\nq,A,A\nr,,A\n", "line 3, column 'gold': no right answer"),
        ("item,gold,ada\nq,A\n", "line 2 ('q') has 2 cells, the header 3"),
        ("item,gold,n_options,ada\nq,A,1,A\n", "line 2, column 'n_options': '1' is no number"),
        ("item,gold,n_options,ada\nq,A,four,A\n", "'four' is no number of options"),
    ],
)
def test_each_mistake_in_a_table_is_named(write, text, message):
    path = write(text)
    with pytest.raises(InputError) as caught:
        read_answers(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_answers(tmp_path / "nowhere.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read"):
        read_answers(binary)


def test_rows_are_taken_in_the_order_asked_for(write):
    taken = read_answers(write(GOOD)).take(np.array([1, 0]))
    assert taken.items == ("q2", "q1")
    assert taken.topics == ("art", "law")
    np.testing.assert_array_equal(taken.right, [[False, True], [True, False]])


def test_a_table_of_no_items_has_the_right_shape():
    table = make_table([], [], {"ada": []})
    assert len(table) == 0
    assert table.codes.shape == (0, 1)


def test_prices_are_read_from_toml_and_csv(write):
    assert read_costs(write('[costs]\nada = 1\n"b b" = 0.5\n', "c.toml")) == {"ada": 1, "b b": 0.5}
    assert read_costs(write("expert,cost\nada,1\nbob,2e-1\n", "c.csv")) == {"ada": 1, "bob": 0.2}
    assert read_costs(write("ada,1\n", "c.csv")) == {"ada": 1}


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "c.toml", "no table [costs]"),
        ("[cost]\na = 1\n", "c.toml", "its keys: cost"),
        ("[costs]\n", "c.toml", "names no price"),
        ("[costs\n", "c.toml", "cannot be read"),
        ("[costs]\nada = nan\n", "c.toml", "price of 'ada' is nan"),
        ("[costs]\nada = true\n", "c.toml", "price of 'ada' is True"),
        ("[costs]\nada = [1]\n", "c.toml", "price of 'ada' is [1]"),
        ("[costs]\nada = -1\n", "c.toml", "price of 'ada' is -1"),
        ("ada,inf\n", "c.csv", "price of 'ada' is 'inf'"),
        ("ada,cheap\n", "c.csv", "price of 'ada' is 'cheap'"),
        ("ada,1\nada,2\n", "c.csv", "'ada' occurs more than once"),
        ("ada\n", "c.csv", "1 cells"),
        ("", "c.csv", "names no price"),
    ],
)
def test_each_mistake_in_prices_is_named(write, text, name, message):
    with pytest.raises(InputError) as caught:
        read_costs(write(text, name))
    assert message in str(caught.value)


def test_prices_must_match_the_experts():
    np.testing.assert_array_equal(match_costs({"b": 2, "a": 1}, ["a", "b"], "c.toml"), [1, 2])
    with pytest.raises(InputError, match=r"c.toml: no expert 'gemini' .* did you mean 'gemini-1'"):
        match_costs({"gemini": 1}, ["gemini-1"], "c.toml")
    with pytest.raises(InputError, match="no price for 'b'"):
        match_costs({"a": 1}, ["a", "b"], "c.toml")
    with pytest.raises(InputError, match="and 2 more"):
        match_costs({}, list("abcdefg"), "c.toml")
