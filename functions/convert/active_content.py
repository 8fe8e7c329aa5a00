"""Removes from a PDF what would act on its own: scripts, launches, submissions, media players, links to local files.

Ordinary links (http, https, mailto, tel, inside the document), form fields with their values, bookmarks and attached
files stay.
"""

from collections.abc import Callable

from pikepdf import Array, Dictionary, Name, Object, Pdf, String

HARMLESS_ACTIONS = frozenset({"/GoTo", "/Named", "/Hide", "/SetOCGState", "/Thread", "/ResetForm", "/Trans"})
NAMED_ACTIONS = frozenset({"/NextPage", "/PrevPage", "/FirstPage", "/LastPage"})
LINK_SCHEMES = ("http:", "https:", "mailto:", "tel:", "ftp:", "urn:", "doi:")
ACTIVE_ANNOTATIONS = {
    "/RichMedia": "media",
    "/Screen": "media",
    "/Movie": "media",
    "/Sound": "media",
    "/3D": "media",
}
MAX_NODES = 200_000


def disarm(pdf: Pdf) -> set[str]:
    """Removes active content in place; returns what was found, in words for a person. Empty: nothing was changed."""
    found: set[str] = set()
    _disarm_catalog(pdf.Root, found)
    for page in pdf.pages:
        _disarm_triggers(page.obj, found)
        _disarm_annotations(page.obj, found)
    form = pdf.Root.get(Name.AcroForm)
    if isinstance(form, Dictionary):
        _disarm_form(form, found)
    outlines = pdf.Root.get(Name.Outlines)
    if isinstance(outlines, Dictionary):
        _walk(outlines, _outline_children, lambda item: _disarm_action(item, Name.A, found))
    return found


def _disarm_catalog(root: Object, found: set[str]) -> None:
    _disarm_triggers(root, found)
    if isinstance(root.get(Name.OpenAction), Dictionary):
        _disarm_action(root, Name.OpenAction, found)
    names = root.get(Name.Names)
    if isinstance(names, Dictionary) and Name.JavaScript in names:
        del names[Name.JavaScript]
        found.add("scripts")


def _disarm_form(form: Dictionary, found: set[str]) -> None:
    if Name.XFA in form:
        # The static twin of an XFA form, its fields and their values, stays.
        del form[Name.XFA]
        found.add("XFA form description")
    fields = form.get(Name.Fields)
    if isinstance(fields, Array):
        for item in fields:
            if isinstance(item, Dictionary):
                _walk(item, _kids, lambda node: _disarm_node(node, found))


def _disarm_node(node: Dictionary, found: set[str]) -> None:
    _disarm_triggers(node, found)
    _disarm_action(node, Name.A, found)


def _disarm_annotations(page: Dictionary, found: set[str]) -> None:
    annotations = page.get(Name.Annots)
    if not isinstance(annotations, Array):
        return
    for index in reversed(range(len(annotations))):
        annotation = annotations[index]
        if not isinstance(annotation, Dictionary):
            continue
        _disarm_node(annotation, found)
        _disarm_action(annotation, Name.PA, found)
        kind = str(annotation.get(Name.Subtype, ""))
        if kind in ACTIVE_ANNOTATIONS:
            found.add(ACTIVE_ANNOTATIONS[kind])
            _leave_the_picture(annotation)


def _leave_the_picture(annotation: Dictionary) -> None:
    """Keeps what a media annotation shows (its appearance), as a stamp that does nothing."""
    annotation[Name.Subtype] = Name.Stamp
    for key in (
        Name.RichMediaContent,
        Name.RichMediaSettings,
        Name.MK,
        Name.Movie,
        Name.Sound,
        Name("/3DD"),
        Name("/3DV"),
    ):
        if key in annotation:
            del annotation[key]


def _disarm_triggers(node: Object, found: set[str]) -> None:
    """Additional actions (/AA) run on opening, printing, hovering: none of them is needed to read."""
    if Name.AA in node:
        del node[Name.AA]
        found.add("automatic actions")


def _disarm_action(owner: Object, key: Name, found: set[str]) -> None:
    action = owner.get(key)
    if isinstance(action, Array):
        return
    danger = _danger(action)
    if danger is not None:
        del owner[key]
        found.add(danger)


def _danger(action: Object | None) -> str | None:
    """What is active about an action or about those that follow it, or None."""
    for _ in range(100):
        if not isinstance(action, Dictionary):
            return None
        kind = str(action.get(Name.S, ""))
        if kind == "/URI":
            if not _is_plain_link(action.get(Name.URI)):
                return "links to local files"
        elif kind == "/Named":
            if str(action.get(Name.N, "")) not in NAMED_ACTIONS:
                return "automatic actions"
        elif kind not in HARMLESS_ACTIONS:
            return {"/JavaScript": "scripts", "/Launch": "program starts", "/SubmitForm": "form submission"}.get(
                kind, "actions"
            )
        action = action.get(Name.Next)
        if isinstance(action, Array):
            return next((danger for item in action if (danger := _danger(item)) is not None), None)
    return "actions"


def _is_plain_link(address: Object | None) -> bool:
    if not isinstance(address, String):
        return False
    text = "".join(str(address).split()).lower()
    return text.startswith(LINK_SCHEMES) or ":" not in text.split("/")[0]


def _kids(node: Dictionary) -> list[Object]:
    kids = node.get(Name.Kids)
    return list(kids) if isinstance(kids, Array) else []


def _outline_children(node: Dictionary) -> list[Object]:
    return [child for key in (Name.First, Name.Next) if (child := node.get(key)) is not None]


def _walk(
    start: Dictionary, children: Callable[[Dictionary], list[Object]], visit: Callable[[Dictionary], None]
) -> None:
    """Visits a tree that may be a graph (damaged or hostile files): every object once."""
    waiting: list[Object] = [start]
    seen: set[tuple[int, int]] = set()
    for _ in range(MAX_NODES):
        if not waiting:
            return
        node = waiting.pop()
        if not isinstance(node, Dictionary) or (node.objgen != (0, 0) and node.objgen in seen):
            continue
        seen.add(node.objgen)
        visit(node)
        waiting += children(node)
