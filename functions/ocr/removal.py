"""Takes text out of a page that is not to be found any more: another tool's invisible layer, text without meaning.

What is seen does not change. Runs in the jail only.
"""

from collections.abc import Sequence
from typing import Any

import pikepdf

SHOW_OPERATORS = frozenset({"Tj", "TJ", "'", '"'})
INVISIBLE_RENDER_MODES = frozenset({3, 7})
MAX_FORM_DEPTH = 6
_ONLY_SPACES = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<%(first)s> <%(last)s>
endcodespacerange
1 beginbfrange
<%(first)s> <%(last)s> [%(spaces)s]
endbfrange
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""

Instruction = tuple[Sequence[Any], Any]


def remove_hidden_text(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Removes the text that is shown invisibly, in the page's content and in the forms it uses.

    If there is none, the text is one that an image over the whole page covers; then all text goes.
    """
    covered = not _strip(pdf, page.obj, page, 0, only_invisible=True)
    if covered:
        _strip(pdf, page.obj, page, 0, only_invisible=False)


def mute_fonts(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Makes the page's fonts say "space" for every character, so that nonsense is neither found nor copied."""
    resources = page.obj.get("/Resources") or page.resources
    fonts = resources.get("/Font") if resources is not None else None
    if fonts is None:
        return
    muted = pikepdf.Dictionary()
    for name, font in fonts.items():
        copy = pikepdf.Dictionary(dict(font.items()))
        copy["/ToUnicode"] = pdf.make_stream(_spaces_map(font.get("/Subtype") == "/Type0"))
        muted[name] = pdf.make_indirect(copy)
    own = pikepdf.Dictionary(dict(resources.items()))
    own["/Font"] = muted
    page.obj["/Resources"] = own


def _spaces_map(two_bytes: bool) -> bytes:
    first, last = ("0000", "FFFF") if two_bytes else ("00", "FF")
    values = {b"first": first.encode(), b"last": last.encode(), b"spaces": b"<0020>"}
    text = _ONLY_SPACES
    for key, value in values.items():
        text = text.replace(b"%(" + key + b")s", value)
    return text


def _strip(pdf: pikepdf.Pdf, owner: pikepdf.Object, content: Any, depth: int, *, only_invisible: bool) -> bool:
    """Strips a page or a form and the forms in it; whether anything was removed."""
    instructions = list(pikepdf.parse_content_stream(content))
    kept, removed = _without_shown_text(instructions, only_invisible)
    if removed:
        data = pikepdf.unparse_content_stream(kept)
        if depth == 0:
            owner["/Contents"] = pdf.make_stream(data)
        else:
            owner.write(data)
    if depth < MAX_FORM_DEPTH:
        for form in _forms(content):
            removed = _strip(pdf, form, form, depth + 1, only_invisible=only_invisible) or removed
    return removed


def _forms(content: Any) -> list[Any]:
    resources = content.resources if isinstance(content, pikepdf.Page) else content.get("/Resources")
    objects = resources.get("/XObject") if resources is not None else None
    if objects is None:
        return []
    return [item for _, item in objects.items() if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Form"]


def _without_shown_text(instructions: Sequence[Any], only_invisible: bool) -> tuple[list[Any], bool]:
    kept: list[Any] = []
    mode, stack, removed = 0, [], False
    for instruction in instructions:
        operator = str(instruction.operator)
        if operator == "q":
            stack.append(mode)
        elif operator == "Q" and stack:
            mode = stack.pop()
        elif operator == "Tr" and instruction.operands:
            mode = int(instruction.operands[0])
        if operator in SHOW_OPERATORS and (mode in INVISIBLE_RENDER_MODES or not only_invisible):
            removed = True
            kept += _instead(operator, instruction.operands)
        else:
            kept.append(instruction)
    return kept, removed


def _instead(operator: str, operands: Sequence[Any]) -> list[Instruction]:
    """The side effects of a text-showing operator without its text (ISO 32000-1 table 109)."""
    next_line: Instruction = ([], pikepdf.Operator("T*"))
    if operator == "'":
        return [next_line]
    if operator == '"' and len(operands) == 3:
        return [([operands[0]], pikepdf.Operator("Tw")), ([operands[1]], pikepdf.Operator("Tc")), next_line]
    return []
