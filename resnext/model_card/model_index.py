"""The entries of our measurements in the `model-index` of a front matter, and nothing else of it.

They are put in and taken out as text, at the places that YAML's parser names: what a person wrote
keeps every byte, comments and quotes included.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from resnext.errors import CardError
from resnext.model_card.readme import LINE_BREAK, Readme
from resnext.model_card.yaml_lines import yaml_lines

if TYPE_CHECKING:
    from yaml import Node

INDEX: Final = "model-index"
RESULTS: Final = "results"

Result = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where entries of a sequence stand in a text, and where more of them go.

    Attributes:
        entries: (start, end) of each in characters, whole lines.
        end: where others are inserted, at the start of a line.
        column: of their dashes.
        before: lines that have to stand before the first one.
        empty: (start, end) of what stands for an empty sequence, and has to go.
    """

    entries: tuple[tuple[int, int], ...]
    end: int
    column: int
    before: tuple[str, ...] = ()
    empty: tuple[int, int] | None = None


def results_of(readme: Readme, name: str) -> tuple[Any, ...]:
    """Return the results in the `model-index` of a model, or of the first one.

    Raises:
        CardError: no YAML, or a `model-index` of another form.
    """
    models = readme.values().get(INDEX)
    model = None if models is None else _model(readme, models, name)[1]
    return () if model is None else tuple(model[RESULTS] or ())


def with_results(
    readme: Readme, name: str, results: Sequence[Result], *, is_ours: Callable[[object], bool]
) -> Readme:
    """Return the README with other results of ours, behind those of others.

    Args:
        readme: with any front matter that is YAML in block style.
        name: of the model, in whose entry of the `model-index` they go; else in the first one, or
            in one that is made.
        results: ours; they replace all that are there.
        is_ours: tells whether a result that is there is one of ours.

    Raises:
        CardError: no YAML, or a `model-index` of another form.
    """
    import yaml

    before = results_of(readme, name)
    line_break = readme.line_break
    # The last line of the matter ends in the README's next part.
    text = readme.matter + line_break if readme.matter else ""
    site = _site(replace(readme, matter=text), name)
    if len(site.entries) != len(before):
        raise _other_form(readme, "results in block style, a line for each entry")
    kept = [each for each in before if not is_ours(each)]
    cuts = [span for span, each in zip(site.entries, before, strict=True) if is_ours(each)]
    lines = [" " * site.column + line for line in yaml_lines(results)] if results else []
    added = "".join(line + line_break for line in (*(site.before if lines else ()), *lines))
    if site.empty and lines:
        cuts.append(site.empty)
    changed = _spliced(text, cuts, site.end, added)
    # The parser, not the arithmetic of places, has the last word.
    found = replace(readme, matter=changed.removesuffix(line_break))
    expected = [*kept, *(yaml.safe_load("\n".join(lines)) if lines else ())]
    if [*results_of(found, name)] != expected or _others(found, name) != _others(readme, name):
        raise _other_form(readme, "block style, a line for each entry")
    return found


def _spliced(text: str, cuts: Sequence[tuple[int, int]], place: int, added: str) -> str:
    """Return a text without some spans, and with another text at a place outside of them."""
    for start, end in sorted((*cuts, (place, place)), reverse=True):
        text = text[:start] + (added if start == end == place else "") + text[end:]
    return text


def _others(readme: Readme, name: str) -> dict[str, Any]:
    """Return all values of a front matter but the results of a model."""
    values = readme.values()
    models = values.get(INDEX) or [{"name": name, RESULTS: None}]
    chosen, _ = _model(readme, models, name)
    others = [
        {**each, RESULTS: None} if place == chosen else each for place, each in enumerate(models)
    ]
    return {**values, INDEX: others}


def _model(readme: Readme, models: object, name: str) -> tuple[int, dict[str, Any] | None]:
    """Return the place and the values of the model whose results are meant; None if there is none.

    Raises:
        CardError: another form than the Hub's.
    """
    if not isinstance(models, list):
        raise _other_form(readme, "a sequence of models")
    for each in models:
        if not isinstance(each, dict) or "name" not in each or RESULTS not in each:
            raise _other_form(readme, "a name and results of each model")
        if not isinstance(each[RESULTS], list | None):
            raise _other_form(readme, "a sequence of results")
    named = [place for place, each in enumerate(models) if each["name"] == name]
    place = named[0] if named else 0
    return place, models[place] if models else None


def _site(readme: Readme, name: str) -> Site:
    """Find the results of a model in a front matter whose lines all end with a line break."""
    text, node = readme.matter, readme.node()
    head = (f"{INDEX}:", *yaml_lines([{"name": name}]), f"  {RESULTS}:")
    if node is None:
        return Site(entries=(), end=len(text), column=2, before=head)
    if node.flow_style:
        raise _other_form(readme, "front matter in block style")
    pairs = [(key, value) for key, value in node.value if key.value == INDEX]
    if len(pairs) > 1:
        raise _other_form(readme, f"one {INDEX}")
    if not pairs:
        return Site(entries=(), end=len(text), column=2, before=head)
    models = _sequence(readme, *pairs[0])
    if isinstance(models, Site):
        return replace(models, column=2, before=head[1:])
    place, _ = _model(readme, readme.values()[INDEX], name)
    (results,) = [pair for pair in models.value[place].value if pair[0].value == RESULTS]
    found = _sequence(readme, *results)
    if isinstance(found, Site):
        return found
    column = found.start_mark.column
    spans = tuple(_lines(readme, each, column) for each in found.value)
    return Site(entries=spans, end=spans[-1][1], column=column)


def _sequence(readme: Readme, key: "Node", value: "Node") -> "Node | Site":
    """Return a sequence in block style, or where its first entry goes if it has none."""
    start, end = value.start_mark.index, value.end_mark.index
    if value.id == "scalar" or not value.value:
        column = key.start_mark.column
        start -= len(readme.matter[:start]) - len(readme.matter[:start].rstrip(" "))
        place = _line_end(readme.matter, max(end, key.end_mark.index))
        return Site(entries=(), end=place, column=column, empty=(start, end))
    if value.flow_style:
        raise _other_form(readme, "block style, a line for each entry")
    return value


def _lines(readme: Readme, entry: "Node", column: int) -> tuple[int, int]:
    """Return the lines of an entry of a sequence: from that of its dash to that of its last value.

    What stands behind them, comments and empty lines, is not the entry's.
    """
    text, start = readme.matter, entry.start_mark.index
    while True:
        begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
        if text[begin : begin + column + 1] == " " * column + "-":
            break
        if not begin:
            raise _other_form(readme, "a line for each entry")
        start = begin - 1
    return begin, _line_end(text, max(_ends(entry)))


def _ends(node: "Node") -> Iterator[int]:
    """Yield where the values of a node end, but for a collection in block style as such.

    That one ends, to YAML's parser, where the next value begins.
    """
    if node.id != "scalar" and not node.flow_style:
        for each in node.value:
            for part in each if isinstance(each, tuple) else (each,):
                yield from _ends(part)
    elif getattr(node, "style", None) in ("|", ">"):
        yield max(node.end_mark.index - 1, node.start_mark.index)
    else:
        yield node.end_mark.index


def _line_end(text: str, place: int) -> int:
    """Return where the line behind a place ends, its line break included."""
    found = LINE_BREAK.search(text, place)
    return found.end() if found else len(text)


def _other_form(readme: Readme, expected: str) -> CardError:
    line = re.search(rf"^{INDEX}:", readme.matter, re.MULTILINE)
    place = ""
    if line:
        place = f"line {readme.line(len(LINE_BREAK.findall(readme.matter[: line.start()])))}: "
    return CardError(
        f"{readme.where}: {place}{expected} expected in the {INDEX} of the front matter, found "
        "another form; huggingface_hub.RepoCard.load(...).save(...) writes the usual one"
    )
