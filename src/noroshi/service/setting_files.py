"""Files of settings: read from the disk with the structure and the areas that they name, and checked.

given = read_setting("two-nations.yaml")         # InputError names file, line and field
given.cast.realm                                 # 'real'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from noroshi.documents import Document
from noroshi.exercise.cast import Cast
from noroshi.exercise.setting import LoadedSetting, Setting, cast_of_setting, check_setting, load_setting
from noroshi.service.area_files import areas_beside
from noroshi.service.exercise_files import structure_of
from noroshi.service.files import given_text
from noroshi.service.structure_files import read_structure
from noroshi.structure import Catalogue, Structure
from noroshi.warning import AreaList

MAX_BYTES = 4 << 20
"""Of a file: a hundred times the largest that we know."""


@dataclass(frozen=True, slots=True)
class ReadSetting:
    """A setting that is good, with the structure that it names and the own areas of its partners."""

    loaded: LoadedSetting
    structure: Structure
    catalogue: Catalogue
    areas: Mapping[str, AreaList] = field(default_factory=dict)

    realm_field = "realm"
    """The field that says its realm."""

    @property
    def setting(self) -> Setting:
        """The setting."""
        return self.loaded.setting

    @property
    def document(self) -> Document:
        """What it was read from."""
        return self.loaded.document

    @property
    def cast(self) -> Cast:
        """Who takes part in it."""
        return cast_of_setting(self.setting, self.structure, self.catalogue)

    def relays_of(self, node: str) -> tuple[str, ...]:
        """The relays of the units that a node serves."""
        nodes = self.cast.nodes
        return tuple(one.id for one in self.setting.relays if nodes.get(one.unit) == node)


def read_setting(given: str) -> ReadSetting:
    """The setting in a file. Raises InputError."""
    loaded = load_setting(given_text(given, "give a file of a setting", most=MAX_BYTES), given)
    catalogue, structure = read_structure(structure_of(loaded.document, loaded.setting.structure, given))
    check_setting(loaded, structure, catalogue)
    areas = areas_beside(given, {one.id: one.areas for one in loaded.setting.partners})
    return ReadSetting(loaded, structure, catalogue, areas)
