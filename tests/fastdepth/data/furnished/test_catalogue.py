from __future__ import annotations

import pytest
from tiny_furniture import PIECES, write_libraries

from fastdepth.data.furnished.catalogue import (
    CREDITS,
    credits_text,
    parse_catalogue,
    read_catalogue,
)
from fastdepth.data.furnished.roles import ROLES, Role, cast_roles
from fastdepth.errors import DataError


def test_lengths_are_metres(tmp_path):
    catalogue = read_catalogue(write_libraries(tmp_path))
    assert len(catalogue) == len(PIECES.split("\n")) - 2
    upper = next(each for each in catalogue if each.name == "Upper cabinet")
    assert upper.size == pytest.approx((0.6, 0.72, 0.4))  # width, height, depth
    assert upper.elevation == pytest.approx(1.45)
    assert (upper.library, upper.creator) == ("Scopia", "A. Joiner")


def test_properties_keep_escaped_blanks_and_equal_signs():
    text = "# name#1=no\nname#1=Big\\ box \r\nmodelRotation#1=1 0 0\nname#12=a=b\nid=x\n"
    assert parse_catalogue(text) == {
        1: {"name": "Big box", "modelRotation": "1 0 0"},
        12: {"name": "a=b"},
    }


def test_missing_furniture_says_how_to_install_it(tmp_path):
    write_libraries(tmp_path)
    (tmp_path / "KatorLegaz.sh3f").unlink()
    with pytest.raises(DataError, match=r"lacks KatorLegaz\.sh3f; install .*--furniture"):
        read_catalogue(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip file"])
def test_a_damaged_library_is_named(tmp_path, content):
    write_libraries(tmp_path)
    (tmp_path / "Scopia.sh3f").write_bytes(content)
    with pytest.raises(DataError, match=r"Scopia\.sh3f is no library"):
        read_catalogue(tmp_path)


@pytest.mark.parametrize("line", ["width#1=wide", "modelRotation#1=1 0 0"])
def test_a_damaged_catalogue_is_named(tmp_path, line):
    import zipfile

    write_libraries(tmp_path)
    with zipfile.ZipFile(tmp_path / "Scopia.sh3f") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "Scopia.sh3f", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content + (f"\n{line}\n".encode() if "Plugin" in name else b""))
    with pytest.raises(DataError, match=r"Scopia\.sh3f is no library"):
        read_catalogue(tmp_path)


def test_makers_and_owners_are_credited(tmp_path):
    text = credits_text(read_catalogue(write_libraries(tmp_path)))
    assert "A. Joiner" in text
    assert all(owner in text for owner in CREDITS.values())


def test_every_role_is_filled_and_by_what_its_name_says(tmp_path):
    cast = cast_roles(read_catalogue(write_libraries(tmp_path)))
    assert set(cast) == set(ROLES)
    assert [each.name for each in cast["wall unit"]] == ["Upper cabinet"]
    assert "Table" in {each.name for each in cast["table"]}
    assert "Bedside table" not in {each.name for each in cast["table"]}
    assert {each.category for each in cast["thing"]}.isdisjoint({"Doors and windows", "Lights"})


def test_a_vacant_role_is_named(tmp_path):
    catalogue = read_catalogue(write_libraries(tmp_path))
    with pytest.raises(DataError, match="has no door"):
        cast_roles([each for each in catalogue if each.name != "Door"])


def test_a_role_takes_by_size(tmp_path):
    sofa = read_catalogue(write_libraries(tmp_path))[0]
    assert Role("sofa").takes(sofa)
    assert not Role("sofa", width=(0.0, 1.9)).takes(sofa)
    assert not Role("sofa", without="SOFA").takes(sofa)
    assert not Role("sofa", shelves=("Office",)).takes(sofa)
    assert not Role("sofa", heaviest=10).takes(sofa)
