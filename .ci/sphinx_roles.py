"""Extension of griffe: roles of Sphinx in docstrings, ``:func:`load```, as code in Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")


class SphinxRoles(Extension):
    """Shows the last part of a name, as the code that it is."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Change an object's docstring once it has been read."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(
                lambda role: f"`{role[1].rpartition('.')[2]}`", obj.docstring.value
            )
