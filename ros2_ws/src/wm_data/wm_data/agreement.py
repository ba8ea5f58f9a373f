"""Consistency of the episodes of one model, checked by all readers of several episodes, and by `inspect`.

A number, a picture or an action that means something else in one file silently teaches a wrong model. What a
meta lacks is assumed to be that of the others, except for the rate and the names of the vector inputs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from wm_data.episodes import Episode, EpisodeError, columns_with_gaps
from wm_data.rates import rate_of, same_rate

SIZE_TOLERANCE = 0.05  # cameras of one data set differ by a few rows and columns from day to day
_TOLD = ("cameras", "vector", "rate_hz", "max_steer_deg", "action_convention", "reward", "target_speed_mps")


class Traits(NamedTuple):
    """What must match, for one episode or for a model's training data."""

    whose: str
    """The owner, for messages."""
    size: tuple[int, int]
    """Height and width of the pictures [px]."""
    cameras: int
    vector: int
    """V."""
    action: int
    """A."""
    meta: dict[str, Any]
    """The meta's entries about these."""


class Difference(NamedTuple):
    trait: str
    one: Traits
    other: Traits

    def text(self) -> str:
        """One sentence: the two owners, their values, and the remedy."""
        trait = _TRAITS[self.trait]
        one, other = trait.words(self.one), trait.words(self.other)
        return f"{self.one.whose} {trait.verb} {one}, {self.other.whose} {trait.verb} {other}: {trait.advice}"


class _Trait(NamedTuple):
    words: Callable[[Traits], str | None]
    """As text; None where it is unknown."""
    verb: str
    advice: str
    compared: Callable[[Traits, Traits], bool] | None = None
    """Whether two are equal; None: compare their texts."""

    def alike(self, one: Traits, other: Traits) -> bool:
        return self.compared(one, other) if self.compared else self.words(one) == self.words(other)


def traits_of(whose: str, episode: Episode) -> Traits:
    return Traits(
        whose,
        tuple(episode.observations.shape[2:]),
        episode.observations.shape[1] // 3,
        episode.vector.shape[1],
        episode.actions.shape[1],
        {key: episode.meta[key] for key in _TOLD if episode.meta.get(key) is not None},
    )


def contradictions(traits: Traits) -> Iterator[str]:
    """Messages about meta entries that are malformed or do not match the arrays."""
    for key, count, what, needed in (
        ("vector", traits.vector, "vector inputs", ("name", "unit")),
        ("cameras", traits.cameras, "cameras", ("name", "source_height", "source_width")),
    ):
        named = traits.meta.get(key)
        if named is not None and (not isinstance(named, list) or len(named) != count):
            told = _listed(map(_name, named)) if isinstance(named, list) else repr(named)
            yield f"the meta of {traits.whose} names the {what} {told}, but there are {count}"
        elif odd := [entry for entry in named or () if not (isinstance(entry, dict) and entry.keys() >= {*needed})]:
            told = f"{odd[0]!r}"[:80]
            yield f"the meta of {traits.whose} has {told} among the {what}, expected an object with {', '.join(needed)}"


def names_of(told: object, count: int) -> tuple[str, ...]:
    """Names of ``count`` things from a meta, numbers where it has none."""
    if not isinstance(told, list) or len(told) != count:
        return tuple(f"#{k}" for k in range(count))
    return tuple(str(item.get("name", f"#{k}") if isinstance(item, dict) else item) for k, item in enumerate(told))


def differences(traits: Sequence[Traits]) -> Iterator[Difference]:
    """For each trait that differs, the first owner that differs from the first one that has it."""
    for name, trait in _TRAITS.items():
        told = [one for one in traits if trait.words(one) is not None]
        odd = next((one for one in told if not trait.alike(told[0], one)), None)
        if odd is not None:
            yield Difference(name, odd, told[0])


def check(traits: Sequence[Traits]) -> None:
    """Raise EpisodeError where ``traits`` do not match; the first one is the reference."""
    for difference in differences(traits):
        raise EpisodeError(difference.text())


def told(traits: Sequence[Traits]) -> dict[str, Any]:
    """The metas' entries for the traits, each from the first owner that has it."""
    entries = {key: one.meta[key] for one in reversed(traits) for key in one.meta}
    gaps = np.any([columns_with_gaps(one.meta, one.vector) for one in traits if one.vector == traits[0].vector], axis=0)
    if gaps.any():  # rows of some episodes may lack what all others have
        named = zip(entries["vector"], gaps, strict=False)
        entries["vector"] = [{**entry, "gaps": True} if gap else entry for entry, gap in named]
    return entries


def values(traits: Sequence[Traits], name: str) -> list[str]:
    """The trait ``name`` of each owner as text, equal for equal traits."""
    trait, kinds, found = _TRAITS[name], [], []
    for one in traits:
        if trait.words(one) is None:
            found.append("not told")
            continue
        kind = next((kind for kind in kinds if trait.alike(kind, one)), one)
        if kind is one:
            kinds.append(one)
        found.append(trait.words(kind))
    return found


def notes(traits: Sequence[Traits]) -> list[str]:
    """Notes on traits that are assumed equal, although missing in some metas or not exactly equal."""
    found = [text for one in traits for text in contradictions(one)][:1]
    for name in _MAY_BE_UNTOLD:
        silent = [one for one in traits if _TRAITS[name].words(one) is None]
        told = [one for one in traits if _TRAITS[name].words(one) is not None]
        if silent and told:
            found.append(
                f"{len(silent)} of {len(traits)} episodes, {silent[0].whose} the first, do not tell their {name}: it "
                f"is assumed to be that of the others, {_TRAITS[name].words(told[0])}"
            )
    views = [one for one in traits if _TRAITS[_VIEW].words(one) is not None]
    usual = views[0] if views else None
    odd = [one for one in views if _views_in_words(one) != _views_in_words(usual) and _same_views(usual, one)]
    if odd:
        found.append(
            f"the cameras of {len(odd)} of {len(traits)} episodes have pictures of a little other size: "
            f"{odd[0].whose} {_views_in_words(odd[0])}, {usual.whose} {_views_in_words(usual)}; the latter is what a "
            f"bundle will ask for"
        )
    return found


def _view(camera: Any) -> tuple[Any, ...]:
    """Name, crop and letterbox of a camera's meta, and height and width of its source [px]."""
    if not isinstance(camera, dict):
        return str(camera), None, False, None, None
    crop = camera.get("crop")
    sides = (camera.get(side) for side in ("source_height", "source_width"))
    size = (side if type(side) in (int, float) else None for side in sides)
    crop = tuple(crop) if crop and isinstance(crop, list) else None
    return _name(camera), crop, bool(camera.get("letterbox", False)), *size


def _same_views(one: Traits, other: Traits) -> bool:
    pairs = zip(one.meta["cameras"], other.meta["cameras"], strict=False)
    return all(_same_view(_view(a), _view(b)) for a, b in pairs)


def _same_view(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    if one[:3] != other[:3]:
        return False
    sizes = zip(one[3:], other[3:], strict=True)
    # A crop is in pixels of the source.
    tolerance = 0.0 if one[1] else SIZE_TOLERANCE
    return all(None in (a, b) or abs(a - b) <= tolerance * max(a, b) for a, b in sizes)


def _views_in_words(traits: Traits) -> str | None:
    if not isinstance(traits.meta.get("cameras"), list):
        return None
    words = []
    for name, crop, letterbox, height, width in map(_view, traits.meta["cameras"]):
        more = [f"{width}x{height}"] if height and width else []
        more += [f"crop {list(crop)}"] if crop else []
        more += ["letterbox"] if letterbox else []
        words.append(f"{name} ({', '.join(more)})" if more else name)
    return _listed(words)


def _vector_in_words(traits: Traits) -> str:
    named = traits.meta.get("vector")
    if not isinstance(named, list):
        return f"{traits.vector} without names" if traits.vector else "none"
    units = (f"{_name(entry)} [{entry.get('unit')}]" if isinstance(entry, dict) else str(entry) for entry in named)
    told = _listed(units)
    return told if len(named) == traits.vector else f"{traits.vector or 'none'} (its meta names {told})"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _name(entry: Any) -> str:
    return str(entry.get("name")) if isinstance(entry, dict) else str(entry)


def _told(key: str) -> Callable[[Traits], str | None]:
    def words(traits: Traits) -> str | None:
        value = traits.meta.get(key)
        return f"{value:g}" if isinstance(value, float) else None if value is None else str(value)

    return words


def _same_rates(one: Traits, other: Traits) -> bool:
    return same_rate(rate_of(one.meta), rate_of(other.meta))


def _rate_in_words(traits: Traits) -> str:
    rate = rate_of(traits.meta)
    return "a rate that is not told" if rate is None else f"{rate:g} Hz"


_APART = "keep them in separate folders"
_VIEW = "cameras"
_TRAITS: dict[str, _Trait] = {
    "picture size": _Trait(lambda one: f"{one.size[1]} x {one.size[0]} px", "has pictures of", "convert them to one"),
    "number of cameras": _Trait(lambda one: f"{one.cameras} camera{'s' * (one.cameras != 1)}", "has", _APART),
    "length of an action": _Trait(lambda one: f"{one.action} numbers in an action", "has", _APART),
    "vector": _Trait(_vector_in_words, "has the vector inputs", _APART),
    "rate": _Trait(_rate_in_words, "is at", "keep rates in separate folders", _same_rates),
    _VIEW: _Trait(_views_in_words, "is of the cameras", f"{_APART}, or convert them from one set", _same_views),
    "max_steer_deg": _Trait(_told("max_steer_deg"), "has max_steer_deg", "convert them with one --max-steer-deg"),
    "action convention": _Trait(_told("action_convention"), "has the action convention", _APART),
    "reward": _Trait(_told("reward"), "has the reward", f"{_APART}, or convert them to one reward"),
    "target_speed_mps": _Trait(_told("target_speed_mps"), "has target_speed_mps", "convert to one --target-speed"),
}
_MAY_BE_UNTOLD = (_VIEW, "max_steer_deg", "action convention", "reward")
