"""How the manual is built: Sphinx with Markdown pages (MyST), to HTML that needs no network.

`make docs` writes it to `build/docs` and takes warnings as errors. Which pages there are is read off the folder:
`docs/manual/index.md` lists them by pattern.
"""

import logging
from importlib.metadata import version as installed_version

project = "noroshi"
author = "The noroshi authors"
version = release = installed_version("noroshi")
project_copyright = "2026, the noroshi authors"

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["README.md"]
source_suffix = {".md": "markdown"}

# A block that no lexer knows is shown as it stands.
suppress_warnings = ["misc.highlighting_failure"]
# Pages are listed by pattern to give them an order, with `*` last for the rest; a pattern may find none. Sphinx
# gives this warning a subtype without a type, so that `suppress_warnings` cannot name it.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: getattr(record, "subtype", None) != "empty_glob"
)

html_theme = "furo"
html_title = "noroshi"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"source_edit_link": "", "navigation_with_keys": True}
