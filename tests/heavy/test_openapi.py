"""The page's OpenAPI description, and what schemathesis makes of it: no call that fits or misses it is a server error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.browser.conftest import App, start_app, stop_app

BOUNDED = settings(
    derandomize=True, deadline=None, max_examples=40, database=None, suppress_health_check=[*HealthCheck]
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = start_app(tmp_path_factory.mktemp("openapi"), "--places", "8", program=("-m", "bench.scripted_page"))
    yield app
    stop_app(app)


def test_no_call_is_a_server_error(app: App):
    schema = schemathesis.openapi.from_url(f"{app.address}gradio_api/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {"/gradio_api/call/v2/think", "/gradio_api/call/v2/sweep"} <= {each.path for each in operations}
    for operation in operations:

        @BOUNDED
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            answer = case.call(base_url=app.address.rstrip("/"), timeout=20)
            assert answer.status_code < 500, (case.path, answer.text)

        check()
    assert "Traceback" not in app.log.read_text()
