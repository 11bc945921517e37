"""Files of settings: read from the disk with the structure and the areas that they name, and checked.

given = read_setting("two-nations.yaml")         # InputError names file, line and field
given.cast.realm                                 # 'real'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from noroshi.documents import Document
from noroshi.errors import InputError
from noroshi.exercise.cast import Cast
from noroshi.exercise.setting import LoadedSetting, Setting, cast_of_setting, check_setting, load_setting
from noroshi.service.area_files import areas_beside
from noroshi.service.exercise_files import read_structure, structure_of
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
    loaded = load_setting(_text(Path(given)), given)
    catalogue, structure = read_structure(structure_of(loaded.document, loaded.setting.structure, given))
    check_setting(loaded, structure, catalogue)
    areas = areas_beside(given, {one.id: one.areas for one in loaded.setting.partners})
    return ReadSetting(loaded, structure, catalogue, areas)


def _text(path: Path) -> str:
    hint = "give a file of a setting"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise InputError(str(path), None, "", f"larger than {MAX_BYTES} bytes", hint)
        return raw.decode()
    except FileNotFoundError:
        raise InputError(str(path), None, "", "there is no such file", hint) from None
    except UnicodeDecodeError:
        raise InputError(str(path), None, "", "not readable as UTF-8", "save the file as UTF-8") from None
    except OSError as error:
        raise InputError(str(path), None, "", f"it cannot be read: {error.strerror}", hint) from None
