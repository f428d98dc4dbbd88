"""The lists of CelebA: the official txt files, or the csv files that Kaggle distributes."""

from pathlib import Path

N_ATTRIBUTES = 40
ENCODINGS = ({"1", "-1"}, {"1", "0"})  # of attributes; a list uses one of them


def read_attributes(path: Path) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """Read ``list_attr_celeba.txt`` or ``.csv``.

    Returns:
        The names of the 40 attributes, and their values, 0 or 1, for every picture.

    Raises:
        ValueError: If a line is not as expected.
    """
    rows = _rows(path)
    if rows and len(rows[0][1]) == 1:  # the number of pictures
        rows = rows[1:]
    number, names = rows[0] if rows else (1, [])
    names = names[1:] if path.suffix == ".csv" else names
    if len(names) != N_ATTRIBUTES or {"0", "1", "-1"} & set(names):
        raise ValueError(
            f"{path}, line {number}: expected the names of {N_ATTRIBUTES} attributes, got "
            f"{len(names)}; use the official file"
        )
    attributes = {}
    seen: set[str] = set()
    for number, (name, *values) in rows[1:]:
        seen.update(values)
        if len(values) != N_ATTRIBUTES or not any(seen <= encoding for encoding in ENCODINGS):
            raise ValueError(
                f"{path}, line {number}: expected a name and {N_ATTRIBUTES} values, in the whole "
                f"file each 1 or 0, or each 1 or -1, got {len(values)} values, which are "
                f"{', '.join(sorted(set(values)))}"
            )
        attributes[name] = tuple(int(value == "1") for value in values)
    return names, attributes


def read_partition(path: Path) -> dict[str, str]:
    """Read ``list_eval_partition.txt`` or ``.csv``.

    Returns:
        The number of the split of every picture: 0, 1 or 2.

    Raises:
        ValueError: If a line is not as expected, or a picture is listed twice.
    """
    rows = _rows(path)
    if path.suffix == ".csv" and rows and not rows[0][1][-1].isdecimal():
        rows = rows[1:]  # without the names of the columns
    partition: dict[str, str] = {}
    for number, cells in rows:
        if len(cells) != 2 or cells[1] not in ("0", "1", "2"):
            raise ValueError(
                f"{path}, line {number}: expected the name of a picture and 0, 1 or 2, got "
                f"{' '.join(cells)!r}"
            )
        name, part = cells
        if name in partition:
            raise ValueError(f"{path}, line {number}: {name} is listed a second time")
        partition[name] = part
    return partition


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the cells of every line that is not blank."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    separator = "," if path.suffix == ".csv" else None
    return [
        (number, [cell.strip(' "') for cell in line.strip().split(separator)])
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
