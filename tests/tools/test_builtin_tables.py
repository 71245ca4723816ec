"""The table tools take names, never rows, and say which rows they could not use."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from agentkit.errors import Retry, ToolFailed
from agentkit.tools.cells import Cell, to_number
from agentkit.tools.context import ToolContext
from agentkit.tools.table_work import Aggregate, Comparison
from agentkit.tools.tables import filter_table, group_table, load_table, sort_table, table_rows

SALES = """\
Date,Country,amount,note
2024-01-05,DE,"1,234.50",a
05/02/2024,DE,10,b
31/02/2024,FR,5,
28/02/2024,FR,n/a,x,extra

2024-03-01,FR,
5 Mar 2024,DE,(2.5),z
"""


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "sales.csv").write_text(SALES)
    context = ToolContext(workspace=tmp_path)
    load_table("sales.csv", context)
    return context


def load(tmp_path: Path, name: str, text: str) -> ToolContext:
    (tmp_path / name).write_text(text)
    context = ToolContext(workspace=tmp_path)
    load_table(name, context)
    return context


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1234.5", "1234.5"),
        ("1,234.50", "1234.50"),
        ("1,234", "1234"),
        ("1,234,567", "1234567"),
        ("1.234,50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1'234.5", "1234.5"),
        ("12,5", "12.5"),
        ("0,123", "0.123"),
        ("€12", "12"),
        ("-$1,000", "-1000"),
        ("(12.50)", "-12.50"),
        ("−3", "-3"),
        ("1e5", "100000"),
        (7, "7"),
        (0.1, "0.1"),
    ],
)
def test_a_number_is_read_as_people_write_it(cell: Cell, number: str) -> None:
    assert to_number(cell) == Decimal(number)


@pytest.mark.parametrize("cell", ["", "n/a", "--", "1,23,456", "NaN", "inf", "1.2.3", "EUR 12", "12 €€ x", True, None])
def test_what_is_no_number_is_not_guessed(cell: Cell) -> None:
    with pytest.raises(ValueError, match="not a number"):
        to_number(cell)


class TestLoading:
    def test_a_table_is_told_with_types_blanks_and_repairs(self, tmp_path: Path) -> None:
        (tmp_path / "sales.csv").write_text(SALES)
        result = load_table("sales.csv", ToolContext(workspace=tmp_path))
        assert (result["table"], result["rows"], len(result["first_rows"])) == ("sales", 6, 3)
        assert result["columns"] == [
            {"name": "Date", "type": "date"},
            {"name": "Country", "type": "text"},
            {"name": "amount", "type": "number", "blank": 1},
            {"name": "note", "type": "text", "blank": 2},
        ]
        assert sorted(result.get("notes", [])) == [
            "blank lines left out: 1",
            "rows with too few cells, the missing ones blank: 1",
            "rows with too many cells, the last ones left out: 1",
        ]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("t.csv", "a,b\n1,x\n2,y\n"),
            ("t.csv", "\ufeffa;b\n1;x\n2;y\n"),
            ("t.tsv", "a\tb\n1\tx\n2\ty\n"),
            ("t.json", '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]'),
            ("t.json", '{"data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "page": 1}'),
            ("t.jsonl", '{"a": 1, "b": "x"}\n\n{"a": 2, "b": "y"}\n'),
        ],
    )
    def test_formats_give_the_same_table(self, name: str, text: str, tmp_path: Path) -> None:
        context = load(tmp_path, name, text)
        assert [{k: str(v) for k, v in row.items()} for row in table_rows("t", context)["rows"]] == [
            {"a": "1", "b": "x"},
            {"a": "2", "b": "y"},
        ]

    def test_names_that_are_missing_or_there_twice_are_made_up(self, tmp_path: Path) -> None:
        context = load(tmp_path, "t.csv", "a,,a\n1,2,3\n")
        assert table_rows("t", context)["rows"] == [{"a": "1", "column_2": "2", "a_2": "3"}]

    def test_broken_lines_are_counted(self, tmp_path: Path) -> None:
        (tmp_path / "t.jsonl").write_text('{"a": 1}\n{broken\n[1]\n{"b": [1, 2]}\n')
        result = load_table("t.jsonl", ToolContext(workspace=tmp_path))
        assert result["first_rows"] == [{"a": 1, "b": None}, {"a": None, "b": "[1, 2]"}]
        assert result.get("notes") == ["lines or items left out because they are no objects: 2"]

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("t.csv", "", "is empty"),
            ("t.csv", "\n \n", "is empty"),
            ("t.json", "{", "is not JSON"),
            ("t.json", "[1, 2]", "holds no table"),
            ("t.json", "3", "holds no table"),
            ("t.json", "[" * 100_000, "is not JSON"),
            ("t.jsonl", "nothing\n", "holds no table"),
        ],
    )
    def test_a_file_without_a_table_is_refused(self, name: str, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(text)
        with pytest.raises(Retry, match=message):
            load_table(name, ToolContext(workspace=tmp_path))

    def test_a_path_that_leads_out_and_a_binary_file_are_refused(self, context: ToolContext) -> None:
        (context.workspace / "x.csv").write_bytes(b"\0\1")
        with pytest.raises(Retry, match="outside the workspace"):
            load_table("../sales.csv", context)
        with pytest.raises(ToolFailed, match="binary"):
            load_table("x.csv", context)

    def test_long_cells_are_shown_in_part(self, tmp_path: Path) -> None:
        context = load(tmp_path, "t.csv", f"a\n{'x' * 5000}\n")
        assert table_rows("t", context)["rows"][0]["a"].endswith("… (4880 more characters)")


class TestFiltering:
    @pytest.mark.parametrize(
        ("column", "op", "value", "rows"),
        [
            ("Country", "=", "de", 3),
            ("country", "!=", "DE", 3),
            ("amount", ">", 5, 2),
            ("amount", "<=", "10.0", 3),
            ("amount", "=", "1234.5", 1),
            ("amount", "=", "", 1),
            ("amount", "!=", "", 5),
            ("Date", ">=", "2024-03-01", 2),
            ("Date", "<", "1 Feb 2024", 1),
            ("Date", "contains", "/02/", 3),
            ("note", "contains", "Z", 1),
        ],
    )
    def test_cells_are_compared_as_what_they_are(
        self, column: str, op: Comparison, value: str | float, rows: int, context: ToolContext
    ) -> None:
        result = filter_table("sales", column, op, value, context)
        assert result["rows"] == rows
        assert len(table_rows(result["table"], context)["rows"]) == rows

    def test_rows_that_can_not_be_compared_are_counted_with_the_reason(self, context: ToolContext) -> None:
        skipped = filter_table("sales", "amount", ">", 5, context).get("skipped", [])
        assert sorted(skipped, key=lambda s: s["why"]) == [
            {"why": "amount is blank", "rows": 1},
            {"why": "amount is not a number", "rows": 1, "example": "n/a"},
        ]

    def test_a_value_that_does_not_fit_the_column_is_refused(self, context: ToolContext) -> None:
        with pytest.raises(Retry, match="can't be compared with 'much'"):
            filter_table("sales", "amount", ">", "much", context)


def test_sorting_puts_the_largest_first_and_keeps_the_top(context: ToolContext) -> None:
    result = sort_table("sales", "amount", context, top=2)
    assert [row["amount"] for row in result["first_rows"]] == ["1,234.50", "10"]
    assert result["rows"] == 2
    smallest = sort_table("sales", "amount", context, descending=False)
    assert smallest["first_rows"][0]["amount"] == "(2.5)"
    by_date = sort_table("sales", "date", context)
    assert by_date["first_rows"][0]["Date"] == "5 Mar 2024"
    assert by_date.get("skipped") == [{"why": "Date is not a date", "rows": 1, "example": "31/02/2024"}]


class TestGrouping:
    @pytest.mark.parametrize(
        ("function", "value"), [("sum", 1242), ("mean", 414), ("min", -2.5), ("max", 1234.5), ("count", 3)]
    )
    def test_each_function_gives_one_number_per_group(
        self, function: Aggregate, value: float, context: ToolContext
    ) -> None:
        groups = group_table("sales", function, context, "amount", ("country",))["groups"]
        assert list(groups[0].values()) == ["DE", value]

    def test_a_date_column_groups_by_month(self, context: ToolContext) -> None:
        result = group_table("sales", "sum", context, "amount", month_of="date")
        assert result["groups"] == [
            {"month": "2024-01", "sum_amount": 1234.5},
            {"month": "2024-02", "sum_amount": 10},
            {"month": "2024-03", "sum_amount": -2.5},
        ]
        assert result.get("largest") == {"month": "2024-01", "sum_amount": 1234.5}
        assert sum(s["rows"] for s in result.get("skipped", [])) == 3

    def test_ambiguous_dates_are_skipped_and_said_to_be(self, tmp_path: Path) -> None:
        context = load(tmp_path, "t.csv", "d,n\n05/03/2024,1\n2024-01-01,2\n2024-01-02,3\n2024-01-03,4\n")
        result = group_table("t", "sum", context, "n", month_of="d")
        assert result.get("skipped") == [
            {"why": "d could be day/month or month/day", "rows": 1, "example": "05/03/2024"}
        ]

    def test_no_groups_give_one_number_over_all_rows(self, context: ToolContext) -> None:
        assert group_table("sales", "count", context)["groups"] == [{"count": 6}]

    def test_sums_are_exact(self, tmp_path: Path) -> None:
        context = load(tmp_path, "t.csv", "n\n" + "0.1\n" * 10)
        assert group_table("t", "sum", context, "n")["groups"] == [{"sum_n": 1}]

    def test_many_groups_are_cut_and_the_result_is_a_table(self, tmp_path: Path) -> None:
        context = load(tmp_path, "t.csv", "k\n" + "".join(f"{n}\n" for n in range(70)))
        result = group_table("t", "count", context, by=("k",))
        assert (len(result["groups"]), result.get("left_out")) == (50, 20)
        assert sort_table(result["table"], "count", context)["rows"] == 70

    def test_a_missing_value_is_answered_with_the_columns(self, context: ToolContext) -> None:
        with pytest.raises(Retry, match="value is missing.*'amount'"):
            group_table("sales", "sum", context)


def test_rows_are_shown_in_parts(tmp_path: Path) -> None:
    context = load(tmp_path, "t.csv", "n\n" + "".join(f"{n}\n" for n in range(70)))
    assert table_rows("t", context) == {"rows": [{"n": str(n)} for n in range(10)], "left_out": 60}
    assert table_rows("t", context, count=99, first=69)["rows"] == [{"n": "68"}, {"n": "69"}]
    assert table_rows("t", context, count=99).get("left_out") == 20
    with pytest.raises(Retry, match="has 70 rows"):
        table_rows("t", context, first=71)


@pytest.mark.parametrize("name", ["sales", "sales.csv", "Sales", " sales "])
def test_a_table_is_found_by_its_name_or_its_file(name: str, context: ToolContext) -> None:
    assert table_rows(name, context, count=1)["rows"][0]["Country"] == "DE"


def test_an_unknown_table_or_column_is_answered_with_those_there_are(context: ToolContext) -> None:
    with pytest.raises(Retry, match="no table 'sale'; tables: 'sales'"):
        table_rows("sale", context)
    with pytest.raises(Retry, match="no table is loaded; call load_table first"):
        table_rows("sales", ToolContext(workspace=context.workspace))
    with pytest.raises(Retry, match="no column 'amout'; did you mean 'amount'"):
        sort_table("sales", "amout", context)


def test_the_state_is_json(context: ToolContext) -> None:
    group_table("sales", "mean", context, "amount", ("country",))
    assert json.loads(json.dumps(context.state)) == context.state
