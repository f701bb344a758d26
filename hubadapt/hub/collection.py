"""The collection of a run: one list on the Hub of everything that it published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hubadapt.hub.errors import explained
from hubadapt.hub.plan import RepositoryPlan
from hubadapt.hub_lists import language_name
from hubadapt.lineage import Names
from hubadapt.types import Manifest

_LONGEST_DESCRIPTION = 150


@dataclass(frozen=True)
class Item:
    """One entry of a collection: a repository, and a few words on what it is."""

    type: str
    id: str
    note: str


@dataclass(frozen=True)
class CollectionPlan:
    """What a collection shall hold.

    Attributes:
        namespace: Its owner.
        title: Its title, the run's name; an owner has one collection of a title.
        description: What it is, at most 150 characters.
        items: In order; others that the owner added stay.
    """

    namespace: str
    title: str
    description: str
    items: tuple[Item, ...]


def plan_collection(manifest: Manifest, names: Names, plans: Sequence[RepositoryPlan]) -> CollectionPlan:
    """The collection of a run: data, then the base and its forms, then each sibling and its forms, then the Space.

    Args:
        manifest: The run.
        names: What things are called on the Hub.
        plans: What is published.
    """
    of = {artifact.name: artifact.of for artifact in manifest.artifacts() if artifact.kind == "model"}
    families = list(manifest.sources())

    def place(plan: RepositoryPlan) -> tuple[int, int]:
        family = of.get(plan.name, plan.name)
        kinds = ("dataset", "model", "space")
        return kinds.index(plan.type), families.index(family) if family in families else 0

    items = {(plan.type, plan.id): Item(plan.type, plan.id, plan.message) for plan in sorted(plans, key=place)}
    about = f"{names['base']} with a vocabulary for {language_name(manifest.language)}: models, data and a comparison."
    return CollectionPlan(names.namespace, manifest.name, about[:_LONGEST_DESCRIPTION], tuple(items.values()))


def find_slug(api: Any, plan: CollectionPlan) -> str:
    """Slug of the owner's collection of a title; empty where there is none.

    Raises:
        HubError: The Hub refuses, or does not answer.
    """
    with explained(f"the collection {plan.title}", write=True, endpoint=api.endpoint):
        found = (known.slug for known in api.list_collections(owner=plan.namespace) if known.title == plan.title)
        return next(found, "")


def find_or_make(api: Any, plan: CollectionPlan, slug: str, *, private: bool) -> Any:
    """The collection on the Hub: the one of that slug, else the owner's of that title, else a new one.

    Title and description are written once; the owner may change them.

    Args:
        api: The Hub's client.
        plan: What it shall hold.
        slug: Its slug, where it is known.
        private: Whether a new one is made private.

    Raises:
        HubError: The Hub refuses, or does not answer.
    """
    from huggingface_hub.errors import HfHubHTTPError

    with explained(f"the collection {plan.title}", write=True, endpoint=api.endpoint):
        if slug:
            try:
                return api.get_collection(slug)
            except HfHubHTTPError as error:
                if error.response.status_code != 404:
                    raise
        if known := find_slug(api, plan):
            return api.get_collection(known)
        return api.create_collection(
            plan.title, namespace=plan.namespace, description=plan.description, private=private, exists_ok=True
        )


def gather(api: Any, plan: CollectionPlan, collection: Any, there: Sequence[Item]) -> tuple[Any, int]:
    """Add what a collection lacks; the collection, and how many items were added.

    Args:
        api: The Hub's client.
        plan: What it shall hold in the end.
        collection: As the Hub describes it.
        there: Items of the plan whose repositories exist.

    Raises:
        HubError: The Hub refuses, or does not answer.
    """
    added = 0
    with explained(f"the collection {plan.title}", write=True, endpoint=api.endpoint):
        for number, item in enumerate(plan.items):
            held = _held(collection)
            if item not in there or (item.type, item.id) in held:
                continue
            later = [held[key] for other in plan.items[number:] if (key := (other.type, other.id)) in held]
            collection = api.add_collection_item(collection.slug, item.id, item.type, note=item.note, exists_ok=True)
            if later:
                own = _held(collection)[item.type, item.id].item_object_id
                api.update_collection_item(collection.slug, own, position=min(entry.position for entry in later))
                collection = api.get_collection(collection.slug)
            added += 1
    return collection, added


def _held(collection: Any) -> dict[tuple[str, str], Any]:
    return {(item.item_type, item.item_id): item for item in collection.items}
