"""The tables of who may do what, as the documentation has them, written out of the code.

    python -m webui.permissions

puts them into `webui/README.md`; a test fails where they are not what the code says.
"""

from pathlib import Path

from webui.rights import GRANTABLE, TABLE, Right, Role
from webui.routes import ROUTES

README = Path(__file__).parent / "README.md"
YES, GRANTED, NO = "yes", "extra", "–"
_EVERYBODY = {Right.ANYBODY: "anybody", Right.SET_UP: "the set-up code"}


def written(text: str) -> str:
    """The README with both tables as the code has them now. Raises ValueError where a mark is missing."""
    return _between(_between(text, "roles", roles_table()), "routes", routes_table())


def roles_table() -> str:
    """Rights by roles: `yes`, `extra` where an account may be given it, `–` where not."""
    roles = list(Role)
    lines = [_row(["right", *roles]), _row(["---"] * (len(roles) + 1))]
    lines += [
        _row([right, *(_cell(role, right) for role in roles)]) for right in Right if right not in _EVERYBODY
    ]
    return "\n".join(lines)


def routes_table() -> str:
    """Routes by the right that each needs."""
    lines = [_row(["method", "path", "needs"]), _row(["---"] * 3)]
    for route in sorted(ROUTES, key=lambda route: (route.path, route.method)):
        path = f"`{route.path}`"
        lines.append(_row([route.method, path, _EVERYBODY.get(route.right, route.right.value)]))
    return "\n".join(lines)


def _cell(role: Role, right: Right) -> str:
    if right in TABLE[role]:
        return YES
    return GRANTED if right in GRANTABLE else NO


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _between(text: str, mark: str, table: str) -> str:
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{README} has no {begin} ... {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
