"""`ros2 run wm_training convert`: recordings and datasets into episodes; see docs/conversion.md."""

import sys

from rich.console import Console
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.errors import ConversionError
from wm_evaluation.command_line import DONE, ERROR, PARTLY, parse, run
from wm_evaluation.terminal import counting_progress
from wm_evaluation.wording import counted


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Exit code: 0 for all drives, 3 if some failed, 1 without any result or after an early stop, 2 for
    invalid arguments, 130 stopped by a signal."""
    options = parse(ConvertOptions, "convert", arguments)
    return run("convert", lambda: _convert(options), (ConversionError, OSError))


def _convert(options: ConvertOptions) -> int:
    import cv2
    from wm_data.conversion.running.report_text import summary_table
    from wm_data.conversion.running.runner import Conversion

    cv2.setNumThreads(1)  # pictures are too small for a second thread
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    conversion = Conversion(options)
    todo = conversion.begin()
    done_before = len(conversion.refs) - len(todo)
    if done_before:
        console.print(f"convert: {done_before} of {counted(len(conversion.refs), 'drive')} done already")
    with counting_progress("converting", console) as progress:
        task = progress.add_task("converting", total=len(conversion.refs), completed=done_before, note="")

        def on_record(record: dict) -> None:
            progress.update(task, advance=1, note=record["name"])
            if record["error"] is not None:
                console.print(f"convert: {record['name']}: {record['error']}")
            elif not console.is_terminal:
                rows = sum(file["rows"] for file in record["files"])
                console.print(f"convert: {record['name']}: {counted(rows, 'row')}")

        def on_progress(name: str, done: int, of: int | None) -> None:
            progress.update(task, note=f"{name}: {done}{f' of {of}' if of else ''} pictures")

        conversion.run(todo, on_record, on_progress)
    report = conversion.finish()
    Console().print(summary_table(report))
    console.print(f"convert: wrote {conversion.dest}, report in {conversion.report_file}")
    mine = {ref.name for ref in conversion.refs}
    failed = sum(drive["error"] is not None and drive["name"] in mine for drive in report["drives"])
    if failed:
        console.print(f"convert: {failed} of {counted(len(conversion.refs), 'drive')} failed")
    if not failed:
        return DONE
    return PARTLY if failed < len(conversion.refs) else ERROR


if __name__ == "__main__":
    sys.exit(main())
