import pytest
from rich.console import Console
from rich.table import Table
from wm_evaluation.terminal import print_whole


@pytest.mark.parametrize("name", ["a_controller_with_a_long_name", "a.figure.whose_name_is_longer_than_half_a_line"])
@pytest.mark.parametrize("width", [20, 60, 80])
def test_no_figure_of_a_table_is_cut_and_long_names_are_folded(width, name):
    table = Table()
    table.add_column("", overflow="fold")
    for head in ("score", "95 %"):
        table.add_column(head, no_wrap=True)
    table.add_row(name, "918.6", "912.1 to 926.3")
    console = Console(width=width)
    with console.capture() as captured:
        print_whole(console, table)
    printed = captured.get()
    assert "918.6" in printed and "912.1 to 926.3" in printed and "…" not in printed
    assert console.width == width
    if width >= 60:
        assert max(map(len, printed.splitlines())) <= width
