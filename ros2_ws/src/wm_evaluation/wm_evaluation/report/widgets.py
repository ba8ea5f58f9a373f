"""Custom widgets: HTML templates, styles and scripts in the ``assets`` folder of a package."""

from collections.abc import Mapping
from functools import cache

import jinja2

from wm_evaluation.report.blocks import Fragment


def widget(package: str, template: str, values: Mapping[str, object], style: str = "", script: str = "") -> Fragment:
    """Fill ``assets/<template>`` of a package; ``style`` and ``script`` name files beside it.

    Values are escaped; data for the script go through the filter ``tojson`` into a script element of type
    application/json. Raises jinja2.TemplateNotFound, jinja2.UndefinedError.
    """
    environment = environment_of(package)
    html = environment.get_template(template).render(values)
    return Fragment(html, *(asset(package, name) if name else "" for name in (style, script)))


def asset(package: str, name: str) -> str:
    """The text of ``assets/<name>`` of a package. Raises jinja2.TemplateNotFound."""
    environment = environment_of(package)
    return environment.loader.get_source(environment, name)[0]


@cache
def environment_of(package: str) -> jinja2.Environment:
    """Templates in ``assets`` of a package; inserted values are escaped, and undefined ones are errors."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
