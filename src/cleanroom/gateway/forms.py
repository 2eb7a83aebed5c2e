"""Which form of a page is asked for, said in few words, so that equal questions share an answer.

In: a grant and the client's Accept. Out: the form's name, the Accept that the upstream gets, and
what is to be taken from the page.
Never: the client's own text upstream: it would split the cache, or poison it for others.
"""

from collections.abc import Callable
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.cooldown import HIDE, NPM_FORM, PYPI_FORM, PYPI_HTML, Age, pypi_as_html

_NPM_SHORT: Final = "application/vnd.npm.install-v1+json"
_ANY: Final = "*/*"


def form_of(grant: Grant, accept: str) -> str:
    """Return the form, which is also the upstream's Accept; "" where there is only one."""
    if grant.form:
        return grant.form
    has_forms = grant.kind == "metadata" and grant.has_versions
    if not has_forms or grant.manager not in ("npm", "pypi"):
        return ""
    asked = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    if grant.manager == "npm":
        # Only the long form has the dates that a cooldown needs; clients read it all the same.
        return NPM_FORM if grant.cooldown_s or _NPM_SHORT not in asked else _NPM_SHORT
    return PYPI_FORM if grant.cooldown_s or PYPI_FORM in asked else PYPI_HTML


def wants_html(grant: Grant, accept: str) -> bool:
    """Tell whether the client can read nothing but the HTML form of an index's page."""
    asked = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    return grant.manager == "pypi" and grant.has_versions and PYPI_FORM not in asked


def remade_type(grant: Grant, accept: str) -> str:
    """Return the Content-Type of a page that a cooldown makes anew in another form; "" for none."""
    is_remade = grant.cooldown_s and grant.kind == "metadata" and wants_html(grant, accept)
    return f"{PYPI_HTML}; charset=utf-8" if is_remade else ""


def refine_of(grant: Grant, accept: str, wall_s: float) -> Callable[[bytes], bytes] | None:
    """Return what takes from a page what is too young; None: there is no cooldown to heed."""
    if not grant.cooldown_s or grant.kind != "metadata":
        return None
    age = Age(wall_s - grant.cooldown_s, frozenset(grant.excepted))
    hide = HIDE[grant.manager]
    if remade_type(grant, accept):
        return lambda document: pypi_as_html(hide(document, age))
    return lambda document: hide(document, age)


def upstream_accept(form: str) -> str:
    """Return the Accept field of the upstream request."""
    if form == _NPM_SHORT:
        return f"{_NPM_SHORT}; q=1.0, {NPM_FORM}; q=0.8"
    return form if "/" in form else _ANY
