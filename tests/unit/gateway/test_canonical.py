import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.canonical import canonical_json

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
keys = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


@given(st.dictionaries(keys, values))
def test_the_canonical_form_is_that_of_rfc_8785(body: dict[str, object]) -> None:
    assert canonical_json(body) == rfc8785.dumps(body)


def test_control_characters_are_escaped_as_rfc_8785_has_it() -> None:
    body = {"text": "".join(map(chr, range(0x80))) + "\u2028\u2029\ufeff\U0001f600"}

    assert canonical_json(body) == rfc8785.dumps(body)
