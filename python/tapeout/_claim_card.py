"""A claim's card: one TOML file, read and checked.

A card holds a statement, the sweep that tests it, the predicate, what its words may mean (definitions), the evidence.
Every number in it has a source, a basis and a date, and every name is one the card gives or a variable of the models.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from tapeout import distributions
from tapeout._draws import Correlation, Draws, declared_bounds
from tapeout._expression import Expression, InvalidExpression
from tapeout.declarations import KEYS, declared
from tapeout.distributions import Distribution, InvalidDistribution

BASES = ("measured", "list price", "vendor claim", "leak", "estimate", "judgement")
ATTRIBUTIONS = ("verified", "secondary", "not verified", "contradicted")

_QUANTILES = (0.05, 0.5, 0.95)

Value = float | bool | str | date


class InvalidCard(ValueError):
    """A claim's file is not a card; the message names the file, the place and what would be right."""


@dataclass(frozen=True)
class Assumed:
    """A value every row of the card shares."""

    value: Value
    source: str
    basis: str
    date: date


@dataclass(frozen=True)
class Drawn:
    """An uncertain input: what it follows and where that comes from."""

    distribution: Distribution
    source: str
    basis: str
    date: date


@dataclass(frozen=True)
class Change:
    """What a scenario alters, in this order: draws taken in, names taken out, values assumed, columns derived."""

    draws: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    assume: tuple[tuple[str, Value], ...] = ()
    derive: tuple[tuple[str, Expression], ...] = ()


Scenario = tuple[Change, ...]


@dataclass(frozen=True)
class Definition:
    """One reading of the claim: a predicate under a scenario, over the rows that `given` admits."""

    name: str
    says: str
    predicate: Expression
    given: Expression | None
    change: Change
    uncertain: Mapping[str, Drawn]
    expected: float | None
    tolerance: float | None


@dataclass(frozen=True)
class Companion:
    """A quantity printed beside P, over the rows that its definition's `given` admits."""

    name: str
    value: Expression
    definition: str
    quantiles: tuple[float, ...]
    expected: tuple[float, ...] | None
    expected_mean: float | None
    tolerance: float | None


@dataclass(frozen=True)
class Threshold:
    """An input whose value may turn the answer with the others at their median."""

    vary: str
    report: Expression
    definition: str
    between: tuple[float, float] | None
    expected: float | None
    tolerance: float | None


@dataclass(frozen=True)
class Table:
    """P of one definition by bins of a quantity, cut at the edges: from each edge on, below the next."""

    says: str
    by: Expression
    edges: tuple[float, ...]
    definition: str
    expected: tuple[float, ...] | None
    tolerance: float | None


@dataclass(frozen=True)
class VarianceQuestion:
    """The claim read as a share of variance: `group` has the largest total Sobol index of `of`."""

    says: str
    of: Expression
    group: str
    groups: Mapping[str, tuple[str, ...]]
    expected: Mapping[str, float]
    tolerance: float | None


@dataclass(frozen=True)
class Crossed:
    """Every combination of some switches on the headline's sweep, and what is asked of each.

    `expected` has for a column the least and the largest P and in how many combinations P is above one half.
    """

    says: str
    over: Mapping[str, tuple[Value, ...]]
    columns: Mapping[str, Expression]
    expected: Mapping[str, tuple[float, float, float]]
    tolerance: float | None


@dataclass(frozen=True)
class Evidence:
    """A finding for or against the claim."""

    says: str
    source: str


@dataclass(frozen=True)
class Card:
    """One claim, read and checked.

    `reuse` names outputs that are costly and that most scenarios leave alone: they are computed once for all of those.
    """

    id: str
    statement: str
    said_by: str
    attribution: str
    caution: str | None
    models: tuple[str, ...]
    headline: str
    predicate: Expression
    drivers_of: Expression
    base: Scenario
    assumed: Mapping[str, Assumed]
    drawn: Mapping[str, Drawn]
    optional_draws: frozenset[str]
    correlations: tuple[Correlation, ...]
    reuse: tuple[str, ...]
    variants: Mapping[str, Change]
    definitions: Mapping[str, Definition]
    companions: tuple[Companion, ...]
    thresholds: tuple[Threshold, ...]
    tables: tuple[Table, ...]
    variance: VarianceQuestion | None
    crossed: Crossed | None
    evidence_for: tuple[Evidence, ...]
    evidence_against: tuple[Evidence, ...]

    def draws(self, *, samples: int, seed: int = 0) -> Draws:
        """The sample of everything drawn, each variable within its own bounds."""
        columns = {name: entry.distribution for name, entry in self.drawn.items()}
        return Draws(columns, self.correlations, samples=samples, seed=seed, bounds=declared_bounds(columns))

    def scenario(self, definition: str, variant: str | None = None) -> Scenario:
        """The changes that make the rows of a definition, or of a variant of it."""
        changes = (
            *self.base,
            self.definitions[definition].change,
            Change() if variant is None else self.variants[variant],
        )
        return tuple(change for change in changes if change != Change())

    def sweep(self, definition: str | None) -> dict[str, Any]:
        """A definition's assumptions, draws, correlations and derived columns, as arguments of a sweep."""
        definition = self.headline if definition is None else definition
        if definition not in self.definitions:
            raise InvalidCard(
                f"{self.id}: no definition {definition!r}{nearest(definition, self.definitions)}; "
                f"there are {', '.join(self.definitions)}"
            )
        scenario = self.scenario(definition)
        left_out = self.optional_draws - {name for change in scenario for name in change.draws}
        drawn = {name: one.distribution for name, one in self.drawn.items() if name not in left_out}
        assumed: dict[str, Value] = {}
        derived: dict[str, Expression] = {}
        for change in scenario:
            places: tuple[dict[str, Any], ...] = (drawn, assumed, derived)
            for name in (*dict(change.assume), *change.without):
                for place in places:
                    place.pop(name, None)
            assumed |= dict(change.assume)
            for name, expression in change.derive:
                if name in {read.quantity for read in expression.names()}:
                    raise InvalidCard(
                        f"{self.id}: {definition} makes {name} from itself, which a sweep can't: choose another one"
                    )
                drawn.pop(name, None)
                assumed.pop(name, None)
                derived[name] = expression
        read = {name.quantity for expression in derived.values() for name in expression.names()}
        variables = declared()

        def used(name: str) -> bool:
            return name in variables or name in KEYS or name in read

        return {
            "assume": {name: value for name, value in assumed.items() if used(name)},
            "uncertain": {name: one for name, one in drawn.items() if used(name)},
            "correlate": {
                (one.first, one.second): one.rho
                for one in self.correlations
                if all(name in drawn and used(name) for name in (one.first, one.second))
            },
            "derive": {name: expression.text for name, expression in derived.items() if used(name)},
        }


def folder_of_cards() -> Path:
    """Where the shipped cards are."""
    return Path(__file__).parent / "claims"


def load(folder: Path | None = None) -> dict[str, Card]:
    """Every card of a folder (the shipped ones by default), checked against the models' variables.

    Raises InvalidCard where a file is not a card: an unknown name, a number without source, a broken expression.
    """
    import tapeout

    folder = folder_of_cards() if folder is None else folder
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise InvalidCard(f"no card (*.toml) in {folder}")
    tables: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            tables[path.stem] = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InvalidCard(f"{path.name}: not TOML: {error}") from None
    variables = frozenset(tapeout.variables()["name"])
    models = frozenset(tapeout.models()["name"])
    cards: dict[str, Card] = {}

    def read(name: str, asked_by: str) -> Card:
        if name not in tables:
            raise InvalidCard(f"{asked_by}: sweep = {name!r} names no card; known are {', '.join(sorted(tables))}")
        if name not in cards:
            cards[name] = _Reader(name, tables[name], variables, models).card(
                lambda root: (
                    read(root, f"{name}.toml") if "sweep" not in tables.get(root, {}) else _refuse_chain(name, root)
                )
            )
        return cards[name]

    return {name: read(name, folder.name) for name in tables}


def _refuse_chain(name: str, root: str) -> Card:
    raise InvalidCard(f"{name}.toml: sweep = {root!r} takes its own sweep from another card; name that one")


class _Reader:
    """Reads one file's table into a card; every complaint says the file and the place in it."""

    def __init__(self, stem: str, table: Mapping[str, Any], variables: frozenset[str], models: frozenset[str]) -> None:
        self.file = f"{stem}.toml"
        self.stem = stem
        self.table = table
        self.variables = variables
        self.models = models

    def refuse(self, place: str, what: str) -> InvalidCard:
        return InvalidCard(f"{self.file}: {place}: {what}")

    def card(self, read_root: Callable[[str], Card]) -> Card:
        table = self.table
        self.known_keys("card", table, _CARD_KEYS)
        if table.get("id") != self.stem:
            raise self.refuse("id", f"{table.get('id')!r} must be the file's name, {self.stem!r}")
        if (attribution := self.text("card", table, "attribution")) not in ATTRIBUTIONS:
            raise self.refuse("attribution", f"{attribution!r} is not one of {', '.join(ATTRIBUTIONS)}")
        models = tuple(table.get("models", ()))
        if unknown := sorted(set(models) - self.models):
            raise self.refuse("models", f"{unknown[0]!r} is not a model")
        root: Card | None = read_root(table["sweep"]) if "sweep" in table else None
        sweep_definition = table.get("sweep_definition", root.headline if root else None)
        if root and sweep_definition not in root.definitions:
            raise self.refuse("sweep_definition", f"{sweep_definition!r} is not a definition of {root.id}")

        assumed = {name: self.assumed(f"assume.{name}", entry) for name, entry in table.get("assume", {}).items()}
        own = {name: self.drawn(f"uncertain.{name}", entry) for name, entry in table.get("uncertain", {}).items()}
        predicate = self.expression("predicate", self.text("card", table, "predicate"), condition=True)
        variants = {
            name: self.change(f"variants.{name}", entry, _CHANGE_KEYS | {"says"})
            for name, entry in table.get("variants", {}).items()
        }
        definitions = self.definitions(predicate)
        headline = self.text("card", table, "headline")
        if headline not in definitions or definitions[headline].change != Change():
            raise self.refuse("headline", f"{headline!r} must be a definition that changes nothing but the wording")
        if definitions[headline].predicate != predicate:
            raise self.refuse(f"definitions.{headline}", "the headline's predicate is the card's own")

        drawn = dict(root.drawn) if root else {}
        optional = set(root.optional_draws) if root else set()
        for name, entry in own.items():
            self.add_draw(f"uncertain.{name}", drawn, name, entry)
        for definition in definitions.values():
            for name, entry in definition.uncertain.items():
                self.add_draw(f"definitions.{definition.name}.uncertain.{name}", drawn, name, entry)
                if name not in own:
                    optional.add(name)

        base = (
            (*root.scenario(sweep_definition), self.change("card", table, None))
            if root
            else (self.change("card", table, None),)
        )
        survey = {headline: definitions[headline], **definitions}
        card = Card(
            id=self.stem,
            statement=self.text("card", table, "statement"),
            said_by=self.text("card", table, "said_by"),
            attribution=attribution,
            caution=table.get("caution"),
            models=models,
            headline=headline,
            predicate=predicate,
            drivers_of=self.expression("drivers_of", self.text("card", table, "drivers_of")),
            base=tuple(change for change in base if change != Change()),
            assumed={**(root.assumed if root else {}), **assumed},
            drawn=drawn,
            optional_draws=frozenset(optional),
            correlations=(*(root.correlations if root else ()), *self.correlations()),
            reuse=root.reuse if root else tuple(table.get("reuse", ())),
            variants=variants,
            definitions=survey,
            companions=tuple(
                self.companion(f"companions.{name}", name, entry, headline)
                for name, entry in table.get("companions", {}).items()
            ),
            thresholds=tuple(
                self.threshold(f"thresholds[{index}]", entry, headline)
                for index, entry in enumerate(table.get("thresholds", ()))
            ),
            tables=tuple(
                self.one_table(f"tables[{index}]", entry, headline)
                for index, entry in enumerate(table.get("tables", ()))
            ),
            variance=self.variance(table["variance"]) if "variance" in table else None,
            crossed=self.crossed(table["crossed"]) if "crossed" in table else None,
            evidence_for=self.evidence("for"),
            evidence_against=self.evidence("against"),
        )
        self.check_names(card, root)
        try:
            card.draws(samples=1)
        except InvalidDistribution as error:
            raise self.refuse("uncertain", str(error)) from None
        return card

    # -- pieces

    def known_keys(self, place: str, entry: Mapping[str, Any], known: Iterable[str]) -> None:
        if not isinstance(entry, Mapping):
            raise self.refuse(place, f"a table is wanted, not {entry!r}")
        if unknown := sorted(set(entry) - set(known)):
            raise self.refuse(place, f"{unknown[0]!r} is not one of {', '.join(sorted(known))}")

    def text(self, place: str, entry: Mapping[str, Any], key: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(f"{place}.{key}" if place != "card" else key, "a text is wanted and there is none")
        return value

    def number(self, place: str, entry: Mapping[str, Any], key: str) -> float | None:
        value = entry.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(f"{place}.{key}", f"a number is wanted, not {value!r}")
        return float(value)

    def expression(self, place: str, text: Any, *, condition: bool = False) -> Expression:
        if not isinstance(text, str):
            raise self.refuse(place, f"an expression in quotes is wanted, not {text!r}")
        try:
            expression = Expression(text)
        except InvalidExpression as error:
            raise self.refuse(place, str(error)) from None
        if expression.is_condition() != condition:
            raise self.refuse(place, f"{text!r} must be a {'condition' if condition else 'number'}")
        return expression

    def provenance(self, place: str, entry: Mapping[str, Any]) -> tuple[str, str, date]:
        source = self.text(place, entry, "source")
        if (basis := entry.get("basis")) not in BASES:
            raise self.refuse(f"{place}.basis", f"{basis!r} is not one of {', '.join(BASES)}")
        if type(dated := entry.get("date")) is not date:
            raise self.refuse(f"{place}.date", f"a date is wanted, not {dated!r}")
        return source, str(basis), dated

    def value(self, place: str, value: Any) -> Value:
        if isinstance(value, bool | str) or type(value) is date:
            return value
        if isinstance(value, int | float) and not math.isnan(value):
            return float(value)
        raise self.refuse(place, f"a number, true or false, a text or a date is wanted, not {value!r}")

    def assumed(self, place: str, entry: Any) -> Assumed:
        self.known_keys(place, entry, ("value", *_PROVENANCE_KEYS))
        return Assumed(self.value(place, entry.get("value")), *self.provenance(place, entry))

    def drawn(self, place: str, entry: Any) -> Drawn:
        self.known_keys(place, entry, (*_DISTRIBUTION_KEYS, *_PROVENANCE_KEYS))
        try:
            distribution = distributions.read(entry)
        except InvalidDistribution as error:
            raise self.refuse(place, str(error)) from None
        return Drawn(distribution, *self.provenance(place, entry))

    def add_draw(self, place: str, drawn: dict[str, Drawn], name: str, entry: Drawn) -> None:
        if drawn.setdefault(name, entry).distribution != entry.distribution:
            raise self.refuse(place, "already drawn from another distribution; give it another name")

    def change(self, place: str, entry: Mapping[str, Any], keys: Iterable[str] | None) -> Change:
        if keys is not None:
            self.known_keys(place, entry, keys)
        assume = entry.get("assume", {})
        if keys is None:
            values = {name: self.value(f"assume.{name}", given["value"]) for name, given in assume.items()}
        else:
            values = {name: self.value(f"{place}.assume.{name}", given) for name, given in assume.items()}
            if values:
                self.text(place, entry, "says")
        derive = {
            name: self.expression(f"{place}.derive.{name}", text) for name, text in entry.get("derive", {}).items()
        }
        for name, expression in derive.items():
            if variant := next((read for read in expression.names() if read.variant), None):
                raise self.refuse(f"{place}.derive.{name}", f"{variant} can't be read before the models run")
        return Change(
            draws=tuple(sorted(entry.get("uncertain", {}))) if keys is not None else (),
            without=tuple(entry.get("without", ())),
            assume=tuple(values.items()),
            derive=tuple(derive.items()),
        )

    def definitions(self, predicate: Expression) -> dict[str, Definition]:
        entries = self.table.get("definitions", {})
        definitions: dict[str, Definition] = {}
        for name, entry in entries.items():
            place = f"definitions.{name}"
            self.known_keys(place, entry, _CHANGE_KEYS | _DEFINITION_KEYS)
            uncertain = {
                column: self.drawn(f"{place}.uncertain.{column}", given)
                for column, given in entry.get("uncertain", {}).items()
            }
            change = self.change(place, entry, _CHANGE_KEYS | _DEFINITION_KEYS)
            if "extends" in entry:
                parent = definitions.get(entry["extends"])
                if parent is None or change != Change():
                    raise self.refuse(
                        place,
                        f"extends = {entry['extends']!r} must name an earlier definition, and nothing may be added",
                    )
                change, uncertain = parent.change, dict(parent.uncertain)
            definitions[name] = Definition(
                name=name,
                says=self.text(place, entry, "says"),
                predicate=self.expression(f"{place}.predicate", entry["predicate"], condition=True)
                if "predicate" in entry
                else predicate,
                given=self.expression(f"{place}.given", entry["given"], condition=True) if "given" in entry else None,
                change=change,
                uncertain=uncertain,
                expected=self.number(place, entry, "expected"),
                tolerance=self.tolerance(place, entry),
            )
        return definitions

    def tolerance(self, place: str, entry: Mapping[str, Any]) -> float | None:
        tolerance = self.number(place, entry, "tolerance")
        if ("expected" in entry or "expected_mean" in entry) != (tolerance is not None):
            raise self.refuse(place, "expected and tolerance come together")
        return tolerance

    def correlations(self) -> tuple[Correlation, ...]:
        found = []
        for index, entry in enumerate(self.table.get("correlate", ())):
            place = f"correlate[{index}]"
            self.known_keys(place, entry, ("between", "rho", *_PROVENANCE_KEYS))
            self.provenance(place, entry)
            between, rho = entry.get("between"), self.number(place, entry, "rho")
            if not isinstance(between, list) or len(between) != 2 or rho is None:
                raise self.refuse(place, "between = [two names] and rho are wanted")
            found.append(Correlation(between[0], between[1], rho))
        return tuple(found)

    def companion(self, place: str, name: str, entry: Any, headline: str) -> Companion:
        self.known_keys(place, entry, _COMPANION_KEYS)
        quantiles = tuple(entry.get("quantiles", _QUANTILES))
        expected = entry.get("expected")
        if expected is not None and len(expected) != len(quantiles):
            raise self.refuse(place, f"expected needs one value for each of the quantiles {quantiles}")
        return Companion(
            name=name,
            value=self.expression(f"{place}.value", entry.get("value", name)),
            definition=entry.get("definition", headline),
            quantiles=quantiles,
            expected=None if expected is None else tuple(float(value) for value in expected),
            expected_mean=self.number(place, entry, "expected_mean"),
            tolerance=self.tolerance(place, entry),
        )

    def threshold(self, place: str, entry: Any, headline: str) -> Threshold:
        entry = {"vary": entry} if isinstance(entry, str) else entry
        self.known_keys(place, entry, _THRESHOLD_KEYS)
        vary = self.text(place, entry, "vary")
        between = entry.get("between")
        if between is not None and not (len(between) == 2 and between[0] < between[1]):
            raise self.refuse(f"{place}.between", f"[low, high] with low < high is wanted, not {between!r}")
        return Threshold(
            vary=vary,
            report=self.expression(f"{place}.report", entry.get("report", vary)),
            definition=entry.get("definition", headline),
            between=None if between is None else (float(between[0]), float(between[1])),
            expected=self.number(place, entry, "expected"),
            tolerance=self.tolerance(place, entry),
        )

    def one_table(self, place: str, entry: Any, headline: str) -> Table:
        self.known_keys(place, entry, _TABLE_KEYS)
        edges = entry.get("edges")
        numbers = isinstance(edges, list) and all(type(edge) in (int, float) for edge in edges)
        if not numbers or not edges or any(not low < high for low, high in pairwise([-math.inf, *edges, math.inf])):
            raise self.refuse(f"{place}.edges", f"finite numbers in rising order are wanted, not {edges!r}")
        expected = entry.get("expected")
        if expected is not None and len(expected) != len(edges) + 1:
            raise self.refuse(place, f"expected needs one value for each of the {len(edges) + 1} bins")
        return Table(
            says=self.text(place, entry, "says"),
            by=self.expression(f"{place}.by", entry.get("by")),
            edges=tuple(float(edge) for edge in edges),
            definition=entry.get("definition", headline),
            expected=None if expected is None else tuple(float(value) for value in expected),
            tolerance=self.tolerance(place, entry),
        )

    def variance(self, entry: Any) -> VarianceQuestion:
        self.known_keys("variance", entry, ("says", "of", "group", "groups", "expected", "tolerance"))
        groups = {name: tuple(inputs) for name, inputs in entry.get("groups", {}).items()}
        if entry.get("group") not in groups:
            raise self.refuse("variance.group", f"{entry.get('group')!r} is not one of the groups {', '.join(groups)}")
        expected = {name: float(value) for name, value in entry.get("expected", {}).items()}
        if not set(expected) <= set(groups):
            raise self.refuse("variance.expected", "names a group that is not there")
        return VarianceQuestion(
            says=self.text("variance", entry, "says"),
            of=self.expression("variance.of", self.text("variance", entry, "of")),
            group=entry["group"],
            groups=groups,
            expected=expected,
            tolerance=self.tolerance("variance", entry),
        )

    def crossed(self, entry: Any) -> Crossed:
        self.known_keys("crossed", entry, ("says", "over", "columns", "expected", "tolerance"))
        over: dict[str, tuple[Value, ...]] = {}
        for name, values in entry.get("over", {}).items():
            if not isinstance(values, list) or len(values) < 2:
                raise self.refuse(f"crossed.over.{name}", f"a list of two or more values is wanted, not {values!r}")
            over[name] = tuple(self.value(f"crossed.over.{name}", value) for value in values)
        columns = {
            name: self.expression(f"crossed.columns.{name}", text, condition=True)
            for name, text in entry.get("columns", {}).items()
        }
        if not over or not columns:
            raise self.refuse("crossed", "over and columns are wanted")
        expected = {name: tuple(float(value) for value in values) for name, values in entry.get("expected", {}).items()}
        if not set(expected) <= set(columns) or any(len(values) != 3 for values in expected.values()):
            raise self.refuse("crossed.expected", "for a column [least P, largest P, combinations above 0.5] is wanted")
        return Crossed(
            says=self.text("crossed", entry, "says"),
            over=over,
            columns=columns,
            expected=expected,  # type: ignore[arg-type]
            tolerance=self.tolerance("crossed", entry),
        )

    def evidence(self, side: str) -> tuple[Evidence, ...]:
        entries = self.table.get("evidence", {}).get(side, ())
        if not entries:
            raise self.refuse(f"evidence.{side}", "at least one finding with its source is wanted")
        for index, entry in enumerate(entries):
            self.known_keys(f"evidence.{side}[{index}]", entry, ("says", "source"))
        return tuple(
            Evidence(
                self.text(f"evidence.{side}[{index}]", entry, "says"),
                self.text(f"evidence.{side}[{index}]", entry, "source"),
            )
            for index, entry in enumerate(entries)
        )

    # -- names

    def check_names(self, card: Card, root: Card | None) -> None:
        """Every name read is drawn, derived, assumed or a variable; every name given is read or a variable."""
        given = set(card.drawn) | set(card.assumed)
        changes = [
            *((None, change) for change in card.base),
            *((f"definitions.{name}", definition.change) for name, definition in card.definitions.items()),
            *((f"variants.{name}", change) for name, change in card.variants.items()),
        ]
        for _, change in changes:
            given |= {name for name, _ in change.assume} | {name for name, _ in change.derive}
        known = given | self.variables
        read: set[str] = set()

        def check(place: str, expression: Expression | None) -> None:
            for name in sorted(expression.names(), key=str) if expression else ():
                if name.quantity not in known:
                    raise self.refuse(place, f"unknown name {name.quantity!r}{nearest(name.quantity, known)}")
                if name.variant is not None and name.variant not in card.variants:
                    raise self.refuse(place, f"unknown variant {name.variant!r}{nearest(name.variant, card.variants)}")
                read.add(name.quantity)

        for place, change in changes:
            for name, expression in change.derive:
                where = f"{place}.derive.{name}" if place else f"derive.{name}"
                check(where, expression)
                if late := sorted(read.quantity for read in expression.names() if read.quantity not in given):
                    raise self.refuse(where, f"{late[0]!r} is not known before the models run: draw or assume it")
            if unknown := sorted(set(change.without) - given):
                raise self.refuse(f"{place}.without", f"{unknown[0]!r} is not given by the card")
        if unknown := sorted(set(card.reuse) - self.variables):
            raise self.refuse("reuse", f"{unknown[0]!r} is not a variable{nearest(unknown[0], self.variables)}")
        check("drivers_of", card.drivers_of)
        for definition in card.definitions.values():
            check(f"definitions.{definition.name}.predicate", definition.predicate)
            check(f"definitions.{definition.name}.given", definition.given)
        for companion in card.companions:
            check(f"companions.{companion.name}", companion.value)
        for threshold in card.thresholds:
            check(f"thresholds {threshold.vary}", threshold.report)
            if threshold.vary not in known:
                raise self.refuse("thresholds", f"unknown name {threshold.vary!r}{nearest(threshold.vary, known)}")
        for table in card.tables:
            check(f"tables {table.by.text}", table.by)
        named = [*(one.definition for one in card.companions), *(one.definition for one in card.thresholds)]
        named += [one.definition for one in card.tables]
        if unknown := sorted(set(named) - set(card.definitions)):
            raise self.refuse("definition", f"{unknown[0]!r} is not a definition of the card")
        if card.variance:
            check("variance.of", card.variance.of)
            for inputs in card.variance.groups.values():
                if unknown := sorted(set(inputs) - set(card.drawn)):
                    raise self.refuse(
                        "variance.groups", f"{unknown[0]!r} is not drawn{nearest(unknown[0], card.drawn)}"
                    )
        if card.crossed:
            for name, expression in card.crossed.columns.items():
                check(f"crossed.columns.{name}", expression)
            if unknown := sorted(set(card.crossed.over) - known):
                raise self.refuse("crossed.over", f"unknown name {unknown[0]!r}{nearest(unknown[0], known)}")
        # What another card's sweep brings along is that card's to read.
        brought = set(root.drawn) | set(root.assumed) if root else set()
        if unread := sorted(given - self.variables - read - brought):
            raise self.refuse(
                unread[0], f"neither a variable nor read by an expression{nearest(unread[0], self.variables)}"
            )


_PROVENANCE_KEYS = ("source", "basis", "date")
_DISTRIBUTION_KEYS = (*distributions.KINDS, "weights", "smooth")
_CHANGE_KEYS = frozenset({"assume", "derive", "without"})
_DEFINITION_KEYS = frozenset({"says", "predicate", "given", "extends", "uncertain", "expected", "tolerance"})
_COMPANION_KEYS = ("value", "definition", "quantiles", "expected", "expected_mean", "tolerance")
_THRESHOLD_KEYS = ("vary", "report", "definition", "between", "expected", "tolerance")
_TABLE_KEYS = ("says", "by", "edges", "definition", "expected", "tolerance")
_CARD_KEYS = frozenset(
    {"id", "statement", "said_by", "attribution", "caution", "models", "headline", "predicate", "drivers_of", "sweep"}
    | {"reuse"}
    | {"sweep_definition", "thresholds", "assume", "uncertain", "correlate", "derive", "variants", "definitions"}
    | {"companions", "tables", "variance", "crossed", "evidence"}
)


def nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
